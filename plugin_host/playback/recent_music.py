"""The last seconds of music heard: the audio prompt for a new engine after the old one has died.

Written by the audio thread, copied by the main thread. Repeated bars are not stored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from bridge.time.units import nearest, quick_beats, seconds_to_samples

RECENT_SECONDS = 20.0
SAME_PLACE_BARS = 1e-4
_TRIES = 5


@dataclass(frozen=True)
class Passage:
    """Music float32 [n, channels] that ends on a bar line of `grid`; its first sample lies on `start_beats`."""

    audio: Audio
    grid: Grid
    start_beats: float


class RecentMusic:
    """Stores up to 20 s; starts over at a break: another tempo, a jump that is not whole bars."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._samples: Audio = np.zeros(
            (nearest(seconds_to_samples(RECENT_SECONDS, sample_rate_hz)), channels), np.float32
        )
        self._grid: Grid | None = None
        self._end_samples = 0  # host position after the newest sample
        self._at = 0  # its index in the store
        self._n_samples = 0
        self._count = 0  # of stored samples: shows a reader that the store has changed

    def keep(self, out: Audio, position_samples: int, grid: Grid) -> None:
        """Store music that is heard at a position.  [audio]"""
        if not self._follows(position_samples, grid):
            self._n_samples = 0
        n, length = len(out), len(self._samples)
        self._count += 1
        first = min(n, length - self._at)
        if first == n:
            self._samples[self._at : self._at + n] = out
        else:
            self._samples[self._at :] = out[:first]
            self._samples[: n - first] = out[first:]
        self._at = (self._at + n) % length
        self._grid, self._end_samples = grid, position_samples + n
        self._n_samples = min(self._n_samples + n, length)
        self._count += 1

    def _follows(self, position_samples: int, grid: Grid) -> bool:
        known, passed = self._grid, position_samples - self._end_samples
        if known is grid and not passed:
            return True
        if known is None or (known.tempo_bpm, known.signature) != (grid.tempo_bpm, grid.signature):
            return False
        if not passed:
            return True
        signature = grid.signature
        bars = quick_beats(passed, grid.tempo_bpm, grid.sample_rate_hz) * signature.denominator
        bars /= 4 * signature.numerator
        return abs(bars - math.floor(bars + 0.5)) < SAME_PLACE_BARS

    def passage(self, most_seconds: float) -> Passage | None:
        """The newest whole bars, at most `most_seconds`; None for less than a bar, or a changing store.  [main]"""
        for _ in range(_TRIES):
            count, grid, n, end = self._count, self._grid, self._n_samples, self._end_samples
            if grid is None or count % 2:
                continue
            whole = np.roll(self._samples, -self._at, axis=0)[len(self._samples) - n :].copy()
            if self._count == count:
                return _whole_bars(whole, grid, end, most_seconds)
        return None


def _whole_bars(audio: Audio, grid: Grid, end_samples: int, most_seconds: float) -> Passage | None:
    """Cut both ends to bar lines; `audio` ends at host position `end_samples`.  [main]"""
    last = grid.bar_at(end_samples)
    end = grid.bar_start(last)
    bars = 0
    while True:
        begin = grid.bar_start(last - bars - 1)
        if end_samples - begin > len(audio) or end - begin > most_seconds * grid.sample_rate_hz:
            break
        bars += 1
    if not bars:
        return None
    begin = grid.bar_start(last - bars)
    first = len(audio) - (end_samples - begin)
    part = audio[first : len(audio) - (end_samples - end)]
    return Passage(part.copy(), grid, float(grid.bar_start_beats(last - bars)))
