"""The leader's tempo before the region is laid out, so that the region is stretched to it and not to a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from bridge.time.transport import Grid
from plugin_host.host.timeline import Timeline
from plugin_host.sync.leader import Leader
from plugin_host.sync.sync import Sync, SyncRequest

WAIT_SECONDS = 3.0  # for a chosen leader
AUTO_SECONDS = 0.5  # for any leader
SETTLE_SECONDS = 1.0  # after its first tempo: a MIDI clock jitters
LOOK_SECONDS = 0.02


def first_tempo(request: SyncRequest, rate_hz: int, say: Callable[[str], None]) -> float | None:
    """The present tempo of the chosen leader, None if it is silent or there is none.

    Not for OSC, which needs an open lane, nor for virtual ports, to which nobody is connected yet. Raises SourceError
    like `Sync`.  [main]
    """
    if request.mode not in ("midi", "jack", "link", "auto") or request.midi_in.startswith("virtual:"):
        return None
    chosen = request.mode != "auto"
    if chosen:
        say(f"listening for the tempo of {request.mode}, {WAIT_SECONDS:g} s at most")
    following = replace(request, midi_clock_out="", link_out=False)
    sync = Sync(Timeline(Grid(rate_hz)), following, lambda line: None)
    try:
        return settled_tempo(sync.leader, WAIT_SECONDS if chosen else AUTO_SECONDS)
    finally:
        sync.stop()


def settled_tempo(
    leader: Leader,
    wait_seconds: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float | None:
    """The tempo that a leader settles on, to a hundredth; None if it is silent for `wait_seconds`.  [main]"""
    began, readings = now(), list[tuple[float, float]]()
    while readings or now() - began < wait_seconds:
        reading = leader.reading(now())
        if reading is not None:
            readings.append((now(), reading.tempo_bpm))
        if readings and now() - readings[0][0] >= SETTLE_SECONDS:
            late = [tempo for seconds, tempo in readings if seconds >= readings[-1][0] - SETTLE_SECONDS / 2]
            return round(median(late), 2)
        sleep(LOOK_SECONDS)
    return None
