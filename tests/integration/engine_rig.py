"""An engine in its own process, and a simple host that plays a ring in real time."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bridge.ring import shared_memory
from bridge.ring.reader import RingReader
from bridge.time.transport import Grid, Transport
from plugin_host.client.engine_process import free_port

GOLDEN = Path(__file__).parent.parent / "data" / "golden"
RATE, BLOCK = 48_000, 256
START_SECONDS = 110.0


def unpack(folder: Path, target: Path) -> Path:
    """A folder of the golden vectors with its `.xz` files unpacked."""
    target.mkdir(parents=True)
    for source in folder.iterdir():
        if source.suffix == ".xz":
            (target / source.stem).write_bytes(lzma.decompress(source.read_bytes()))
        elif source.is_file():
            shutil.copyfile(source, target / source.name)
    return target


class Engine:
    """`python -m engine` on a free port; `program`: the script that Python runs instead."""

    def __init__(
        self, options: list[str], port: int | None = None, program: tuple[str, ...] = ("-m", "engine")
    ) -> None:
        self.port = port or free_port()
        command = [sys.executable, *program, "--port", str(self.port), *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def wait_ready(self) -> Engine:
        wait_for(lambda: "ready" in self.log or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.log
        return self

    def segments(self) -> list[str]:
        return [name for name in shared_memory.existing() if name.startswith(f"segue-{self.process.pid}-")]

    def end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition; fails after `seconds`, far more than it takes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class PlayingHost:
    """A simple host's audio thread: reads the ring block by block in real time, from a position on."""

    def __init__(self, ring: str, bpm: float, position_samples: int = 0) -> None:
        self.reader = RingReader.attach(ring)
        self.transport = Transport(False, position_samples, Grid(RATE, bpm))
        self.publish()

    def publish(self) -> None:
        self.reader.publish(self.transport, self.transport.seek_id, BLOCK)

    def render(self, n_samples: int) -> np.ndarray:
        """The audio that a host would play: float32 [n, 2], NaN where the ring had none."""
        sound = np.full((n_samples, 2), np.nan, np.float32)
        self.transport = Transport(True, self.transport.position_samples, self.transport.grid)
        began = time.monotonic()
        for start in range(0, n_samples, BLOCK):
            time.sleep(max(0.0, began + start / RATE - time.monotonic()))
            self.publish()
            out = sound[start : start + BLOCK]
            self.reader.read(self.transport.position_samples, out, 0)
            self.transport = self.transport.advanced(len(out))
        return sound

    def close(self) -> None:
        self.reader.close()
