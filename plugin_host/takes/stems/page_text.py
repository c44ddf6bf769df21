"""The fixed text of the contact sheet of stems."""

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>TITLE</title>
<meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark; --line: #8886; --wave: #2a7f9e; --good: #2e7d32; --half: #b26a00; --bad: #b3261e; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
p { margin: .2rem 0; max-width: 60rem; } small { font-weight: normal; opacity: .75; }
.limits { border-left: 4px solid var(--half); padding-left: .8rem; margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-top: 1px solid var(--line); }
tr:first-child th { border: 0; font-size: .8rem; opacity: .75; padding-bottom: 0; }
td:nth-child(2) { width: 30rem; } svg { width: 100%; height: 48px; display: block; } polygon { fill: var(--wave); }
.mix polygon { fill: currentColor; opacity: .55; }
audio { width: 100%; height: 32px; margin-top: .2rem; } meter { width: 5rem; }
.pure { color: var(--good); } .half { color: var(--half); } .mixed { color: var(--bad); }
dt { font-weight: 600; } dd { margin: 0 0 .3rem; }
</style></head><body>
"""

CANNOT = (
    "Not every stem here is one instrument alone. The embedded model is asked for one, keeps tempo, bars and harmony, "
    "but sometimes plays other instruments as well; other models are asked by words and mostly play mixes. Purity is "
    "measured and shown for each stem; below 50 % it is a mix of instruments."
)

LEGEND = """<section><h2>The figures</h2><dl>
<dt>purity</dt><dd>Share of the stem's energy, as loud as it is heard, that is drums, bass, or other instruments, as the
lane asks; estimated by a small network of Segue's. It tells these three apart, not keys from guitars; a quiet tone
beside drums counts for more than its energy.</dd>
<dt>beat</dt><dd>How far attacks lie behind the sixteenths of the beat (early: negative), and how clearly they lie
there: 1 is all of them at one place, 0 anywhere.</dd>
<dt>key</dt><dd>Share of the eleven transpositions of the stem that would fit the region's tones worse; 50 % is chance.
Drums have none.</dd>
<dt>level</dt><dd>As loud as it is heard, in dB of full scale. A stem more than 20 dB below or above an earlier one of
its variation was changed.</dd>
<dt>silence, repeats</dt><dd>Share of silent bars; share of bars that sound like an earlier bar.</dd>
<dt>score</dt><dd>Purity 3, key 2, beat 2, level 1, sounding bars 1, new bars 1; a variation's is the mean of its
stems', the weakest counted twice. Variations are in its order.</dd>
</dl></section>
"""

SCRIPT = """<script>
addEventListener("play", event => {
  for (const each of document.querySelectorAll("audio")) if (each !== event.target) each.pause();
}, true);
</script>
"""
