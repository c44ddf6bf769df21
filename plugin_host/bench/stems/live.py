"""A live session in real time, with commands at random places; then the same from its journal, sample for sample."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bridge.errors import SegueError
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.bench.bench import FigureRow
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.lane_session import LaneSession, RegionFile, Setup
from plugin_host.host.clock import PacedClock
from plugin_host.host.headless import HeadlessHost, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor
from plugin_host.render.again import lanes_of, render
from plugin_host.run.region_layout import shipped_regions

RATE_HZ, BPM, SEED, LEAD_SECONDS = 48_000, 106.0, 7, 6.0
REGION, PROMPT = "funk-106bpm", "warm lofi piano"
PROMPTS = ("house drums", "jazz trio", "lofi")


def compared(out: Path, seconds: float, n_commands: int, show: Callable[[str], None]) -> list[FigureRow]:
    """Play for `seconds` with `n_commands`, render, compare.  [main]"""
    journal = out / "gig"
    engine = EngineProcess(free_port(), out / "engine.log", ("--journal", str(journal)))
    engine.start()
    try:
        client = engine.connect(lambda: EngineClient(engine.port, name="bench"), show)
        try:
            live, held_seconds = played(client, seconds, n_commands, show)
        finally:
            client.close()
    finally:
        engine.stop()
    began = time.monotonic()
    again = render(lanes_of(journal)[0], show)
    took = time.monotonic() - began
    show("")
    n = min(len(live), len(again.audio))
    unequal = int((live[:n] != again.audio[:n]).any(axis=1).sum())
    return [
        FigureRow("live: lasted", len(live) / RATE_HZ, "s"),
        FigureRow("live: commands", n_commands, ""),
        FigureRow("live: held, as the engine was late", held_seconds, "s"),
        FigureRow("live: loudest sample", float(np.abs(live).max()), "", "above 0"),
        FigureRow("rendered: in", took, "s", "below what was live"),
        FigureRow("rendered: samples missing at the end", max(0, len(live) - n), "", "below 256"),
        FigureRow("rendered: samples that differ", unequal, f"of {n}", "0"),
    ]


def played(client: EngineClient, seconds: float, n_commands: int, show: Callable[[str], None]) -> tuple[Audio, float]:
    """What a host in real time records, and for how many seconds its bar was held.  [main]"""
    rng, processor = random.Random(3), Processor(RATE_HZ, 2)
    host = Host(processor, Timeline(Grid(RATE_HZ, BPM)), None, record_samples=int(seconds * RATE_HZ))
    region = RegionFile("continue", Path(shipped_regions()[REGION]).absolute(), BPM, 0.0)
    session = LaneSession(client, processor, Setup(PROMPT, "", SEED, {"lead_seconds": LEAD_SECONDS}, (region,)), show)
    runner = HeadlessHost(host, PacedClock(RATE_HZ))
    session.open()
    try:
        runner.start()
        while not processor.counters.blocks:
            time.sleep(0.01)
        session.play(4.0, 0, 4.0)
        host.timeline.play()
        for number in range(n_commands):
            time.sleep(seconds / (n_commands + 1))
            show(f"live: command {number + 1} of {n_commands}")
            command(client, session.lane, rng)
        while runner.running:
            time.sleep(0.1)
        audio = host.take().audio.copy()
    finally:
        runner.stop()
        session.close()
    return audio, (processor.counters.held_samples + processor.counters.muted_samples) / RATE_HZ


def command(client: EngineClient, lane: int, rng: random.Random) -> None:
    """One command of any kind; one that is refused counts as well.  [main]"""
    at = rng.choice(("now", "beat", "bar"))
    commands: tuple[Callable[[], object], ...] = (
        lambda: client.prompt(lane, rng.choice(PROMPTS), at),
        lambda: client.set(lane, "level_db", rng.uniform(-12, 2), at),
        lambda: client.set(lane, "temperature", rng.uniform(0.7, 1.3), at),
        lambda: client.mute(lane, rng.random() < 0.3, at),
        lambda: client.reseed(lane, at, rng.randrange(99)),
        lambda: client.set(lane, "loudness_lufs", rng.choice((-20.0, -16.0, -24.0)), at),
        lambda: client.set(lane, "cfg", rng.uniform(1, 5), at),
    )
    try:
        rng.choice(commands)()
    except SegueError:
        return
