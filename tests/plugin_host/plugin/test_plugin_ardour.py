"""The LV2 plugin in Ardour: time and tempo arrive, the engine may die, and the export has every sample at its
position."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from tests.plugin_host.plugin.plugin_rig import HOSTS, CountingProcess, assert_all_there, environment
from tests.plugin_host.takes import ardour_rig

PROGRAMS = ("ardour7-lua", "ardour7-export")
MISSING = [name for name in PROGRAMS if not shutil.which(name)]
SUPERCLOCK = 282_240_000  # Ardour's ticks in a second
SECONDS = 6
ARDOUR_SECONDS = 200.0  # far more than it takes, also on a busy machine

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (apt install ardour)"),
    pytest.mark.timeout(500),
]


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


class Headless:
    """An Ardour without a window that runs a script of hosts/, which waits for each step that a test marks as done."""

    def __init__(self, script: str, known: dict[str, str], folder: Path) -> None:
        self.folder, self.log = folder, folder / f"{script}.log"
        with self.log.open("w") as log:
            command = ["ardour7-lua", str(HOSTS / script)]
            self.process = subprocess.Popen(command, env=known, stdout=log, stderr=log)

    def __enter__(self) -> Headless:
        return self

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        """Its exit code means nothing, since it may crash while closing; a fault of the test gets its last words."""
        if fault is not None:
            fault.add_note(f"Ardour {self._how()}; the end of its log:\n{self.log.read_text()[-3000:]}")
            self.process.kill()
        try:
            self.process.wait(ARDOUR_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"Ardour does not close its song:\n{self.log.read_text()[-3000:]}") from fault

    def _how(self) -> str:
        code = self.process.poll()
        return "runs" if code is None else f"ended with {code}"

    def done(self, step: str, engine: CountingProcess, condition: Callable[[], object]) -> None:
        """Wait for a condition, then let the script go on; until then it repeats what it did."""
        deadline = time.monotonic() + ARDOUR_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {step}; the engine heard {engine.lines[-12:]}"
            assert self.process.poll() is None, f"Ardour ended before {step}"
            time.sleep(0.05)
        (self.folder / step).touch()


def _plays(engine: CountingProcess, known: int = 0) -> list[list[str]]:
    return engine.messages("lane/play")[known:]


def _at(engine: CountingProcess, sample: int) -> bool:
    """Whether the host stands there, by its last words."""
    told = [line["position"] for line in engine.lines if "position" in line]
    return bool(told) and told[-1] == sample


def _live(engine: CountingProcess, known: dict[str, str], folder: Path) -> None:
    """Ardour rolls with the plugin; meanwhile the engine is killed and restarted."""
    with Headless("ardour_live.lua", known, folder) as ardour:
        ardour.done("go1", engine, lambda: engine.messages("lane/open"))
        ardour.done("go2", engine, lambda: _plays(engine))
        ardour.done("rolling", engine, lambda: any(line.get("playing") for line in engine.lines))
        rolling = next(line for line in engine.lines if line.get("playing"))
        assert rolling["bpm"] == 137.5
        assert rolling["meter"] == [4, 4]
        assert rolling["beats"] == pytest.approx(rolling["position"] * 137.5 / 60 / 48_000)
        heard = len(engine.messages("lane/set"))
        engine.kill()
        engine.start()
        ardour.done("again", engine, lambda: len(_plays(engine)) >= 2)
        assert ["seed", "4711.0"] in [values[1:] for values in engine.messages("lane/set")[heard:]]
        ardour.done("go3", engine, lambda: _heard_captures(engine))
        stops = len(engine.messages("lane/stop"))
        ardour.done("go4", engine, lambda: len(engine.messages("lane/stop")) > stops)
        ardour.done("go5", engine, lambda: _at(engine, 480_000))
        ardour.done("go6", engine, lambda: len(_plays(engine)) >= 3)
        stops = len(engine.messages("lane/stop"))
        ardour.done("go7", engine, lambda: len(engine.messages("lane/stop")) > stops)
        ardour.done("go8", engine, lambda: _at(engine, 82_000))
        ardour.done("go9", engine, lambda: len(_plays(engine)) >= 4)


def _heard_captures(engine: CountingProcess) -> int:
    return sum("captured" in line for line in engine.lines)


def _large_files(folder: Path) -> set[int]:
    """The song's capture files, by their inode."""
    files = [file for file in (folder / "song" / "plugins").rglob("*") if file.is_file()]
    return {file.stat().st_ino for file in files if file.stat().st_size > 100_000}


def _reopened(engine: CountingProcess, known: dict[str, str], folder: Path, bar: int) -> None:
    """The song is opened with the playhead behind the take's start, and saved: the take stays where it was."""
    heard, before = _heard_captures(engine), len(_plays(engine))
    at = round(bar * 4 * 60 / 137.5 * 48_000)
    with Headless("ardour_reopen.lua", known | {"SEGUE_TEST_AT": str(at)}, folder) as ardour:
        ardour.done("located", engine, lambda: _at(engine, at))
        ardour.done("reopened", engine, lambda: _plays(engine, before) and _heard_captures(engine) > heard)
    assert [values[1:] for values in _plays(engine, before)] == [["4.0", "0", "1"]]  # bar 1
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
    before = len(_plays(engine))
    out, ends = tmp_path / "song.wav", []
    command = ["ardour7-export", "-b", "float", "-o", str(out), str(tmp_path / "song"), "song"]
    while 0 not in ends:  # it may corrupt its memory, see ardour_rig: only a run that ended normally counts
        assert len(ends) < ardour_rig.EXPORT_TRIES, f"Ardour's exporter ended with {ends}"
        out.unlink(missing_ok=True)
        ends.append(ardour_rig.exported(command, known))
    heard, rate = soundfile.read(out, dtype="float32")
    assert (rate, len(heard)) == (48_000, SECONDS * 48_000)
    start = float(_plays(engine, before)[0][1])  # where the take began live: it is saved with the song
    assert_all_there(heard[:, 0], round(start * 60 / 137.5 * 48_000))
