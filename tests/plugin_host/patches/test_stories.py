"""Pure Data, and SuperCollider, play with a running engine through JACK: what they print and what they record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from story_rig import (
    BEAT,
    BPM,
    RATE,
    REGIONS,
    ROOT,
    Band,
    headless,
    missing,
    off_the_beat,
    sclang_command,
    sounding,
    wait_until,
)

from plugin_host.patches.patch import Patch
from plugin_host.patches.pd_text import pd_text

PD = ROOT / "plugin_host" / "pd" / "segue"
pytestmark = pytest.mark.skipif(bool(missing("jackd")), reason="jackd is not installed (apt install jackd2)")
QUIET_MS = 100  # that the music itself may be silent before a mute and after it
FIRST, SECOND = REGIONS / "rock-146bpm.flac", REGIONS / "house-124bpm.flac"


@pytest.fixture(scope="module")
def band(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Band]:
    made = Band(tmp_path_factory.mktemp("band"))
    yield made
    made.close()


def pd_story(band: Band, region: Path) -> str:
    """A patch that begins on a bar line of which the host tells; each later step follows what was heard."""
    steps = [
        ["0 stop now", "1 stop now", f"0 region continue {FIRST} 0 0", f"1 region continue {FIRST} 0 0",
         "0 prompt lo-fi\\ piano", "3 slot 2 techno"],
        ["0 play bar 0", "1 play bar 0"],
        [f"0 region continue {SECOND} 0 0 bar", "1 mute 1 bar 4", "3 morph prompts 2 bar 0 1"],
        ["0 stop bar", "1 stop bar"],
        [f"2 order {region} continue {BPM} 4 4 0 1 1"],
    ]  # fmt: skip
    patch = Patch()
    client = patch.obj(f"segue.client {band.port}")
    orders = patch.obj("route 0 1 2 3")
    lanes = [patch.obj(f"segue.lane {number}", (orders, number)) for number in (0, 1)]
    takes = patch.obj(f"segue.takes {band.watch_port}", (orders, 2))
    patch.obj("print morph", patch.obj("segue.morph 0", (orders, 3)))
    said = [patch.obj("route parameter time levels ring", lane) for lane in lanes]
    for number, each in enumerate(said):
        patch.obj(f"print lane-{number}", (each, 4))
    # bar lines while the engine answers: the first two
    gate = patch.obj("spigot", patch.obj("sel 0", (patch.obj("unpack f f", (lanes[0], 1)), 1)))
    patch.wire((client, 1), gate, 1)
    bars = patch.obj("f 0", gate)
    patch.wire(patch.obj("+ 1", bars), bars, 1)
    first = patch.obj("sel 0 1", bars)
    # what is heard on lane 0: the play, the other region, the stop
    numbered = patch.chain((said[0], 4), "route heard", "list split 1")
    heard = patch.chain((numbered, 1), "list trim", "route /segue/lane/play /segue/region/file /segue/lane/stop")
    played, swapped, stopped = (patch.obj("spigot", (heard, number)) for number in range(3))
    later = patch.obj("spigot", gate)
    count = patch.obj("f 1", later)
    patch.wire(patch.obj("+ 1", count), count, 1)
    third = patch.obj("sel 3", count)  # bar lines after that: the mute is over
    for moment, opened in (((first, 1), played), (played, swapped), (swapped, later), (third, stopped)):
        patch.wire(patch.msg("1", patch.obj("t b", moment)), opened, 1)
    moments = first, (first, 1), patch.obj("t b", played), third, patch.obj("t b", stopped)
    for moment, messages in zip(moments, steps, strict=True):
        for message in messages:
            patch.wire(patch.msg(message, moment), orders)
    # the take in a loop; all is recorded until it has been heard twice
    loop = patch.obj("segue.loop~", patch.obj("t a a", takes))
    patch.obj("print take", takes)
    kept = patch.obj(
        "writesf~ 6", patch.msg(f"open -bytes 4 {band.folder}/pd.wav, start", patch.obj("sel 1", (client, 1)))
    )
    sound = patch.obj("adc~ 1 2 3 4")
    for number in range(4):
        patch.wire((sound, number), kept, number)
    patch.wire(loop, kept, 4)
    patch.wire((loop, 1), kept, 5)
    loops = patch.obj("f 1", patch.obj("t b", (loop, 2)))
    patch.wire(patch.obj("+ 1", loops), loops, 1)
    end = patch.obj("sel 3", loops)
    patch.wire(patch.msg("stop", patch.obj("delay 150", end)), kept)
    patch.msg("; pd quit", patch.obj("delay 300", end))
    patch.msg("; pd dsp 1", patch.obj("loadbang"))
    return pd_text(patch)


def check_lanes(kept: np.ndarray, missed_ms: float) -> None:
    """Both lanes begin together and end together, without a hole but lane 1's mute of one bar.

    `missed_ms`: how much JACK itself may have lost.
    """
    start, end = sounding(kept[:, :2])[-1]
    (first, muted), (again, last) = sounding(kept[:, 2:4])[-2:]
    near, quiet = 15 + missed_ms, QUIET_MS + missed_ms
    assert abs(first - start) < RATE // 200, "sent in one tick with one place: they begin together"
    assert -near < off_the_beat(start, end) < near
    assert abs(end - last) < RATE // 100, "and end together"
    assert -quiet < off_the_beat(start, muted) < near
    assert -near < off_the_beat(start, again) < quiet
    assert (again - muted) / BEAT == pytest.approx(4, abs=(quiet + near) / 1000 * BPM / 60)
    assert end - start > 8 * BEAT


def check_loop(kept: np.ndarray, take: np.ndarray) -> None:
    """What a loop played is the take twice and more, end to end."""
    start = int(np.flatnonzero(np.abs(kept).max(axis=1))[0]) - int(np.flatnonzero(np.abs(take).max(axis=1))[0])
    twice = np.concatenate([take, take])
    np.testing.assert_allclose(kept[start : start + len(twice)], twice, atol=1e-4)


@pytest.mark.skipif(bool(missing("pd")), reason="Pure Data is not installed (apt install puredata-core)")
@pytest.mark.second_try("a busy machine makes JACK miss a period, which is a hole in the recording")
def test_pure_data_plays_the_whole_story(band: Band) -> None:
    region = band.folder / "riff.wav"
    samples, rate = soundfile.read(FIRST, always_2d=True)
    soundfile.write(region, samples, rate)
    patch = band.folder / "story.pd"
    patch.write_text(pd_story(band, region))
    command = ["pd", "-nogui", "-jack", "-jackname", "pd_story", "-r", "48000", "-inchannels", "4", "-outchannels", "2",
               "-nomidi", "-stderr", "-noprefs", "-path", str(PD), "-open", str(patch)]  # fmt: skip
    missed_ms = band.missed_ms()
    pd = band.start("pd", command)
    band.listen_with([f"pd_story:input_{number}" for number in range(1, 5)])
    printed = band.play_out("pd", pd)
    assert "error" not in printed
    kept = soundfile.read(band.folder / "pd.wav", always_2d=True)[0]
    check_lanes(kept, band.missed_ms() - missed_ms)
    assert "lane-0: prompt lo-fi\\ piano" in printed
    for lane, address in ((0, "lane/play"), (0, "region/file"), (1, "lane/mute")):
        assert re.search(rf"lane-{lane}: heard \d+ /segue/{address} ", printed)
    (mixed,) = re.findall(r"morph: morph (\S+)", printed)
    assert float(mixed) % 4 == 0, "on a bar line"
    (path,) = re.findall(r"take: symbol (.*\.wav)", printed)
    check_loop(kept[:, 4:], soundfile.read(path, always_2d=True)[0])


SC_STORY = """
var segue = Segue(PORT), takes, loop, kept, lanes, morph, steps, stage = 0, bars = 0, loops = 0;
s.options.numInputBusChannels = 4;
s.options.numOutputBusChannels = 2;
s.options.device = "sc_story";
s.options.sampleRate = 48000;
s.waitForBoot({
	kept = Buffer.alloc(s, 32768, 6);
	s.sync;
	kept.write("FOLDER/sc.wav", "wav", "float", 0, 0, true);
	SynthDef(\\\\keep, { |buffer| DiskOut.ar(buffer, SoundIn.ar([0, 1, 2, 3]) ++ In.ar(0, 2)) }).add;
	[\\\\segueLoop, \\\\segueLane].do { |name| SynthDescLib.global.at(name).def.send(s) };
	s.sync;
	lanes = [segue.lane(0), segue.lane(1)];
	morph = SegueMorph(lanes[0]);
	takes = SegueTakes(segue, WATCH);
	loop = SegueLoop(s);
	takes.onTake = { |file| "take: %".format(file).postln; loop.load(file) };
	loop.onLoop = {
		loops = loops + 1;
		if (loops == 3) { fork { 0.5.wait; kept.close; s.sync; 0.2.wait; "end".postln; s.quit; 0.3.wait; 0.exit } };
	};
	steps = [
		{
			lanes.do { |lane| lane.stop(\\\\now); lane.region(\\\\continue, "FIRST") };
			lanes[0].prompt_("lo-fi piano");
			morph.slot(2, "techno");
		},
		{ lanes.do { |lane| lane.play(\\\\bar, 0, { |values| "begins %".format(values[0]).postln }) } },
		{
			lanes[0].region(\\\\continue, "SECOND", 0, 0, \\\\bar);
			lanes[1].mute(1, \\\\bar, 4);
			morph.prompts([1, 3], 2, \\\\bar, { |values| "mixed % on beat %".format(morph.weights, values[1]).postln });
		},
		{ lanes.do { |lane| lane.stop(\\\\bar) } },
		{ takes.order("REGION", \\\\continue, TEMPO, 1, 1) }
	];
	lanes.do { |lane| lane.onHeard = { |id, address, beat|
		"lane %: heard % %".format(lane.number, address, beat).postln;
		if (lane.number == 0) {
			case
			{ stage == 2 and: { address == '/segue/lane/play' } } { stage = 3; steps[2].value }
			{ stage == 3 and: { address == '/segue/region/file' } } { stage = 4 }
			{ stage == 5 and: { address == '/segue/lane/stop' } } { stage = 6; steps[4].value };
		};
	} };
	while { segue.connected.not } { 0.1.wait };
	"ready".postln;
	while { File.exists("FOLDER/go").not } { 0.1.wait };
	Synth(\\\\keep, [\\\\buffer, kept], s, \\\\addToTail);
	lanes[0].onBeat = { |bar, beat|
		if (beat == 0) {
			case
			{ stage < 2 } { stage = stage + 1; steps[stage - 1].value }
			{ stage == 4 } { bars = bars + 1; if (bars == 3) { stage = 5; steps[3].value } };
		};
	};
});
""".replace("\\\\", "\\")


@pytest.mark.skipif(
    bool(missing("sclang", "scsynth")),
    reason="SuperCollider is not installed (apt install supercollider-language supercollider-server)",
)
@pytest.mark.second_try("a busy machine makes JACK miss a period, which is a hole in the recording")
def test_supercollider_plays_the_whole_story(band: Band) -> None:
    region = band.folder / "riff.wav"
    samples, rate = soundfile.read(FIRST, always_2d=True)
    soundfile.write(region, samples, rate)
    story = SC_STORY
    for name, value in {"PORT": band.port, "WATCH": band.watch_port, "FOLDER": band.folder, "FIRST": FIRST,
                        "SECOND": SECOND, "REGION": region, "TEMPO": BPM}.items():  # fmt: skip
        story = story.replace(name, str(value))
    (band.folder / "story.scd").write_text(story)
    missed_ms = band.missed_ms()
    sclang = band.start("sclang", sclang_command(band.folder, band.folder / "story.scd"), **headless(band.folder))
    wait_until(lambda: "ready" in band.log("sclang") or sclang.poll() is not None, "sclang has not begun")
    band.listen_with([f"sc_story:in_{number}" for number in range(1, 5)])
    (band.folder / "go").touch()
    printed = band.play_out("sclang", sclang)
    assert "ERROR" not in printed
    assert "Segue:" not in printed, "the engine has refused nothing"
    kept = soundfile.read(band.folder / "sc.wav", always_2d=True)[0]
    check_lanes(kept, band.missed_ms() - missed_ms)
    assert all(float(beat) % 4 == 0 for beat in re.findall(r"begins (\S+)", printed)), "on bar lines"
    assert "lane 0: heard /segue/region/file" in printed
    assert re.search(r"mixed \[ 0\.25, 0\.75 \] on beat \d+", printed)
    assert "lane 0: heard /segue/lane/morph" in printed
    (path,) = re.findall(r"take: (.*\.wav)", printed)
    check_loop(kept[:, 4:], soundfile.read(path, always_2d=True)[0])
