"""`segue bench`: measures this computer; the results are a table and JSON.

This module measures the ring, the host, and the whole system: an engine in its own process and a host in real time.
`python -m engine.bench` measures the model alone, and transformers for comparison; `models` has the table by precision.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.ring.form import PlaybackPlan
from bridge.ring.reader import RingReader
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from bridge.time.units import samples_to_seconds
from plugin_host.bench.models import BenchError, embedded_table
from plugin_host.bench.processor_time import ProcessorTime
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.lane_session import LaneSession, RegionFile, Setup
from plugin_host.console.output import check_file, put
from plugin_host.console.screen import Screen
from plugin_host.doctor.doctor import version
from plugin_host.playback.processor import Processor
from plugin_host.run.performance import Performance, PlaybackOptions
from plugin_host.run.region_layout import RegionLayout, RegionRequest, lay_out_region
from plugin_host.run.report import RunFigures

BLOCKS = 20_000
BLOCK_SAMPLES = 256
RATE_HZ = 48_000
ENGINE_SECONDS = 3600
_BENCH_LANE = 999_998


@dataclass(frozen=True)
class FigureRow:
    """One figure; `goal` is its goal as text, or empty."""

    name: str
    value: float
    unit: str
    goal: str = ""


def measure_ring() -> list[FigureRow]:
    """Measure writing and reading of 256-sample stereo blocks in turn, and a whole process() call.  [main]"""
    writer = RingWriter.create(_BENCH_LANE, RATE_HZ)
    reader = RingReader.attach(writer.name)
    processor = Processor(RATE_HZ)
    try:
        return _hand_over(writer, reader) + _process(writer, reader, processor)
    finally:
        reader.close()
        writer.close()


def _hand_over(writer: RingWriter, reader: RingReader) -> list[FigureRow]:
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
        FigureRow("ring hand-over, 256 x 2, median", float(np.median(took)) / 1e3, "us", "< 50"),
        FigureRow("ring hand-over, 256 x 2, 99 %", float(np.percentile(took, 99)) / 1e3, "us"),
    ]


def _process(writer: RingWriter, reader: RingReader, processor: Processor) -> list[FigureRow]:
    block = np.zeros((BLOCK_SAMPLES, 2), np.float32)
    processor.offer(reader)
    grid, took, first = Grid(RATE_HZ, 120.0), [], BLOCKS * BLOCK_SAMPLES
    writer.set_plan(PlaybackPlan(1, True, first, first))
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
        FigureRow("process(), median", statistics.median(took) / 1e3, "us", goal),
        FigureRow("process(), 99 %", float(np.percentile(took, 99)) / 1e3, "us", goal),
    ]


def measure_system(device: str, screen: Screen) -> list[FigureRow]:
    """Measure the time to first sound of a hot engine, then sixteen bars in real time; errors as a demo's.  [main]"""
    processors = ProcessorTime()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        layout = lay_out_region(RegionRequest(), out)
        engine = EngineProcess(free_port(), out / "engine.log", ["--device", device])
        try:
            engine.start()
            with closing(engine.connect(lambda: EngineClient(engine.port, name="segue bench"), screen.say)) as client:
                first = _first_sounds(layout, client, screen)
                found = _perform(layout, client, screen)
        finally:
            engine.stop()
    low_ms = 1000 * float(samples_to_seconds(found.fill_low_samples or 0, RATE_HZ))
    return [
        FigureRow("go to first sound, hot, median of 5", 1000 * statistics.median(first), "ms", "< 500"),
        FigureRow("go to first sound, hot, slowest of 5", 1000 * max(first), "ms"),
        FigureRow("real-time factor, host beside it", found.realtime_ratio, "x", "> 3"),
        FigureRow("ring fill, lowest in 16 bars", low_ms, "ms"),
        FigureRow("underruns in 16 bars", found.underruns, "", "0"),
        FigureRow("late blocks in 16 bars", found.late_blocks, "", "0"),
        FigureRow("engine memory", found.engine_memory_mb, "MB", "< 1500"),
        *_taken(processors),
    ]


def _taken(processors: ProcessorTime) -> list[FigureRow]:
    """The processor time of others meanwhile; empty if the system does not report it."""
    taken = processors.taken()
    if taken is None:
        return []
    return [
        FigureRow("meanwhile: processor time that other programs had", 100 * taken.by_others, "%"),
        FigureRow("meanwhile: taken away by the hypervisor", 100 * taken.by_hypervisor, "%"),
    ]


def _first_sounds(layout: RegionLayout, client: EngineClient, screen: Screen) -> list[float]:
    """Seconds from play to the first block in the ring, five times, with a stopped host."""
    grid, took = layout.stretch.grid, []
    processor = Processor(RATE_HZ)
    session = LaneSession(client, processor, Setup(seed=1, regions=_regions(layout)), screen.say)
    try:
        session.open()
        processor.process(np.zeros((BLOCK_SAMPLES, 2), np.float32), Transport(False, 0, grid))
        for number in range(6):
            began = time.monotonic()
            session.play(layout.stretch.start_beats, 4, 4.0)
            if number:  # the first one is a warm-up
                took.append(time.monotonic() - began)
            client.stop(session.lane)
    finally:
        session.close()
    return took


def _perform(layout: RegionLayout, client: EngineClient, screen: Screen) -> RunFigures:
    performance = Performance(layout, PlaybackOptions(), screen.say, screen.show, record=True)
    setup = Setup(seed=1, regions=_regions(layout))
    session = LaneSession(client, performance.processor, setup, screen.say)
    try:
        session.open()
        return performance.run(session, lambda: None)
    finally:
        session.close()


def _regions(layout: RegionLayout) -> tuple[RegionFile, ...]:
    return (layout.region,) if layout.region else ()


def measure_model(screen: Screen) -> list[FigureRow]:
    """The figures of `python -m engine.bench`; BenchError if it fails.  [main]"""
    screen.say("measuring the model alone")
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "engine.json"
        command = [sys.executable, "-m", "engine.bench", "--json", str(found)]
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command, timeout=ENGINE_SECONDS, stdout=subprocess.DEVNULL, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BenchError(f"the model's bench does not run: {error}") from None
        if done.returncode != 0:
            raise BenchError(f"the model's bench ended with code {done.returncode}")
        figures: dict[str, float] = json.loads(found.read_text())["figures"]
    return [FigureRow(name, value, "") for name, value in figures.items()]


def run_bench(out: Path, device: str, quick: bool, screen: Screen) -> list[FigureRow]:
    """Measure, print the tables, write JSON and picture; OutputError, BenchError, and the errors of a demo.  [main]"""
    check_file(out)
    rows, models = measure_ring(), dict[str, Any]()
    show_rows(rows, screen)
    if not quick:
        for measure in (lambda: measure_system(device, screen), lambda: measure_model(screen)):
            measured = measure()
            show_rows(measured, screen)
            rows += measured
        screen.say("the model by precision, beside transformers")
        models = {"models": embedded_table(device, out.with_suffix(".png"), screen)}
    head = {
        "segue": version(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # load by other programs
    }
    put(out, json.dumps({**head, "rows": [asdict(row) for row in rows], **models}, indent=1) + "\n")
    screen.say(f"written to {out}" + (f" and {out.with_suffix('.png').name}" if models else ""))
    return rows


def show_rows(rows: list[FigureRow], screen: Screen) -> None:
    """Print a line for each figure.  [main]"""
    for row in rows:
        screen.say(f"  {row.name:<60} {row.value:>10.2f} {row.unit:<6} {row.goal and f'goal {row.goal}'}")
