"""The tempo and place of a MIDI clock: 24 ticks a quarter note, late, lost and doubled as cables deliver them.

Every tick is counted; what is estimated is when it should have come (`line_filter`). A tick far too early is
a double and not counted, one far too late stands for those that were lost before it. But when the last eight
gaps together say another tempo by a third (70 to 140 looks like doubles at first), it is one: every tick did
count, and the line begins anew.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from bridge.tempo_map import TEMPO_MAX_BPM, TEMPO_MIN_BPM
from bridge.units import SECONDS_PER_MINUTE
from plugin_host.time_sources.line_filter import LineFilter

TICKS_PER_BEAT = 24
EARLY, LATE = -0.6, 0.6  # of a tick's length: beyond, and
TWIN_GAP, LONG_GAP = 0.3, 1.5  # so soon or so long after the one before, it is a double, or some were lost
TWIN_SECONDS = 0.003  # while the tempo is not known
GAPS = 8  # that together can say another tempo
OTHER_TEMPO = 0.3  # by so much
EVEN = 1.8  # how much longer than the shortest the longest may be, leaving out one on either side
SETTLED = 0.005  # of the tempo
FIRST_GAPS = 4  # whose mean begins the line
LOST_SECONDS = 0.6  # without a tick
_SHORTEST = 0.8 * SECONDS_PER_MINUTE / (TEMPO_MAX_BPM * TICKS_PER_BEAT)
_LONGEST = 1.25 * SECONDS_PER_MINUTE / (TEMPO_MIN_BPM * TICKS_PER_BEAT)


class ClockTicks:
    """Counts ticks and knows when each should have come. Instants are seconds of one clock that never steps."""

    def __init__(self) -> None:
        self.ticks = 0  # counted, lost ones too, since the first
        self.doubled = self.lost = self.restarts = 0
        self._settled = False
        self._line: LineFilter | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=GAPS + 1)  # when, and the count with it

    @property
    def tempo_bpm(self) -> float | None:
        """Quarter notes a minute; None before the second tick.  [any]"""
        return None if self._line is None else SECONDS_PER_MINUTE / (TICKS_PER_BEAT * self._line.step_seconds)

    @property
    def jitter_seconds(self) -> float:
        """Standard deviation of the ticks around their line.  [any]"""
        return 0.0 if self._line is None else self._line.jitter_seconds

    @property
    def settled(self) -> bool:
        """Whether the tempo was once known to half a per cent.  [any]"""
        return self._settled

    def lost_at(self, now_seconds: float) -> bool:
        """Whether the clock has gone: no tick for more than half a second.  [any]"""
        return not self._recent or now_seconds - self._recent[-1][0] > LOST_SECONDS

    def ticks_at(self, seconds: float) -> float:
        """Place on the line at an instant, in ticks since the first one.  [any]"""
        if self._line is None:
            return float(self.ticks)
        return self.ticks + (seconds - self._line.seconds) / self._line.step_seconds

    def tick(self, seconds: float) -> None:
        """A tick came.  [any]"""
        if self._line is None:
            if self._recent and seconds - self._recent[-1][0] < TWIN_SECONDS:
                return
            self._first(seconds)
        else:
            steps = self._steps(seconds, self._line)
            self.ticks += steps
            if steps:
                self.lost += steps - 1
                self._line.see(seconds, steps)
            else:
                self.doubled += 1
        self._settled = self._settled or (self._line is not None and self._line.step_error < SETTLED)
        self._recent.append((seconds, self.ticks))
        if len(self._recent) > GAPS and self._line is not None:
            self._look_for_other_tempo(self._line.step_seconds)

    def _steps(self, seconds: float, line: LineFilter) -> int:
        """0 for a double, 1, or more when some were lost; much jitter makes it slower to believe in either."""
        off, gap = line.missed(seconds) / line.step_seconds, (seconds - self._recent[-1][0]) / line.step_seconds
        doubt = line.jitter_seconds / line.step_seconds
        if off < EARLY - doubt and gap < TWIN_GAP - doubt:
            return 0
        return 1 + max(round(off), 1) if off > LATE + doubt and gap > LONG_GAP + doubt else 1

    def _first(self, seconds: float) -> None:
        """Ticks before there is a line."""
        if self._recent and seconds - self._recent[-1][0] > _LONGEST:
            self._recent.clear()
        self.ticks += 1
        if len(self._recent) < FIRST_GAPS:
            return
        gap = (seconds - self._recent[-FIRST_GAPS][0]) / FIRST_GAPS
        if _SHORTEST <= gap <= _LONGEST:
            self._line = LineFilter(seconds, gap, spread=0.1)

    def _look_for_other_tempo(self, step_seconds: float) -> None:
        inner = sorted(b - a for (a, _), (b, _) in pairwise(self._recent))[1:-1]
        mean = sum(inner) / len(inner)
        fits = abs(mean / step_seconds - 1) < OTHER_TEMPO
        if fits or inner[-1] > EVEN * inner[0] or not _SHORTEST <= mean <= _LONGEST:
            return
        self.ticks = self._recent[0][1] + GAPS
        self.restarts += 1
        last = self._recent[-1][0]
        self._line = LineFilter(last, mean, spread=0.1)
        self._recent.clear()
        self._recent.append((last, self.ticks))
