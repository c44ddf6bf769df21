"""`segue plugin measure`: the time of the plugin's audio thread for a block, with a ring that another process fills."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from bridge.ring.form import ENDLESS_SAMPLES, PlaybackPlan
from bridge.ring.writer import RingWriter
from plugin_host.plugin.build import COMMON, PluginBuildError, build_program

RATE_HZ = 48_000
LANE = 63


def measure(seconds: float, block_samples: int) -> str:
    """Compile the measuring program, run it with a ring that this process fills, and return its results.

    PluginBuildError without a compiler.  [main]
    """
    if sys.platform != "linux":
        raise PluginBuildError("measuring reads /proc and is for Linux alone")
    samples = int(seconds * RATE_HZ)
    with tempfile.TemporaryDirectory(prefix="segue-measure-") as work:
        program = build_program(Path(work), (*COMMON, "measure_main"), "measure")
        writer = RingWriter.create(LANE, RATE_HZ, 2, seconds=8.0)
        stop = threading.Event()
        filling = threading.Thread(target=fill, args=(writer, samples, stop), daemon=True)
        filling.start()
        try:
            command = [str(program), writer.name, str(samples), str(block_samples)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)  # noqa: S603 - our own program
        finally:
            stop.set()
            filling.join()
            writer.close()
    if done.returncode:
        raise PluginBuildError(f"the measuring program ended with {done.returncode}: {done.stderr[-300:]}")
    p50, p99, most, blocks, played, memory_kb, faults = (int(word) for word in done.stdout.split())
    period_us = 1e6 * block_samples / RATE_HZ
    return (
        f"{blocks} blocks of {block_samples} samples at {RATE_HZ} Hz, stereo ({played} samples of music): "
        f"p50 {p50 / 1000:.1f} us, p99 {p99 / 1000:.1f} us, max {most / 1000:.1f} us "
        f"(a block lasts {period_us:.0f} us); memory of an instance {memory_kb / 1024:.1f} MB and the ring, shared; "
        f"{faults} page faults after the first blocks"
    )


def fill(writer: RingWriter, samples: int, stop: threading.Event) -> None:
    """Write noise, as fast as it is read, until `stop`.  [main]"""
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, (8192, 2)).astype(np.float32)
    writer.set_plan(PlaybackPlan(1, True, 0, 0, ENDLESS_SAMPLES, 0))
    done = 0
    while not stop.is_set():
        writer.beat()
        if done < samples:
            done += writer.write(done, noise[: min(8192, samples - done)], 1)
        stop.wait(0.002)
