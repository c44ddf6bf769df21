"""The straight line through ticks that come in bursts: each is up to a block late, and not at random.

    ticks      |  |  |  |  |  |        due
    bursts        ||    |  ||          sent at the next block: 0 to 1 block late

Least squares over the last ticks that lie within a block of one straight line: all of them while the tempo holds, and
those since the change otherwise. Lateness is bounded, so a tick outside is a change of tempo. The line runs through the
middle of the bursts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np

from plugin_host.sync.clock_pattern import SPREAD

TICKS_MAX = 288  # twelve beats
BEYOND = 0.75  # of a block: further from the line than any tick at the same tempo
SLACK_SECONDS = 0.002  # added for the computer's own jitter
CHANGED_TICKS = 3  # in a row beyond it are a change
BLOCKS_LEAST = 12  # that the ticks must span for a tempo


class BurstLine:
    """Like `LineFilter`, for bursts of one block. `instants` begin it, one step apart; `step_seconds` is the guess.

    With few instants the guess stays unless they contradict it: so short a time shows the block's tempo, not theirs.
    """

    def __init__(self, instants: Iterable[float], step_seconds: float, block_seconds: float) -> None:
        self.step_seconds, self.block_seconds = step_seconds, block_seconds
        self.alarms = 0
        self._seen: deque[tuple[float, float]] = deque(enumerate(instants), maxlen=TICKS_MAX)  # number, instant
        self._number = self._seen[-1][0] if self._seen else 0.0
        self.seconds = self._seen[-1][1] if self._seen else 0.0
        self._beyond = 0
        self._keep_what_fits()
        self._fit()

    @property
    def jitter_seconds(self) -> float:
        """Standard deviation of a lateness uniform over a block.  [any]"""
        return self.block_seconds / 12**0.5

    @property
    def step_error(self) -> float:
        """The step's uncertainty, as a fraction of it: a block over the ticks' span, averaged.  [any]"""
        n = len(self._seen)
        return 1.0 if self._too_few() else 2 * self.block_seconds / self.step_seconds / n**1.5

    def missed(self, seconds: float, steps: float = 1.0) -> float:
        """Seconds by which an event `steps` after the newest one comes later than expected.  [any]"""
        return seconds - (self.seconds + steps * self.step_seconds)

    def see(self, seconds: float, steps: float = 1.0) -> float:
        """Add an event `steps` after the newest one; returns the error of the prediction in seconds.  [any]"""
        missed = self.missed(seconds, steps)
        self._number += steps
        self._seen.append((self._number, seconds))
        self._beyond = self._beyond + 1 if abs(missed) > BEYOND * self.block_seconds + SLACK_SECONDS else 0
        if self._beyond >= CHANGED_TICKS:
            self._beyond = 0
            self.alarms += 1
            self._keep_what_fits()
        self._fit()
        return missed

    def _too_few(self) -> bool:
        span = self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0
        return span * self.step_seconds < BLOCKS_LEAST * self.block_seconds or span < BLOCKS_LEAST

    def _keep_what_fits(self) -> None:
        """Drop the oldest until the rest lies within a block of a straight line."""
        allowed = SPREAD * self.block_seconds + SLACK_SECONDS
        while len(self._seen) > CHANGED_TICKS:
            _, off = self._line()
            if float(off.max() - off.min()) <= allowed:
                return
            for _ in range(max(1, len(self._seen) // 8)):
                self._seen.popleft()

    def _line(self) -> tuple[float, np.ndarray]:
        """Least squares: the step, and the residual of each tick."""
        seen = np.array(self._seen)
        numbers, instants = seen[:, 0] - seen[:, 0].mean(), seen[:, 1] - seen[:, 1].mean()
        step = float(numbers @ instants / (numbers @ numbers))
        return step, instants - step * numbers

    def _fit(self) -> None:
        if len(self._seen) < 2:
            self.seconds = self._seen[-1][1] if self._seen else self.seconds
            return
        step, _ = self._line()
        apart = abs(step - self.step_seconds) * (self._seen[-1][0] - self._seen[0][0])
        if not self._too_few() or apart > SPREAD * self.block_seconds + SLACK_SECONDS:
            self.step_seconds = step
        seen = np.array(self._seen)
        numbers, instants = seen.mean(axis=0)
        self.seconds = float(instants + (self._number - numbers) * self.step_seconds)
