"""Takes in Ardour: a guitar is selected and sent, a take is imported on its bar, the song is exported.

Stems are ordered for it, too, and imported, each on a track of its own. At 137.5 bpm, in Ardour's own window on a
screen without a monitor, with the embedded model and the scripts as `segue scripts` installs them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import ardour_rig
import numpy as np
import pytest
import soundfile

from bridge.time.transport import Grid
from plugin_host.takes.scripts import files
from plugin_host.takes.take import read_recipe

ROOT = Path(__file__).parents[3]
LANES, SUPERCLOCK_HZ = ("drums", "bass"), 282_240_000  # of Ardour's times on the audio clock
BPM, REGION_BAR, REGION_BARS, BARS = 137.5, 2, 4, 8
GRID = Grid(ardour_rig.RATE, BPM)

pytestmark = [
    pytest.mark.skipif(bool(ardour_rig.missing()), reason=f"not installed: {', '.join(ardour_rig.missing())}"),
    pytest.mark.timeout(500),
]


def guitar() -> np.ndarray:
    """Plucked notes on each beat, exactly this many bars."""
    sound = np.zeros(GRID.bar_start(REGION_BARS))
    for beat in range(4 * REGION_BARS):
        begin, hz = GRID.sample_at(beat), (110.0, 138.6, 164.8, 220.0)[beat % 4]
        seconds = np.arange(len(sound) - begin) / ardour_rig.RATE
        tone = sum(np.sin(2 * np.pi * hz * harmonic * seconds) / harmonic for harmonic in range(1, 6))
        sound[begin:] += 0.12 * np.exp(-3 * seconds) * tone
    return sound.astype(np.float32)


class Watcher:
    """`segue watch` as a user starts it, with its own engine."""

    def __init__(self, inbox: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.port, self.inbox = ardour_rig.free_port(), inbox
        self.log = inbox.parent / "watch.log"
        command = [sys.executable, "-m", "plugin_host.cli", "watch", str(inbox), "--osc-port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--bars", str(BARS), "--seed", "7"],
                stdout=log, stderr=log, env=environment, cwd=inbox.parent,
            )  # fmt: skip

    def said(self, word: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return word in self.log.read_text()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    made = Watcher(tmp_path / "inbox")
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


@pytest.fixture
def ardour(tmp_path: Path, watcher: Watcher) -> Iterator[ardour_rig.Ardour]:
    scripts = sorted(files("ardour"), key=lambda path: "import" in path.name)
    scripts = [path for path in scripts if "settings" not in path.name]
    made = ardour_rig.Ardour(tmp_path, BPM, scripts, watcher.inbox, watcher.port)
    yield made
    made.close()


def test_guitar_goes_out_and_music_comes_back_on_its_bar(
    tmp_path: Path, watcher: Watcher, ardour: ardour_rig.Ardour
) -> None:
    song, index = tmp_path / "guitar.wav", watcher.inbox / "takes.txt"
    soundfile.write(song, guitar(), ardour_rig.RATE, "FLOAT")
    ardour.new_session()
    ardour.start(song, GRID.bar_start(REGION_BAR))
    ardour.wait_for(lambda: watcher.said("watching"))
    ardour.select_all(regions=1)
    settings, imported = watcher.inbox / "ardour-settings.txt", watcher.inbox / "imported-ardour.txt"
    settings.write_text(f"role=melody\nbars=1\ntakes=1\nlanes={','.join(LANES)}\nvariations=1\n")
    ardour.script(1, lambda: len(lines(index)) == len(LANES))
    settings.unlink()
    ardour.script(1, lambda: len(lines(index)) == len(LANES) + 1)
    imported.write_text(f"{len(LANES)}\n")  # the stems come later
    ardour.script(2, lambda: imported.read_text() == f"{len(LANES) + 1}\n")
    ardour.save()
    picture = os.environ.get("SEGUE_ARDOUR_PICTURE")
    if picture:
        ardour.picture(Path(picture))
    song_alone = ardour.text()
    *stems, line = lines(index)
    index.write_text("".join(each + "\n" for each in stems))
    imported.write_text("0\n")
    ardour.script(2, lambda: imported.read_text() == f"{len(LANES)}\n")
    ardour.save()
    check_stems(ardour.text())
    ardour.quit()
    (ardour.session / "song.ardour").write_text(song_alone)
    assert not ardour.faults.exists(), ardour.faults.read_text()
    take = Path(line.split("\t")[0])
    check_take(take)
    check_sent(watcher.inbox / "sent" / "guitar.wav")
    ardour.export(tmp_path / "song.wav")
    check_song(tmp_path / "song.wav", take)
    assert watcher.end() == 0
    assert not (watcher.inbox / "watching.txt").exists()


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def check_stems(session: str) -> None:
    """A track for each stem, whose region begins on the guitar's first bar."""
    tree = ElementTree.fromstring(session)
    names = [route.get("name", "") for route in tree.iter("Route")]
    for lane in LANES:
        assert names.count(lane) == 1
    begins = [region.get("length", "").partition("@a")[2] for region in tree.iterfind(".//Playlists/Playlist/Region")
              if region.get("name", "").startswith(LANES)]  # fmt: skip
    bars = [round(int(begin) * ardour_rig.RATE / SUPERCLOCK_HZ) for begin in begins]
    assert bars == [GRID.bar_start(REGION_BAR)] * len(LANES)


def check_sent(path: Path) -> None:
    """The sent file is the region as it sounds."""
    sent, _ = soundfile.read(path, dtype="float32")
    assert np.array_equal(sent, guitar())


def check_take(path: Path) -> None:
    recipe = read_recipe(path)
    assert (recipe.bpm, recipe.start_bar, recipe.bars) == (BPM, REGION_BAR + REGION_BARS, BARS)
    assert [region.role for region in recipe.regions] == ["continue"]


def check_song(path: Path, take: Path) -> None:
    """The guitar in its bars, the take in the next eight, to the sample; silence after them."""
    song, rate = soundfile.read(path, dtype="float32", always_2d=True)
    made, _ = soundfile.read(take, dtype="float32", always_2d=True)
    assert rate == ardour_rig.RATE
    # an export begins with the session's first region
    begin, join, end = (GRID.bar_start(bar) for bar in (REGION_BAR, REGION_BAR + REGION_BARS, 14))
    song = np.pad(song, ((begin, 0), (0, 0)))
    assert abs(len(song) - end) <= 1
    for bar in range(REGION_BAR, 14):
        part = song[GRID.bar_start(bar) : GRID.bar_start(bar + 1)]
        assert np.abs(part).max() > 0.01, f"bar {bar + 1} is silent"
    check_same(song[begin:join], guitar()[:, None].repeat(2, axis=1))  # and no take before its bar
    check_same(song[join:], made)


def check_same(made: np.ndarray, meant: np.ndarray) -> None:
    """The same up to a level; Ardour fades a region's ends."""
    n = min(len(made), len(meant))
    made, meant = made[2048 : n - 2048], meant[2048 : n - 2048]
    level = float((made * meant).sum() / (meant**2).sum())
    assert 0.5 < level < 1.1
    assert np.abs(made - level * meant).max() < 1e-4
