"""The ticks of a clock since its last silence or change of tempo, the count at each, and the marked one.

    instants   0.50   0.52   0.53   0.56        its arrival
    counts       12     13     13     14        its count; a double adds nothing
    marked              13                      the first tick of the song

A later analysis may change what a tick counts as (a double was part of a burst): then ticks are recounted, and the mark
stays with its tick.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from plugin_host.sync.clock_pattern import is_even


class TickHistory:
    """Keeps the newest `kept` ticks; `ticks` counts all of them."""

    def __init__(self, kept: int) -> None:
        self.ticks = 0
        self.marked_ticks = 0
        self.instants: deque[float] = deque(maxlen=kept)
        self._counts: deque[int] = deque(maxlen=kept)
        self._since_mark = 0  # ticks after the marked one

    def add(self, seconds: float, steps: int) -> None:
        """Add a tick that counts as `steps`.  [any]"""
        self.ticks += steps
        self._since_mark += 1
        self.instants.append(seconds)
        self._counts.append(self.ticks)

    def mark(self) -> None:
        """Mark the newest tick.  [any]"""
        self.marked_ticks, self._since_mark = self.ticks, 0

    def clear(self) -> None:
        """Forget all arrivals; the count stays.  [any]"""
        self.forget_all_but(0)

    def forget_all_but(self, n: int) -> None:
        """Keep the newest n.  [any]"""
        while len(self.instants) > n:
            self.instants.popleft()
            self._counts.popleft()

    def gaps(self, n: int) -> list[float]:
        """The newest n gaps in seconds, or as many as there are.  [any]"""
        return [b - a for a, b in pairwise(list(self.instants)[-n - 1 :])]

    def times(self, n: int) -> NDArray[np.float64]:
        """The newest n instants, or as many as there are.  [any]"""
        return np.array(self.instants)[-n:]

    def counted(self, n: int) -> int:
        """How much the newest n gaps added to the count; n must be fewer than the ticks kept.  [any]"""
        return self._counts[-1] - self._counts[-n - 1]

    def gaps_like(self, seconds: float, other_seconds: float, least: int) -> int:
        """How many of the newest gaps are nearer to one length than to another; at least `least`.  [any]"""
        gaps, between, n = self.gaps(len(self.instants)), math.sqrt(seconds * other_seconds), least
        while n < len(gaps) and (gaps[-n - 1] > between) == (seconds > between):
            n += 1
        return n

    def count_alike(self, n: int, ratio: float) -> int:
        """Have the newest n gaps count one each if they are alike and only some count more; returns the ticks less.

        A first long gap looks like a lost tick until those behind it show a slower tempo. n must be fewer than the
        ticks kept; `ratio` is of the longest to the shortest.  [any]
        """
        steps = [b - a for a, b in pairwise(self._counts)]
        recent, gaps = steps[-n:], self.gaps(n)
        if min(recent) != 1 or max(recent) == 1 or not is_even(gaps, ratio):
            return 0
        self.count_anew([1, *steps[:-n], *[1] * n])
        return sum(recent) - n

    def count_anew(self, steps: Sequence[int]) -> None:
        """Set what each kept tick counts as; the first one's count stays.  [any]"""
        marked = len(steps) - 1 - self._since_mark
        count = self._counts[0]
        counts = [count := count + (each if n else 0) for n, each in enumerate(steps)]
        if marked >= 0:
            was_double = marked > 0 and steps[marked] == 0
            self.marked_ticks = counts[marked] + was_double
        self._counts = deque(counts, maxlen=self._counts.maxlen)
        self.ticks = counts[-1]
