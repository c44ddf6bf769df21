"""Tap tempo.

The line through the last taps by the median of all slopes (Theil 1950): one tap off the beat changes nothing. A missing
tap is filled in, a bounce is not counted, and another tempo or a pause starts a new measurement.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from bridge.time.tempo_map import TEMPO_MAX_BPM, TEMPO_MIN_BPM
from bridge.time.units import SECONDS_PER_MINUTE

TAPS = 8
SHORTEST_SECONDS = 0.9 * SECONDS_PER_MINUTE / TEMPO_MAX_BPM
LONGEST_SECONDS = 1.1 * SECONDS_PER_MINUTE / TEMPO_MIN_BPM
LEFT_OUT_MAX = 2  # missing taps; more are a pause
OTHER_TEMPO = 0.3  # an interval this far from whole beats starts a new measurement


@dataclass(frozen=True, slots=True)
class Tapped:
    """The tapped tempo, the time of its newest beat, and the beats since the downbeat (since the first tap if none)."""

    tempo_bpm: float
    beat_seconds: float
    beats_since_downbeat: int


class TapTempo:
    """Takes taps one at a time; needs two for a tempo."""

    def __init__(self) -> None:
        self._taps: deque[tuple[float, int]] = deque(maxlen=TAPS)  # second and beat
        self._downbeat = 0

    def tap(self, seconds: float, downbeat: bool = False) -> Tapped | None:
        """Add a tap at a time of the monotonic clock; `downbeat`: it is the first beat of a bar.

        Returns None until the tempo is known.  [any]
        """
        if self._taps and seconds - self._taps[-1][0] < SHORTEST_SECONDS:
            return self._found()
        beat = self._beat_of(seconds)
        self._taps.append((seconds, beat))
        if downbeat:
            self._downbeat = beat
        return self._found()

    def _beat_of(self, seconds: float) -> int:
        if not self._taps:
            return self._begin()
        last, beat = self._taps[-1]
        step = self._step_seconds()
        gap = seconds - last
        beats = 1 if step is None else max(1, round(gap / step))
        if beats > LEFT_OUT_MAX + 1 or gap > LONGEST_SECONDS * beats:
            return self._begin()
        if step is not None and (abs(gap / step - beats) > OTHER_TEMPO or (beats > 1 and len(self._taps) < 3)):
            since = beat - self._downbeat
            self._taps = deque([(last, beat)], TAPS)
            self._downbeat = beat - since
            return beat + 1
        return beat + beats

    def _begin(self) -> int:
        self._taps.clear()
        self._downbeat = 0
        return 0

    def _step_seconds(self) -> float | None:
        if len(self._taps) < 2:
            return None
        return median((b - a) / (n - m) for (a, m), (b, n) in combinations(self._taps, 2))

    def _found(self) -> Tapped | None:
        step = self._step_seconds()
        if step is None:
            return None
        beat = self._taps[-1][1]
        seconds = median(when + (beat - number) * step for when, number in self._taps)
        tempo = min(max(SECONDS_PER_MINUTE / step, TEMPO_MIN_BPM), TEMPO_MAX_BPM)
        return Tapped(tempo, seconds, beat - self._downbeat)
