"""A generation that nobody hears, before the count-in: how long the engine takes for what the jam will ask of it.

    lanes of their own, opened --music like a player's--> the mode's first order, twice --> closed

The first time the engine also sets itself up, the second time is the one that counts. Nothing of it is left: the jam's
own lanes are opened behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from fractions import Fraction

import numpy as np

from bridge.region.capture import Captured
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.client.lane_session import LaneSession
from plugin_host.jam.jam_lanes import JamLanes, OrderMusic
from plugin_host.jam.modes.common import CONTEXT_BARS
from plugin_host.jam.orders import Accompany, Answer, Order, Stretch, Vary
from plugin_host.jam.state import Mode

LOUDNESS_LUFS = -20.0
PEAK = 0.2
NOTES_HZ = (220.0, 277.2, 329.6, 440.0)  # one on each beat
FALL_PER_SECOND = 4.0
LONGEST_SECONDS = 20.0  # of the music that is listened to


def rehearse(
    sessions: Sequence[LaneSession],
    lanes_of: Callable[[Sequence[LaneSession]], JamLanes],
    mode: Mode,
    bars: int,
    grid: Grid,
) -> float:
    """The seconds that the first order of a mode takes on sessions that are not open yet; 0 if the engine refused it.

    `lanes_of` makes a jam's lanes of them, as the jam's own will be. The sessions are closed when it returns.  [main]
    """
    with ExitStack() as stack:
        for session in sessions:
            stack.callback(session.close)
            session.open()
        lanes = lanes_of(sessions)
        stack.callback(lanes.close)
        per_bar = grid.signature.beats_per_bar
        music = OrderMusic(Captured(notes(bars, grid), grid.sample_rate_hz, grid.tempo_bpm, 0.0), LOUDNESS_LUFS)
        seconds = 0.0
        for bar in (1, 2):
            done = lanes.do(_order(mode, bar, bars, per_bar), music, float(per_bar))
            seconds = done.seconds or 0.0
    return seconds


def _order(mode: Mode, bar: int, bars: int, per_bar: Fraction) -> Order:
    heard = Stretch(Fraction(0), bars * per_bar)
    if mode == "accompany":
        return Accompany(bar, heard)
    return Vary(bar, heard, own=False) if mode == "loop" else Answer(bar, bars, heard)


def notes(bars: int, grid: Grid) -> Audio:
    """Notes on the beats [n, 2], as long as a jam listens: what a player may play, always the same.  [any]"""
    n = min(grid.bar_start(bars + CONTEXT_BARS), round(LONGEST_SECONDS * grid.sample_rate_hz))
    seconds, per_beat = np.arange(n) / grid.sample_rate_hz, 60 / grid.tempo_bpm
    hz = np.array(NOTES_HZ)[(seconds / per_beat).astype(int) % len(NOTES_HZ)]
    mono = PEAK * np.sin(2 * np.pi * hz * seconds) * np.exp(-FALL_PER_SECOND * (seconds % per_beat))
    return np.repeat(mono[:, None], 2, axis=1).astype(np.float32)
