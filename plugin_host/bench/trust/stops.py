"""Row 8: the engine stands still (SIGSTOP) and goes on (SIGCONT) while its lane plays.

A hang is seen within a second, the host holds its bar meanwhile, and then plays the engine's music again; nothing late
is played. The twin's host never looks.
"""

from __future__ import annotations

import os
import random
import signal
import time

from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.playing import Playing, engine_running, lane_playing, wait_for
from plugin_host.bench.trust.stage import Stage

SEEN_SECONDS, STILL_SECONDS, BACK_SECONDS, EMPTY_SECONDS = 1.0, 1.5, 60.0, 20.0


def stop_once(playing: Playing, number: int, still_seconds: float, stage: Stage, seen: list[float]) -> list[str]:
    """The faults of one stop.  [main]"""
    session, pid, losses = playing.session, playing.engine.pid, playing.session.losses
    faults, counters = [], playing.processor.counters
    muted, began = counters.muted_samples, time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        while session.losses == losses and time.monotonic() - began < (3.0 if stage.twin else 30.0):
            if not stage.twin:
                playing.look()
            time.sleep(0.005)
        seen.append(time.monotonic() - began)
        if session.losses == losses or (stage.timed and seen[-1] > SEEN_SECONDS):
            faults.append(f"stop {number}: seen after {seen[-1]:.1f} s")
        if not stage.twin:
            playing.look_for(still_seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
    if not stage.twin:
        wait_for(lambda: _plays(playing), "music after a stop", BACK_SECONDS)
    if counters.muted_samples != muted:
        faults.append(f"stop {number}: {counters.muted_samples - muted} silent samples")
    return faults


def _plays(playing: Playing) -> bool:
    playing.look()
    return not playing.session.lost and playing.processor.state == 1


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count, faults, seen, rng = stage.count(2, 10, 20), list[str](), list[float](), random.Random(8)
    with engine_running(stage.folder) as (engine, client), lane_playing(engine, client) as playing:
        playing.look_for(3.0)
        for number in range(1, count + 1):
            faults += stop_once(playing, number, rng.choice((0.2, STILL_SECONDS, 3.0)), stage, seen)
            playing.look_for(1.0)
        late = playing.processor.drops.late_blocks
    told = f"seen after {max(seen):.2f} s at most; {late} blocks came late and were dropped"
    return counted(count, "stops and continues", faults, told)
