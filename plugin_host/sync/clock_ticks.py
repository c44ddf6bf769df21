"""The tempo and position of a MIDI clock: 24 ticks a quarter note, which may be late, lost or doubled.

    tick --> silence before it? --> what it counts as ----------> line (when each was due)
                                       ^
    history --> pattern (even, bursts, copies) --> recounted when the pattern changes

Every tick is counted; the line (`line_filter`, `burst_line`) estimates when it was due. A tick far too early is a
double and not counted; one far too late counts for lost ones before it as well. When the last eight gaps together show
a tempo that differs by a third (70 to 140 looks like doubles at first), it is a new tempo: every tick counts, and a new
line begins. After a silence the old tempo is a guess, and ticks count one each until they show their own.
"""

from __future__ import annotations

from bridge.time.tempo_map import TEMPO_MAX_BPM, TEMPO_MIN_BPM
from bridge.time.units import SECONDS_PER_MINUTE
from plugin_host.sync.burst_line import BurstLine
from plugin_host.sync.clock_pattern import (
    SPANS,
    SPREAD,
    TICKS_PER_BEAT,
    UNCLEAR,
    Arrival,
    Pattern,
    is_even,
    known_blocks,
    pattern,
    spread_seconds,
    take_turns,
)
from plugin_host.sync.line_filter import LineFilter
from plugin_host.sync.tick_history import TickHistory

EARLY, LATE = -0.6, 0.6  # of a tick's length: beyond these
TWIN_GAP, LONG_GAP = 0.3, 1.5  # so soon or so long after the previous one, it is a double, or ticks were lost
GAPS = 8  # that together can show another tempo
OTHER_TEMPO = 0.3  # as a share
EVEN = 1.8  # ratio of the longest to the shortest, without the extremes
SETTLED = 0.005  # of the tempo
FIRST_GAPS, FIRST_EVEN = 4, 1.35  # whose mean begins the line, if their ratio is at most this
ALIKE_GAPS = 5  # of one length count the same
PATTERN_EACH = 6  # ticks between analyses of the pattern; twice the same counts
LOST_SECONDS = 0.6  # without a tick
BLOCKS_SURE = 100  # bursts become visible within this many blocks
UNEVEN_JITTER = 0.25  # of a tick
SMALLER = 0.8  # of the previous block: another block, not an accident
PAUSE_TICKS = 4.0  # without a tick are a pause while nothing plays
OUT_OF_STEP = 0.25  # of a tick
IN_STEP = 0.05  # of a tick: this near to the old line, jitter aside, a lost clock has kept running
_SHORTEST = 0.8 * SECONDS_PER_MINUTE / (TEMPO_MAX_BPM * TICKS_PER_BEAT)
_LONGEST = 1.25 * SECONDS_PER_MINUTE / (TEMPO_MIN_BPM * TICKS_PER_BEAT)


class ClockTicks:
    """Counts ticks and estimates when each was due. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self.doubled = self.lost = self.restarts = self.pauses = 0
        self.pattern: Pattern = UNCLEAR
        self._settled = False
        self._line: LineFilter | BurstLine | None = None
        self._history = TickHistory(max(SPANS) + 1)
        self._fresh = 0  # remaining ticks that count one each, after a silence
        self._expected: Arrival | None = None
        self._looked_ago = 0  # ticks

    @property
    def ticks(self) -> int:
        """Ticks since the first, lost ones included.  [any]"""
        return self._history.ticks

    @property
    def tempo_bpm(self) -> float | None:
        """Quarter notes a minute; None before the tempo is known.  [any]"""
        return None if self._line is None else SECONDS_PER_MINUTE / (TICKS_PER_BEAT * self._line.step_seconds)

    @property
    def jitter_seconds(self) -> float:
        """Standard deviation of the ticks around their line.  [any]"""
        return 0.0 if self._line is None else self._line.jitter_seconds

    @property
    def settled(self) -> bool:
        """Whether the tempo was ever known to half a per cent.  [any]"""
        return self._settled

    def lost_at(self, now_seconds: float) -> bool:
        """Whether the clock is lost: no tick for more than half a second.  [any]"""
        instants = self._history.instants
        return not instants or now_seconds - instants[-1] > LOST_SECONDS

    def mark(self) -> None:
        """Mark the newest tick, from which ticks are counted.  [any]"""
        self._history.mark()

    @property
    def ticks_since_mark(self) -> int:
        """Ticks counted after the marked one.  [any]"""
        return self.ticks - self._history.marked_ticks

    def ticks_since_mark_at(self, seconds: float) -> float:
        """Position on the line at a time, in ticks since the marked one.  [any]"""
        return self.ticks_at(seconds) - self._history.marked_ticks

    def ticks_at(self, seconds: float) -> float:
        """Position on the line at a time, in ticks since the first one.  [any]"""
        line = self._line
        return float(self.ticks) if line is None else self.ticks + (seconds - line.seconds) / line.step_seconds

    def tick(self, seconds: float, running: bool = False, begins: bool = False) -> bool:
        """Add a tick; `running`: the song plays, `begins`: its first tick. Returns whether it counts.  [any]"""
        gap = seconds - self._history.instants[-1] if self._history.instants else 0.0
        silent = gap > (LOST_SECONDS if running or self._line is None else self._pause_seconds(self._line))
        silent = silent or (begins and self._out_of_step(seconds))
        steps = self._after_silence(seconds, running) if silent else self._steps(seconds, gap)
        self.lost += max(steps - 1, 0)
        self.doubled += steps == 0
        self._history.add(seconds, steps)
        self._into_line(seconds, steps, silent)
        self._settled = self._settled or (self._line is not None and self._is_sure(self._line))
        return steps > 0

    def _is_sure(self, line: LineFilter | BurstLine) -> bool:
        """Whether the tempo is known; a multiple of an audio block may be a burst pattern: wait."""
        if line.step_error >= SETTLED:
            return False
        blocks = known_blocks(line.step_seconds) if isinstance(line, LineFilter) else []
        return not blocks or len(self._history.instants) * line.step_seconds > BLOCKS_SURE * blocks[-1]

    # -- what a tick counts as -------------------------------------------------------------------------------

    def _steps(self, seconds: float, gap: float) -> int:
        """0 for a double, 1, or more if ticks were lost; with more jitter both need stronger evidence."""
        if self._line is None or isinstance(self._line, BurstLine):
            return 1
        step = self._line.step_seconds
        off, gaps = self._line.missed(seconds) / step, gap / step
        if self.pattern.arrival is Arrival.COPIES and self._line.missed(seconds, 0) < 0.6 * step:
            return 0
        if self._fresh:
            return 1
        doubt = self._line.jitter_seconds / step
        if off < EARLY - doubt and gaps < TWIN_GAP - doubt:
            return 0
        return 1 + max(round(off), 1) if off > LATE + doubt and gaps > LONG_GAP + doubt else 1

    def _pause_seconds(self, line: LineFilter | BurstLine) -> float:
        block = line.block_seconds if isinstance(line, BurstLine) else 0.0
        return min(LOST_SECONDS, PAUSE_TICKS * line.step_seconds + 2 * block)

    def _out_of_step(self, seconds: float) -> bool:
        """Whether a first tick is off the previous ticks' line: senders may restart their clock at start."""
        if not isinstance(self._line, LineFilter) or self.pattern.arrival is Arrival.COPIES:
            return False
        return abs(self._line.missed(seconds)) > OUT_OF_STEP * self._line.step_seconds

    def _after_silence(self, seconds: float, running: bool) -> int:
        """Begin a new stretch: the ticks that passed if the clock kept running, 1 if it stood still."""
        steps, line = 1, self._line
        if line is not None and running:
            away = line.missed(seconds) / line.step_seconds
            doubt = IN_STEP + 3 * line.jitter_seconds / line.step_seconds + abs(away) * line.step_error
            if doubt > 0.5 or abs(away - round(away)) < doubt:
                steps = 1 + max(round(away), 0)
            else:
                self.pauses += 1
        self._history.clear()
        self._expected = None
        self._fresh = 0 if line is None else FIRST_GAPS + 1
        if isinstance(line, BurstLine):
            self._line = BurstLine([seconds], line.step_seconds, line.block_seconds)
        return steps

    # -- the line ------------------------------------------------------------------------------------------

    def _into_line(self, seconds: float, steps: int, silent: bool) -> None:
        if self._line is None:
            self._first()
            return
        if isinstance(self._line, BurstLine):
            self._fresh = 0
            if not silent:
                self._line.see(seconds, steps)
        elif self._fresh and steps:
            self._fresh -= 1
            self._freshly(seconds, self._line.step_seconds)
        elif steps:
            self._line.see(seconds, steps)
        self._looked_ago += 1
        if self._looked_ago >= PATTERN_EACH:
            self._looked_ago = 0
            self._look_at_pattern()
        if isinstance(self._line, LineFilter) and len(self._history.instants) > GAPS and not self._fresh:
            self.lost -= self._history.count_alike(ALIKE_GAPS, FIRST_EVEN)
            self._look_for_other_tempo(self._line.step_seconds)

    def _freshly(self, seconds: float, step_seconds: float) -> None:
        """After a silence: each tick at its arrival, at the previous tempo, until four gaps show one."""
        gaps = self._history.gaps(FIRST_GAPS)
        if not self._fresh and is_even(gaps, FIRST_EVEN) and self.pattern.arrival is not Arrival.COPIES:
            step_seconds = sum(gaps) / len(gaps)
        self._line = LineFilter(seconds, step_seconds)

    def _first(self) -> None:
        """Ticks before there is a line: four even gaps begin it, or else their pattern."""
        gaps, n_gaps = self._history.gaps(FIRST_GAPS), len(self._history.instants) - 1
        if gaps and gaps[-1] > _LONGEST:
            self._history.forget_all_but(1)
        elif len(gaps) == FIRST_GAPS and is_even(gaps, FIRST_EVEN):
            self._begin(sum(gaps) / FIRST_GAPS)
        elif n_gaps >= 2 * PATTERN_EACH and n_gaps % PATTERN_EACH == 0:
            found = pattern(self._history.instants)
            if found.arrival is not Arrival.UNCLEAR:
                self._adopt(found)

    def _begin(self, step_seconds: float) -> None:
        if _SHORTEST <= step_seconds <= _LONGEST:
            gaps = self._history.gaps(len(self._history.instants))
            steps = [0 if gap < TWIN_GAP * step_seconds else max(1, round(gap / step_seconds)) for gap in gaps]
            self._history.count_anew([1, *steps])
            self._line = LineFilter(self._history.instants[-1], step_seconds)

    def _look_for_other_tempo(self, step_seconds: float) -> None:
        if self.pattern.arrival is Arrival.COPIES and self._history.counted(GAPS) < GAPS:
            return
        gaps = self._history.gaps(GAPS)
        inner = sorted(gaps)[1:-1]
        mean = sum(inner) / len(inner)
        fits = abs(mean / step_seconds - 1) < OTHER_TEMPO
        if fits or inner[-1] > EVEN * inner[0] or not _SHORTEST <= mean <= _LONGEST or take_turns(gaps):
            return
        self._history.forget_all_but(1 + self._history.gaps_like(mean, step_seconds, GAPS))
        self._history.count_anew([1] * len(self._history.instants))
        self.restarts += 1
        self._line = LineFilter(self._history.instants[-1], mean)
        self._history.forget_all_but(1)

    # -- how they arrive -----------------------------------------------------------------------------------

    def _look_at_pattern(self) -> None:
        found = pattern(self._history.instants)
        now, expected = self.pattern, self._expected
        self._expected = found.arrival
        if found.arrival is Arrival.UNCLEAR or found.arrival is not expected:
            return
        if found.arrival is Arrival.UNEVEN and self._line_is_good():
            return
        if found.arrival is not now.arrival:
            if not (isinstance(self._line, BurstLine) and _still_bursts(self._line, found)):
                self._adopt(found)
        elif isinstance(self._line, BurstLine) and self._is_other_block(found):
            self._adopt(found)
        elif found.arrival is Arrival.COPIES and self._are_other_copies(found):
            self._history.forget_all_but(SPANS[0] + 1)
            self._adopt(found)

    def _line_is_good(self) -> bool:
        """Whether the counted ticks are near their line, whatever others come between."""
        line = self._line
        return isinstance(line, LineFilter) and line.jitter_seconds < UNEVEN_JITTER * line.step_seconds

    def _are_other_copies(self, found: Pattern) -> bool:
        """Whether the number of copies changed, or a new tempo was taken for late or lost ticks."""
        step = self._line.step_seconds if self._line is not None else found.period_seconds
        return found.copies != self.pattern.copies or abs(found.period_seconds / step - 1) > OTHER_TEMPO

    def _is_other_block(self, found: Pattern) -> bool:
        """Whether the bursts are longer than before, or shorter and not part of the longer ones."""
        if found.seconds < SMALLER * self.pattern.seconds:
            return spread_seconds(self._history.times(SPANS[1] + 1)) < SPREAD * found.seconds
        return found.seconds > self.pattern.seconds / SMALLER

    def _adopt(self, found: Pattern) -> None:
        """Adopt a pattern; the ticks of the history are recounted with it."""
        self.pattern, self._fresh = found, 0
        if found.arrival is Arrival.UNEVEN:
            self._history.forget_all_but(SPANS[0] + 1)
        instants = list(self._history.instants)
        gaps = self._history.gaps(len(instants))
        if found.arrival in (Arrival.BURSTS, Arrival.UNEVEN):
            self._history.count_anew([1] * len(instants))
            self._line = BurstLine(instants, (instants[-1] - instants[0]) / len(gaps), found.seconds)
        elif found.arrival is Arrival.COPIES:
            reals = [1, *(int(gap > found.longest_copy_gap) for gap in gaps)]
            self._history.count_anew(reals)
            newest = max(instant for instant, real in zip(instants, reals, strict=True) if real)
            self._line = LineFilter(newest, found.period_seconds)
        elif self._line is None:
            self._begin(sorted(gaps)[len(gaps) // 2])
        elif isinstance(self._line, BurstLine):
            self._line = LineFilter(instants[-1], self._line.step_seconds)


def _still_bursts(line: BurstLine, found: Pattern) -> bool:
    """Whether it is still bursts: near a multiple of their block they look even for long, or like copies."""
    period = found.period_seconds or line.step_seconds
    blocks = period / line.block_seconds
    return round(blocks) > 0 and abs(blocks - round(blocks)) * line.block_seconds < 0.1 * period
