"""The main job as a user starts it: `segue demo`, `segue host`, and processes that die meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_rig import Engine, wait_for

from bridge.ring import shared_memory
from bridge.time.transport import Grid
from plugin_host.run.region_layout import shipped_regions

ROOT = Path(__file__).parents[2]
RATE = 48_000
REGION, BPM, REGION_BARS = "rock-146bpm", 146.0, 4
THREE_BARS = ("--offline", "--bars", "3", "--region", REGION, "--seed", "7", "--out", "out")


class Demo:
    """`segue ...` as a child process whose lines are read as they arrive."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "plugin_host.cli", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=cwd,
        )  # fmt: skip
        self.lines: list[str] = []

    def read_until(self, *words: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if any(word in line for word in words):
                return line
        raise AssertionError(f"{words!r} was not said:\n{self.text}")

    def finish(self) -> int:
        assert self.process.stdout is not None
        self.lines += [line.rstrip() for line in self.process.stdout]
        return self.process.wait(60)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def engine_pid(self) -> int:
        """The engine of this demo, found among its child processes."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(path.read_text().split()[0])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A working folder; afterwards no shared memory of a dead process may be left."""
    yield tmp_path
    left = [name for name in shared_memory.existing() if not shared_memory.pid_alive(int(name.split("-")[1]))]
    assert left == []


def check_wav(path: Path, bars: int) -> np.ndarray:
    """Check the file: the region unchanged, then exactly this many bars of other music without silence."""
    audio, rate = soundfile.read(path, dtype="float32")
    region, region_rate = soundfile.read(shipped_regions()[REGION], dtype="float32")
    grid = Grid(RATE, BPM)
    start, end = grid.bar_start(REGION_BARS), grid.bar_start(REGION_BARS + bars)
    assert (rate, region_rate, audio.shape) == (RATE, RATE, (end, 2))
    n = min(start, len(region))
    assert np.abs(audio[:n, 0] - region[:n]).max() < 2e-6  # 24-bit
    for bar in range(REGION_BARS, REGION_BARS + bars):
        assert np.abs(audio[grid.bar_start(bar) : grid.bar_start(bar + 1)]).max() > 0.01, f"bar {bar} is silent"
    return audio


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demo, Path]:
    """A completed demo of three bars, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    demo = Demo("demo", *THREE_BARS, cwd=folder)
    assert demo.finish() == 0, demo.text
    return demo, folder


def test_demo_leaves_region_and_exactly_the_bars_asked_for(whole: tuple[Demo, Path]) -> None:
    demo, folder = whole
    check_wav(folder / "out/demo.wav", 3)
    for figure in (
        "time to first sound",
        "real-time factor",
        "ring fill, lowest",
        "late blocks",
        "underruns",
    ):
        assert figure in demo.text
    assert re.search(r"underruns +0$", demo.text, re.MULTILINE), demo.text
    assert (folder / "out/demo.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in folder.iterdir()) == ["out"]


def test_same_seed_gives_the_same_file(whole: tuple[Demo, Path], folder: Path) -> None:
    demo = Demo("demo", *THREE_BARS, cwd=folder)
    assert demo.finish() == 0, demo.text
    assert np.array_equal(check_wav(folder / "out/demo.wav", 3), check_wav(whole[1] / "out/demo.wav", 3))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_demo_takes_its_engine_with_it(folder: Path, number: int, code: int) -> None:
    demo = Demo("demo", "--region", REGION, "--out", "out", cwd=folder)
    demo.read_until("first sound ready")
    engine = demo.engine_pid()
    assert [name for name in shared_memory.existing() if name.startswith(f"segue-{engine}-")]
    demo.process.send_signal(number)
    assert demo.finish() == code, demo.text
    assert not shared_memory.pid_alive(engine)
    assert not [name for name in shared_memory.existing() if name.startswith(f"segue-{engine}-")]
    assert "Traceback" not in demo.text


def test_killed_demo_takes_its_engine_with_it(folder: Path) -> None:
    demo = Demo("demo", "--region", REGION, "--out", "out", cwd=folder)
    demo.read_until("first sound ready")
    engine = demo.engine_pid()
    demo.process.kill()
    demo.process.wait()
    wait_for(lambda: not shared_memory.pid_alive(engine))
    wait_for(lambda: not [name for name in shared_memory.existing() if name.startswith(f"segue-{engine}-")])


def test_killed_engine_is_started_again_and_the_music_goes_on(folder: Path) -> None:
    demo = Demo("demo", "--bars", "10", "--region", REGION, "--seed", "7", "--out", "out", cwd=folder)
    demo.read_until("first sound ready")
    time.sleep(6.6 + 1.3 * 1.65)  # into the second bar of the continuation, so that a whole bar can be held
    os.kill(demo.engine_pid(), signal.SIGKILL)
    lines = ["starting it again (1 of 3)", "engine lost"]  # in the order of detection
    first = demo.read_until(*lines)
    demo.read_until(next(word for word in lines if word not in first))
    demo.read_until("engine back after")
    assert demo.finish() == 0, demo.text
    audio = check_wav(folder / "out/demo.wav", 10)  # no bar is silent: the last one was held
    assert "engine lost" in demo.text
    held = re.search(r"([\d.]+) s held", demo.text)
    assert held is not None, demo.text
    assert float(held[1]) > 0.5
    assert len(audio) == Grid(RATE, BPM).bar_start(14)


def test_engine_that_cannot_start_says_why(folder: Path) -> None:
    demo = Demo("demo", "--model", str(folder / "no-such-model"), "--out", "out", cwd=folder)
    assert demo.finish() == 3
    assert "the engine" in demo.text
    assert "no-such-model" in demo.text
    assert "Traceback" not in demo.text


def test_host_plays_with_a_running_engine_into_a_file(engine: Engine, folder: Path) -> None:
    arguments = ("--out", "take.wav", "--bars", "2", "--offline", "--bpm", "150", "--signature", "3/4")
    demo = Demo("host", "--port", str(engine.port), *arguments, cwd=folder)
    assert demo.finish() == 0, demo.text
    audio, rate = soundfile.read(folder / "take.wav")
    assert rate == RATE
    assert len(audio) == 2 * 3 * RATE * 60 // 150
    wait_for(lambda: not engine.segments())


def test_host_sends_parameters_of_the_lane(engine: Engine, folder: Path) -> None:
    loudness = []
    for values in ((), ("--set", "level_db=-60", "--set", "level_db=-40", "--set", "temperature=1")):
        arguments = ("--out", "set.wav", "--bars", "1", "--offline", "--seed", "5", *values)
        demo = Demo("host", "--port", str(engine.port), *arguments, cwd=folder)
        assert demo.finish() == 0, demo.text
        audio, _ = soundfile.read(folder / "set.wav")
        loudness.append(np.sqrt(np.mean(audio**2)))
    assert 0.009 < loudness[1] / loudness[0] < 0.02  # the limiter took some off the loud one
