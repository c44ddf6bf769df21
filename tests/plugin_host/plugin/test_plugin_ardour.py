"""The LV2 plugin in Ardour: time and tempo arrive, the engine may die, and the export has every sample at its
position."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.plugin_host.plugin.plugin_rig import HOSTS, CountingProcess, assert_all_there, environment

PROGRAMS = ("ardour7-lua", "ardour7-export")
MISSING = [name for name in PROGRAMS if not shutil.which(name)]
SUPERCLOCK = 282_240_000  # Ardour's ticks in a second
SECONDS = 6

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (apt install ardour)")


@pytest.fixture
def engine() -> Iterator[CountingProcess]:
    made = CountingProcess()
    yield made
    made.kill()


def _environment(bundles: Path, folder: Path, port: int) -> dict[str, str]:
    """The environment of an Ardour that finds the plugin and has no user settings."""
    only = folder / "lv2"
    if not only.exists():
        shutil.copytree(bundles / "Segue.lv2", only / "Segue.lv2")
    where = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "SEGUE_TEST_FOLDER": str(folder)}
    where |= {"SEGUE_TEST_PLUGIN": "urn:segue:plugin", "SEGUE_TEST_FORMAT": "LV2"}
    return environment(port, LV2_PATH=f"{only}:/usr/lib/lv2", **where)


def _played(engine: CountingProcess, times: int) -> None:
    engine.wait(lambda line: len(engine.messages("lane/play")) >= times)


def _live(engine: CountingProcess, known: dict[str, str], folder: Path) -> None:
    """Ardour rolls with the plugin; meanwhile the engine is killed and restarted."""
    command = ["ardour7-lua", str(HOSTS / "ardour_live.lua")]
    with subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as ardour:
        engine.wait(lambda line: line.get("message") == "lane/open")
        (folder / "go1").touch()
        _played(engine, 1)
        (folder / "go2").touch()
        rolling = engine.wait(lambda line: line.get("playing"))
        assert rolling["bpm"] == 137.5
        assert rolling["meter"] == [4, 4]
        assert rolling["beats"] == pytest.approx(rolling["position"] * 137.5 / 60 / 48_000)
        engine.kill()
        engine.start()
        _played(engine, 2)
        assert engine.messages("lane/set")[-1][1:] == ["seed", "4711.0"]
        engine.wait(lambda line: "captured" in line)
        (folder / "go3").touch()
        ardour.communicate(timeout=100)  # its exit code means nothing: it may crash while closing


def _heard_captures(engine: CountingProcess) -> int:
    return sum("captured" in line for line in engine.lines)


def _large_files(folder: Path) -> set[int]:
    """The song's capture files, by their inode."""
    files = [file for file in (folder / "song" / "plugins").rglob("*") if file.is_file()]
    return {file.stat().st_ino for file in files if file.stat().st_size > 100_000}


def _reopened(engine: CountingProcess, known: dict[str, str], folder: Path, bar: int) -> None:
    """The song is opened with the playhead behind the take's start, and saved: the take stays where it was."""
    heard = _heard_captures(engine)
    before = len(engine.messages("lane/play"))
    at = str(round(bar * 4 * 60 / 137.5 * 48_000))
    command = ["ardour7-lua", str(HOSTS / "ardour_reopen.lua")]
    with subprocess.Popen(
        command, env=known | {"SEGUE_TEST_AT": at}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as ardour:
        engine.wait(lambda line: str(line.get("position")) == at)
        _played(engine, before + 1)
        (folder / "reopened").touch()
        ardour.communicate(timeout=100)
    assert [values[1:] for values in engine.messages("lane/play")[before:]] == [["4.0", "0", "1"]]  # bar 1
    assert _heard_captures(engine) == heard + 1  # once more, from the song's file


def test_ardours_scanner_takes_the_vst3_for_a_plugin(bundles: Path, tmp_path: Path) -> None:
    scanner = Path("/usr/lib/ardour7/ardour-vst3-scanner")
    if not scanner.exists():
        pytest.skip("Ardour's VST3 scanner is not where Debian puts it")
    placed = tmp_path / ".vst3" / "Segue.vst3"
    shutil.copytree(bundles / "Segue.vst3", placed)
    known = _environment(bundles, tmp_path, 0)
    found = subprocess.run(
        [scanner, "-f", "-v", placed], env=known | {"LD_LIBRARY_PATH": str(scanner.parent)},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert 'name="Segue" vendor="Segue" category="Fx|Generator"' in found.stdout + found.stderr


def test_ardour_plays_live_and_exports_to_the_sample(bundles: Path, engine: CountingProcess, tmp_path: Path) -> None:
    known = _environment(bundles, tmp_path, engine.port)
    _live(engine, known, tmp_path)
    saves = list((tmp_path / "song" / "plugins").glob("*/state*"))
    assert len(saves) > 1
    assert len(_large_files(tmp_path)) == 1  # written once
    file = tmp_path / "song" / "song.ardour"
    place = (
        f'<Location id="900001" name="session" start="a0@a0" end="a{SECONDS * SUPERCLOCK}@a0" flags="IsSessionRange"'
    )
    text = file.read_text()
    assert "<Locations/>" in text
    file.write_text(text.replace("<Locations/>", f'<Locations>{place} locked="0" timestamp="0"/></Locations>'))
    _reopened(engine, known, tmp_path, 16)
    assert len(_large_files(tmp_path)) == 1
    before = len(engine.messages("lane/play"))
    command = ["ardour7-export", "-b", "float", "-o", str(tmp_path / "song.wav"), str(tmp_path / "song"), "song"]
    subprocess.run(command, env=known, timeout=100, check=False, capture_output=True)
    heard, rate = soundfile.read(tmp_path / "song.wav", dtype="float32")
    assert (rate, len(heard)) == (48_000, SECONDS * 48_000)
    start = float(engine.messages("lane/play")[before][1])  # where the take began live: it is saved with the song
    assert_all_there(heard[:, 0], round(start * 60 / 137.5 * 48_000))
