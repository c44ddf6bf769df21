"""Row 19: commands of all kinds while a lane plays, without a new start: no sample at full scale, none missing.

The twin plays twice as loud as the engine made it.
"""

from __future__ import annotations

import random

import numpy as np

from bridge.errors import SegueError
from plugin_host.bench.stems.live import command
from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.playing import LANE, RATE_HZ, engine_running, lane_playing
from plugin_host.bench.trust.stage import Stage

FULL_SCALE, EVERY_SECONDS, TWICE = 0.999, 2.0, 8.0


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    seconds, rng, faults = stage.count(10, 20, 600), random.Random(19), list[str]()
    engines = engine_running(stage.folder)
    with engines as (engine, client), lane_playing(engine, client, record_seconds=seconds + 5.0) as playing:
        lost, n_commands = playing.lost_samples, 0
        for _ in range(int(seconds / EVERY_SECONDS)):
            try:
                command(client, LANE, rng)
            except SegueError as error:
                faults.append(str(error))
            n_commands += 1
            playing.look_for(EVERY_SECONDS)
        audio = playing.host.take().audio.copy() * (TWICE if stage.twin else 1.0)
        lost = playing.lost_samples - lost
        losses = playing.session.losses
    full = int((np.abs(audio) >= FULL_SCALE).any(axis=1).sum())
    faults += [f"{full} samples at full scale"] if full else []
    faults += [f"the engine was lost {losses} times"] if losses else []
    faults += [f"{lost} samples were missing"] if lost and stage.timed else []
    loudest = float(np.abs(audio).max())
    told = f"{n_commands} commands in {len(audio) / RATE_HZ:.0f} s, loudest sample {loudest:.3f}, {lost} missing"
    return Figure(len(audio) - full, len(audio), "samples below full scale", told, tuple(faults))
