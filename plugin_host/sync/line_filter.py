"""The straight line through jittering times: the time of event number n, and the length of a step.

A Kalman filter of two numbers, the time t of the newest event and the seconds p between events:

    predict   t += m * p                       m steps later; p wanders a little (`wander`)
    correct   t, p += gain * (seen - t)        gain from the spread of both

with two additions. The jitter's spread is learned from the events. And a CUSUM test (Page 1954) sums the prediction
errors in one direction: jitter cancels, a change of tempo does not. When it detects a change, the filter widens and is
on the new line a few events later, then narrows again. If each event misses by the same, far beyond the jitter, it is a
slip, and the line moves with its step unchanged.
"""

from __future__ import annotations

import math

DRIFT_ALLOWED = 0.6  # of a standard deviation per event, below which the test counts nothing
ALARM = 7.0
JITTER_MEMORY = 48  # events
OUTLIER = 3.5  # standard deviations
SLIP_SCORE, SLIP_EVEN = 5.0, 1.4  # CUSUM score of a slip, and the largest ratio of its longest to its shortest error


class LineFilter:
    """Follows events numbered by steps; begins at the first one with a guessed step.

    `spread` is the possible error of that guess, `jitter_seconds` the first guess of the jitter, which is learned
    within `jitter_range`; `wander` is how much the step may drift, as a fraction per event.
    """

    def __init__(
        self,
        seconds: float,
        step_seconds: float,
        *,
        spread: float = 0.1,
        jitter_seconds: float = 0.0015,
        jitter_range: tuple[float, float] = (0.0001, 0.006),
        wander: float = 1.5e-5,
    ) -> None:
        self.seconds, self.step_seconds = seconds, step_seconds
        self.alarms = 0
        self._jitter2 = jitter_seconds**2
        self._range2 = (jitter_range[0] ** 2, jitter_range[1] ** 2)
        self._wander = wander
        self._spread = spread
        self._tt, self._tp, self._pp = self._jitter2, 0.0, (spread * step_seconds) ** 2
        self._up = self._down = 0.0
        self._missed: list[float] = []  # in a row, beyond `SLIP_SCORE`

    @property
    def jitter_seconds(self) -> float:
        """Standard deviation of the jitter, as learned.  [any]"""
        return math.sqrt(self._jitter2)

    @property
    def step_error(self) -> float:
        """The step's uncertainty: its standard deviation as a fraction of it.  [any]"""
        return math.sqrt(self._pp) / self.step_seconds

    def missed(self, seconds: float, steps: float = 1.0) -> float:
        """Seconds by which an event `steps` after the newest one comes later than expected.  [any]"""
        return seconds - (self.seconds + steps * self.step_seconds)

    def see(self, seconds: float, steps: float = 1.0) -> float:
        """Add an event `steps` after the newest one; returns the error of the prediction in seconds.  [any]"""
        self._predict(steps)
        missed = seconds - self.seconds
        spread2 = self._tt + self._jitter2
        score = missed / math.sqrt(spread2)
        self._missed = [*self._missed, missed] if abs(score) > SLIP_SCORE else []
        if self._changed(score):
            if self._slipped():
                self._tt += missed * missed
            else:
                self._open(missed, steps)
            spread2 = self._tt + self._jitter2
        elif abs(score) < OUTLIER:
            self._learn(missed * missed - self._tt)
        else:
            spread2 = max(spread2, (missed / OUTLIER) ** 2)  # an outlier weighs less
        self._correct(missed, spread2)
        return missed

    def _predict(self, steps: float) -> None:
        self.seconds += steps * self.step_seconds
        self._tt += 2 * steps * self._tp + steps * steps * self._pp
        self._tp += steps * self._pp
        self._pp += abs(steps) * (self._wander * self.step_seconds) ** 2

    def _changed(self, score: float) -> bool:
        score = max(-OUTLIER, min(OUTLIER, score))
        self._up = max(0.0, self._up + score - DRIFT_ALLOWED)
        self._down = max(0.0, self._down - score - DRIFT_ALLOWED)
        if max(self._up, self._down) < ALARM:
            return False
        self._up = self._down = 0.0
        self.alarms += 1
        return True

    def _slipped(self) -> bool:
        """Whether every event since the change missed by the same; a changed step misses by more each time."""
        sizes = [abs(each) for each in self._missed]
        return len(sizes) > 2 and max(sizes) < SLIP_EVEN * min(sizes)

    def _open(self, missed: float, steps: float) -> None:
        """Raise the uncertainty of step and time, as if before this event's prediction."""
        doubt = (self._spread * self.step_seconds) ** 2
        self._tt += steps * steps * doubt + missed * missed
        self._tp += steps * doubt
        self._pp += doubt

    def _learn(self, jitter2: float) -> None:
        new = self._jitter2 + (max(jitter2, 0.0) - self._jitter2) / JITTER_MEMORY
        self._jitter2 = min(max(new, self._range2[0]), self._range2[1])

    def _correct(self, missed: float, spread2: float) -> None:
        gain_t, gain_p = self._tt / spread2, self._tp / spread2
        self.seconds += gain_t * missed
        self.step_seconds += gain_p * missed
        self._pp -= gain_p * self._tp
        self._tp -= gain_t * self._tp
        self._tt -= gain_t * self._tt
