"""A JACK server, an engine, a host with two lanes and `segue watch`, all of their own, for programs that drive them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from plugin_host.client.engine_process import free_port

ROOT = Path(__file__).parents[3]
REGIONS = ROOT / "presets" / "regions"
BPM, RATE = 160, 48_000
BEAT, PERIOD = RATE * 60 // BPM, 1024  # samples


def wait_until(condition: Callable[[], object], why: str, seconds: float = 60.0) -> None:
    """Wait for a condition; fails after `seconds`, far more than it takes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


class Band:
    """What a client plays with; `folder` has its logs and what it makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        name = f"segue-story-{os.getpid()}"
        self.environment = {
            **os.environ, "JACK_DEFAULT_SERVER": name, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        self.port, self.watch_port = free_port(), free_port()
        self.started: list[subprocess.Popen[bytes]] = []
        self.start("jack", ["jackd", "-r", "-S", "-n", name, "-d", "dummy", "-r", str(RATE), "-p", str(PERIOD)])
        wait_until(lambda: self.ports() is not None, "no JACK")
        self.start("engine", [sys.executable, "-m", "engine", "--port", str(self.port)])
        wait_until(lambda: "ready" in self.log("engine"), "no engine")
        segue = [sys.executable, "-m", "plugin_host.cli"]
        at = ["--port", str(self.port)]
        self.start("host", [*segue, "host", *at, "--sound-device", "jack:system", "--bpm", str(BPM), "--lanes", "2"])
        self.start("watch", [*segue, "watch", str(self.inbox), *at, "--osc-port", str(self.watch_port)])
        wait_until(lambda: "segue:lane_1_2" in (self.ports() or ""), "no ports for the lanes")
        wait_until(lambda: str(self.inbox) in self.log("watch"), "segue watch has not begun")

    def start(self, name: str, command: list[str], **more: str) -> subprocess.Popen[bytes]:
        """A program whose output goes to a file."""
        with (self.folder / name).open("wb") as log:
            made = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.environment, **more},
                stdin=subprocess.DEVNULL,
            )
        self.started.append(made)
        return made

    def play_out(self, name: str, process: subprocess.Popen[bytes], seconds: float = 90.0) -> str:
        """Wait for the end of a client that plays a story; returns what it has printed, which a failure shows, too."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{name} plays on:\n{self.log(name)}") from None
        return self.log(name)

    def log(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8", "replace")

    def ports(self) -> str | None:
        """JACK's ports, None without a server."""
        done = subprocess.run(["jack_lsp"], env=self.environment, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def missed_ms(self) -> float:
        """What JACK may have lost until now, on a machine too busy for it: holes in what a client records."""
        waits = [int(each) for each in re.findall(r"XRun = (\d+) usec", self.log("jack"))]
        periods = self.log("jack").lower().count("xrun")
        return sum(waits) / 1000 + periods * PERIOD / RATE * 1000

    def listen_with(self, inputs: list[str]) -> None:
        """Connect the four ports of the lanes to the inputs of a program, and wait for these."""
        wait_until(lambda: all(name in (self.ports() or "") for name in inputs), f"no {inputs}")
        outputs = [f"segue:lane_{lane}_{side}" for lane in (0, 1) for side in (1, 2)]
        for source, target in zip(outputs, inputs, strict=True):
            for wrong in ("system:capture_1", "system:capture_2"):
                subprocess.run(["jack_disconnect", wrong, target], env=self.environment, capture_output=True)
            subprocess.run(["jack_connect", source, target], env=self.environment, check=True, capture_output=True)

    def close(self) -> None:
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def missing(*programs: str) -> str:
    """Those of the programs that are not installed; empty: none."""
    return " ".join(name for name in programs if shutil.which(name) is None)


def sounding(lane: np.ndarray, shortest: int = RATE // 20) -> list[tuple[int, int]]:
    """Where a lane sounds, [samples, 2]: first sample and the one after the last; gaps under `shortest` are none."""
    loud = np.flatnonzero(np.abs(lane).max(axis=1) > 1e-4)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > shortest)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return [(int(start), int(end) + 1) for start, end in zip(starts, ends, strict=True)]


def off_the_beat(first: int, second: int) -> float:
    """How much later than a whole number of beats after the first place the second one is, in ms."""
    beats = (second - first) / BEAT
    return (beats - round(beats)) * BEAT / RATE * 1000


def headless(folder: Path) -> dict[str, str]:
    """The environment with which sclang runs without a screen."""
    (folder / "xdg").mkdir(exist_ok=True, mode=0o700)
    return {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1", "XDG_RUNTIME_DIR": str(folder / "xdg")}


def sclang_command(folder: Path, script: Path) -> list[str]:
    """sclang with the quark and nothing else of the user's."""
    (folder / "sclang.yaml").write_text(f"includePaths: [{ROOT / 'plugin_host' / 'supercollider' / 'Segue'}]\n")
    return ["sclang", "-l", str(folder / "sclang.yaml"), str(script)]
