"""`segue bench`: figures of this computer, as a table and as JSON. The engine measures itself in a process.

from __future__ import annotations

import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bridge.errors import SegueError
from bridge.ring import Plan, RingReader, RingWriter
from bridge.transport import Grid, Transport
from plugin_host.doctor import version
from plugin_host.plot import OutputError
from plugin_host.processor import Processor
from plugin_host.screen import Screen

BLOCKS = 20_000
BLOCK_SAMPLES = 256
RATE_HZ = 48_000
ENGINE_SECONDS = 3600
_BENCH_LANE = 999_998


class BenchError(SegueError):
    """The engine's own measuring failed; the message has what it said."""

    code = "bench"


@dataclass(frozen=True)
class Row:
    """One figure; `goal` is what the project wants of it, as words, or empty."""

    name: str
    value: float
    unit: str
    goal: str = ""


def measure_ring() -> list[Row]:
    """Hand-over of 256-sample stereo blocks, written and read in turn, and a whole process() call.  [main]"""
    writer = RingWriter.create(_BENCH_LANE, RATE_HZ)
    reader = RingReader.attach(writer.name)
    processor = Processor(RATE_HZ)
    try:
        return _hand_over(writer, reader) + _process(writer, reader, processor)
    finally:
        reader.close()
        writer.close()


def _hand_over(writer: RingWriter, reader: RingReader) -> list[Row]:
    block = np.random.default_rng(1).uniform(-1, 1, (BLOCK_SAMPLES, 2)).astype(np.float32)
    out = np.zeros_like(block)
    took = np.zeros(BLOCKS)
    for number in range(BLOCKS):
        position = number * BLOCK_SAMPLES
        begin = time.perf_counter_ns()
        writer.write(position, block, 1)
        got = reader.read(position, out)
        took[number] = time.perf_counter_ns() - begin
        if got != (0, BLOCK_SAMPLES):
            raise BenchError(f"the ring lost a block: {got}")
    return [
        Row("ring hand-over, 256 x 2, median", float(np.median(took)) / 1e3, "us", "< 50"),
        Row("ring hand-over, 256 x 2, 99 %", float(np.percentile(took, 99)) / 1e3, "us"),
    ]


def _process(writer: RingWriter, reader: RingReader, processor: Processor) -> list[Row]:
    block = np.zeros((BLOCK_SAMPLES, 2), np.float32)
    processor.offer(reader)
    grid, took, first = Grid(RATE_HZ, 120.0), [], BLOCKS * BLOCK_SAMPLES
    writer.set_plan(Plan(1, True, first, first))
    for number in range(BLOCKS):
        position = first + number * BLOCK_SAMPLES
        writer.write(position, block, 1)
        transport = Transport(True, position, grid)
        begin = time.perf_counter_ns()
        processor.process(block, transport)
        took.append(time.perf_counter_ns() - begin)
    period_us = 1e6 * BLOCK_SAMPLES / RATE_HZ
    goal = f"< {period_us / 4:.0f}, a quarter of the block"
    return [
        Row("process(), median", statistics.median(took) / 1e3, "us", goal),
        Row("process(), 99 %", float(np.percentile(took, 99)) / 1e3, "us", goal),
    ]


def measure_engine(device: str) -> list[Row]:
    """Figures of `python -m engine.bench`, which prints one JSON list of rows last; BenchError.  [main]"""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "engine.json"
        command = [sys.executable, "-m", "engine.bench", "--device", device, "--json", str(found)]
        try:
            done = subprocess.run(command, timeout=ENGINE_SECONDS, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BenchError(f"the engine's bench does not run: {error}") from None
        if done.returncode != 0:
            raise BenchError(f"the engine's bench ended with code {done.returncode}")
        return [Row(**row) for row in json.loads(found.read_text())]


def run_bench(out: Path, device: str, quick: bool, screen: Screen) -> list[Row]:
    """Measure, print the table, write the JSON; raises OutputError, BenchError.  [main]"""
    rows = measure_ring()
    _show(rows, screen)
    if not quick:
        if importlib.util.find_spec("engine.bench") is None:
            raise BenchError("engine.bench is not in the package: is it installed whole?")
        screen.say("measuring the engine; this takes a few minutes")
        engine = measure_engine(device)
        _show(engine, screen)
        rows += engine
    head = {"segue": version(), "machine": platform.platform(), "python": platform.python_version()}
    try:
        out.write_text(json.dumps({**head, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}") from None
    screen.say(f"written to {out}")
    return rows


def _show(rows: list[Row], screen: Screen) -> None:
    for row in rows:
        screen.say(f"  {row.name:<44} {row.value:>10.1f} {row.unit:<6} {row.goal and f'goal {row.goal}'}")
