"""Row 1: numbers in a ring from one process to another, under load and as fast as it goes: none lost, none repeated.

The twin's writer leaves one block out.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np

from bridge.ring import shared_memory
from bridge.ring.form import PlaybackPlan
from bridge.ring.reader import RingReader
from bridge.ring.writer import RingWriter
from plugin_host.bench.sync.load import busy
from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.stage import Stage
from plugin_host.console.screen import print_line

RATE_HZ, BLOCK, LANE, PERIOD, AT_ONCE = 48_000, 256, 971, 1 << 22, 4096
PATIENCE_SECONDS = 20.0


def write(n_samples: int, paced: bool, leaves_out: int) -> None:
    """Write numbers until all are in the ring; the program ends when its standard input is closed.  [main]"""
    writer = RingWriter.create(LANE, RATE_HZ, 1, seconds=4.0)
    writer.set_plan(PlaybackPlan(1, True, 0, 0, 2**62, 0))
    print_line(writer.name)
    done, began = 0, time.monotonic()
    while done < n_samples:
        until = min(n_samples, done + AT_ONCE)
        if paced:  # two seconds ahead of the host, as an engine is
            until = min(until, int((time.monotonic() - began + 2.0) * RATE_HZ))
        if until <= done or not writer.space_samples:
            time.sleep(0.001)
            continue
        numbers = (np.arange(done, until) % PERIOD).astype(np.float32)[:, None] / PERIOD
        at = done + (BLOCK if leaves_out and done >= leaves_out else 0)
        done += writer.write(at, np.ascontiguousarray(numbers), 1)
        writer.beat()
    sys.stdin.read()
    writer.close()


def read(n_samples: int, paced: bool, twin: bool) -> int:
    """How many consecutive numbers arrived.  [main]"""
    words = [str(n_samples), str(int(paced)), str(n_samples // 2 if twin else 0)]
    child = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "plugin_host.bench.trust.loaded", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    reader = RingReader.attach(child.stdout.readline().strip())
    out, position, began = np.zeros((BLOCK, 1), np.float32), 0, time.monotonic()
    pause, last = threading.Event(), time.monotonic()
    try:
        while position < n_samples and time.monotonic() - last < PATIENCE_SECONDS:
            if paced:
                pause.wait(max(0.0, began + 1.0 + position / RATE_HZ - time.monotonic()))
            n = min(BLOCK, n_samples - position)
            begin, end = reader.read(position, out[:n])
            want = (np.arange(position, position + end) % PERIOD).astype(np.float32) / PERIOD
            if begin or not np.array_equal(out[:end, 0], want):
                return position
            if paced and end < n:
                return position + end  # it was not there when it was due
            position += end
            last = time.monotonic() if end else last
    finally:
        reader.close()
        if position < n_samples:  # it waits for room in its ring
            child.kill()
        child.communicate()
        shared_memory.remove_stale()
    return position


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    seconds, fast = stage.count(2, 30, 60), stage.count(5_000_000, 20_000_000, 100_000_000)
    with busy(2):
        under_load = read(seconds * RATE_HZ, True, stage.twin)
    at_once = read(fast, False, stage.twin)
    told = f"{seconds} s in blocks of {BLOCK} beside 2 busy processes, then {fast:,} as fast as it goes"
    return Figure(under_load + at_once, seconds * RATE_HZ + fast, "frames in order", told)


if __name__ == "__main__":
    write(int(sys.argv[1]), sys.argv[2] == "1", int(sys.argv[3]))
