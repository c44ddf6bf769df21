"""The time from listening to sound, and what follows from it: how far ahead a jam listens, and how often."""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction

from bridge.time.transport import Grid
from bridge.time.units import beats_to_seconds, seconds_to_beats

MEASUREMENTS_MAX = 40  # measurements
SHARE = 0.95  # of the measurements that must fit
UNKNOWN_SECONDS = 1.5  # before the first: late answers are worse than old ones
SPARE_SECONDS = 0.15  # for the message, the ring and the next turn of the session
SPREAD = 1.3  # over the measured time
NEEDS_MAX = 4  # of the engine's own figures; the first, of a lane that has just opened, is the longest
SLOWER_MOST = 2  # doublings of the interval between listenings
REHEARSED_FACTOR = 2.0  # a rehearsed generation is one measurement; the first answer was seen to take 1.7 times as long


class JamTiming:
    """The generation time, measured, or fixed (offline: a jam must not depend on the machine).

    `behind_seconds`: how long the player's music takes to be known, a round trip of the sound card.
    """

    def __init__(self, fixed_seconds: float | None = None, behind_seconds: float = 0.0) -> None:
        self._fixed = fixed_seconds
        self._behind = behind_seconds
        self._seconds: deque[float] = deque(maxlen=MEASUREMENTS_MAX)
        self._needs: deque[float] = deque(maxlen=NEEDS_MAX)
        self._slower = 0  # how often the interval was doubled

    def took(self, seconds: float) -> None:
        """Add a measurement.  [main]"""
        if self._fixed is None:
            self._seconds.append(seconds)

    def needs(self, seconds: float) -> None:
        """The engine begins only what comes so far ahead of its beat, whatever it takes in the end.  [main]"""
        if self._fixed is None:
            self._needs.append(seconds)

    def rehearsed(self, seconds: float) -> None:
        """A generation that nobody hears took so long: the first one that is heard is given more.  [main]"""
        self.took(REHEARSED_FACTOR * seconds)

    def was_late(self, allowed_seconds: float) -> None:
        """Music came later than its bar line; so much time was allowed, which becomes more by the spread.  [main]"""
        self.took(allowed_seconds)

    def listened(self, fell_behind: bool) -> None:
        """The music since the last listening was whole, or the engine fell behind and left gaps.  [main]"""
        if self._fixed is None:
            self._slower = min(self._slower + 1, SLOWER_MOST) if fell_behind else max(0, self._slower - 1)

    @property
    def fixed(self) -> bool:
        """Whether the time is not measured.  [any]"""
        return self._fixed is not None

    @property
    def p95_seconds(self) -> float:
        """The time that 95 % of the measurements stay within.  [any]"""
        if self._fixed is not None:
            return self._fixed
        if not self._seconds:
            return UNKNOWN_SECONDS
        return sorted(self._seconds)[math.ceil(SHARE * len(self._seconds)) - 1]

    def lead_beats(self, grid: Grid) -> int:
        """How many beats before a bar line Segue must listen to play there: 1 or more.  [any]"""
        spread = SPREAD if self._seconds else 1.0
        seconds = max(spread * self.p95_seconds, *self._needs, 0.0)
        return max(1, math.ceil(seconds_to_beats(seconds + self._rest_seconds, grid.tempo_bpm)))

    def listen_every_bars(self, bars: int, grid: Grid) -> int:
        """The interval between listenings: the one wished for, longer on a machine that takes longer or falls behind.

        [any]
        """
        bar_seconds = beats_to_seconds(grid.signature.beats_per_bar, grid.tempo_bpm)
        return max(bars, math.ceil(Fraction(self.p95_seconds + self._rest_seconds) / bar_seconds)) * 2**self._slower

    @property
    def _rest_seconds(self) -> float:
        """Between the last sample that is listened to and its music, beside the generation."""
        return SPARE_SECONDS + self._behind
