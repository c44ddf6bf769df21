"""Row 5: an engine's lane is opened, played, stopped and closed, again and again; nothing of it stays.

Counted in the engine and in the host: descriptors, threads, segments of shared memory, resident memory. What is kept
once (caches, arenas of the allocator) is there after the first cycles. The twin keeps a descriptor, a segment and some
memory of each cycle.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bridge.ring import shared_memory
from bridge.ring.shared_memory import Segment
from bridge.time.transport import Grid, Transport
from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.playing import BPM, LANE, RATE_HZ, Waited, engine_running, resident_kb
from plugin_host.bench.trust.stage import Stage
from plugin_host.client.client import EngineClient
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.playback.processor import Processor

WARM, KB_A_CYCLE, BLOCK = 30, 1.0, 256
PATIENCE_SAMPLES = 60 * RATE_HZ


def cycle(client: EngineClient, out: np.ndarray) -> None:
    """One lane's life.  [main]"""
    processor = Processor(RATE_HZ, 2)
    session = LaneSession(client, processor, Setup(seed=1), lambda text: None, LANE)
    session.open()
    transport = Transport(False, 0, Grid(RATE_HZ, BPM))
    processor.process(out, transport)
    session.play(0.0, 0, 4.0)
    transport = replace(transport, playing=True)
    while processor.counters.played_samples == 0 and transport.position_samples < PATIENCE_SAMPLES:
        processor.process(out, transport)
        transport = transport.advanced(BLOCK)
        time.sleep(0.001)
    if not processor.counters.played_samples:
        raise Waited("no music in a cycle")
    client.stop(LANE)
    session.close()


def counts(pid: int) -> dict[str, int]:
    """What a process has.  [main]"""
    tasks = Path(f"/proc/{pid}")
    ours = [name for name in shared_memory.existing() if name.startswith((f"segue-{pid}-", f"segue-{os.getpid()}-"))]
    return {"descriptors": len(os.listdir(tasks / "fd")), "threads": len(os.listdir(tasks / "task")),
            "segments": len(ours)}  # fmt: skip


def settled(pid: int) -> tuple[dict[str, int], dict[str, int], int, int]:
    """The counts of engine and host, and their memory in kB, once lanes are freed.  [main]"""
    time.sleep(0.5)
    return counts(pid), counts(os.getpid()), resident_kb(pid), resident_kb(os.getpid())


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count, kept, faults = stage.count(20, 200, 2_000), list[object](), list[str]()
    out = np.zeros((BLOCK, 2), np.float32)
    with engine_running(stage.folder) as (engine, client):
        for _ in range(WARM):
            cycle(client, out)
        before = settled(engine.pid)
        for number in range(count):
            cycle(client, out)
            if stage.twin:
                kept += [open(os.devnull), Segment.create(shared_memory.segment_name(100 + number), 4096), bytes(9999)]  # noqa: SIM115
        after = settled(engine.pid)
    for who, was, now in zip(("the engine", "the host"), before[:2], after[:2], strict=True):
        faults += [f"{who}: {now[name] - was[name]:+d} {name}" for name in was if now[name] > was[name]]
    grown = [(now - was) / count for was, now in zip(before[2:], after[2:], strict=True)]
    if stage.timed and max(grown) > KB_A_CYCLE:
        faults.append(f"memory grows by {max(grown):.1f} kB a cycle, may by {KB_A_CYCLE:g}")
    told = f"engine {grown[0]:+.2f} kB, host {grown[1]:+.2f} kB a cycle after {WARM} first ones"
    for each in kept:
        if isinstance(each, Segment):
            each.close()
    return Figure(count, count, "cycles of open, play, stop, close", told, tuple(faults))
