"""The tempo and place of a MIDI clock: 24 ticks a quarter note, late, lost and doubled as cables deliver them.

    tick --> silence before it? --> how many ticks it stands for --> line (when each should have come)
                                       ^
    history --> pattern (even, bursts, copies) --> counted anew when the pattern is another one

Every tick is counted; what is estimated is when it should have come (`line_filter`, `burst_line`). A tick far
too early is a double and not counted, one far too late stands for those that were lost before it. When the last
eight gaps together say another tempo by a third (70 to 140 looks like doubles at first), it is one: every tick
did count, and the line begins anew. After a silence the old tempo is a guess, and the ticks that follow count
one each until they have said theirs.
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

EARLY, LATE = -0.6, 0.6  # of a tick's length: beyond, and
TWIN_GAP, LONG_GAP = 0.3, 1.5  # so soon or so long after the one before, it is a double, or some were lost
GAPS = 8  # that together can say another tempo
OTHER_TEMPO = 0.3  # by so much
EVEN = 1.8  # how much longer than the shortest the longest may be, leaving out one on either side
SETTLED = 0.005  # of the tempo
FIRST_GAPS, FIRST_EVEN = 4, 1.35  # whose mean begins the line, if the longest is no longer than so much
PATTERN_EACH = 6  # ticks after which the pattern is looked at again; twice the same counts
LOST_SECONDS = 0.6  # without a tick
BLOCKS_SURE = 100  # within so many blocks bursts show
UNEVEN_JITTER = 0.25  # of a tick
SMALLER = 0.8  # of the block of before: another one, and not an accident
PAUSE_TICKS = 4.0  # without one are a pause when nothing plays
OUT_OF_STEP = 0.25  # of a tick
IN_STEP = 0.05  # of a tick: nearer to the old line, jitter aside, a clock that was away has gone on
_SHORTEST = 0.8 * SECONDS_PER_MINUTE / (TEMPO_MAX_BPM * TICKS_PER_BEAT)
_LONGEST = 1.25 * SECONDS_PER_MINUTE / (TEMPO_MIN_BPM * TICKS_PER_BEAT)


class ClockTicks:
    """Counts ticks and knows when each should have come. Instants are seconds of one clock that never steps."""

    def __init__(self) -> None:
        self.doubled = self.lost = self.restarts = self.pauses = 0
        self.pattern: Pattern = UNCLEAR
        self._settled = False
        self._line: LineFilter | BurstLine | None = None
        self._history = TickHistory(max(SPANS) + 1)
        self._fresh = 0  # ticks that still count one each, after a silence
        self._expected: Arrival | None = None
        self._looked_ago = 0  # ticks

    @property
    def ticks(self) -> int:
        """Ticks counted, lost ones too, since the first.  [any]"""
        return self._history.ticks

    @property
    def tempo_bpm(self) -> float | None:
        """Quarter notes a minute; None before the tempo can be told.  [any]"""
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
        instants = self._history.instants
        return not instants or now_seconds - instants[-1] > LOST_SECONDS

    def mark(self) -> None:
        """The newest tick is the one that ticks are counted from.  [any]"""
        self._history.mark()

    @property
    def ticks_since_mark(self) -> int:
        """Ticks counted after the marked one.  [any]"""
        return self.ticks - self._history.marked_ticks

    def ticks_since_mark_at(self, seconds: float) -> float:
        """Place on the line at an instant, in ticks since the marked one.  [any]"""
        return self.ticks_at(seconds) - self._history.marked_ticks

    def ticks_at(self, seconds: float) -> float:
        """Place on the line at an instant, in ticks since the first one.  [any]"""
        line = self._line
        return float(self.ticks) if line is None else self.ticks + (seconds - line.seconds) / line.step_seconds

    def tick(self, seconds: float, running: bool = False, begins: bool = False) -> bool:
        """A tick came, while the song ran or not, or as its first; whether it counted.  [any]"""
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
        """Whether the tempo is known; an audio block.s multiple may be the block.s, and is waited for."""
        if line.step_error >= SETTLED:
            return False
        blocks = known_blocks(line.step_seconds) if isinstance(line, LineFilter) else []
        return not blocks or len(self._history.instants) * line.step_seconds > BLOCKS_SURE * blocks[-1]

    # -- what a tick stands for ----------------------------------------------------------------------------

    def _steps(self, seconds: float, gap: float) -> int:
        """0 for a double, 1, or more when some were lost; much jitter makes it slower to believe in either."""
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
        """Whether a first tick is not where the ticks before it say: senders may begin their clock anew at start."""
        if not isinstance(self._line, LineFilter) or self.pattern.arrival is Arrival.COPIES:
            return False
        return abs(self._line.missed(seconds)) > OUT_OF_STEP * self._line.step_seconds

    def _after_silence(self, seconds: float, running: bool) -> int:
        """A new stretch begins: how many ticks went by if the clock ran on unheard, 1 if it stood."""
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
            self._look_for_other_tempo(self._line.step_seconds)

    def _freshly(self, seconds: float, step_seconds: float) -> None:
        """After a silence: each tick where it came, at the tempo of before, until four gaps say one."""
        gaps = self._history.gaps(FIRST_GAPS)
        if not self._fresh and is_even(gaps, FIRST_EVEN) and self.pattern.arrival is not Arrival.COPIES:
            step_seconds = sum(gaps) / len(gaps)
        self._line = LineFilter(seconds, step_seconds)

    def _first(self) -> None:
        """Ticks before there is a line: four even gaps begin it, else what they look like."""
        gaps, heard = self._history.gaps(FIRST_GAPS), len(self._history.instants) - 1
        if gaps and gaps[-1] > _LONGEST:
            self._history.forget_all_but(1)
        elif len(gaps) == FIRST_GAPS and is_even(gaps, FIRST_EVEN):
            self._begin(sum(gaps) / FIRST_GAPS)
        elif heard >= 2 * PATTERN_EACH and heard % PATTERN_EACH == 0:
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
        """Whether the ticks that count are near their line, however many others come between."""
        line = self._line
        return isinstance(line, LineFilter) and line.jitter_seconds < UNEVEN_JITTER * line.step_seconds

    def _are_other_copies(self, found: Pattern) -> bool:
        """Whether there are more or fewer, or their tempo is another one that was taken for late or lost ticks."""
        step = self._line.step_seconds if self._line is not None else found.period_seconds
        return found.copies != self.pattern.copies or abs(found.period_seconds / step - 1) > OTHER_TEMPO

    def _is_other_block(self, found: Pattern) -> bool:
        """Whether the bursts are larger than before, or smaller and not part of the larger ones."""
        if found.seconds < SMALLER * self.pattern.seconds:
            return spread_seconds(self._history.times(SPANS[1] + 1)) < SPREAD * found.seconds
        return found.seconds > self.pattern.seconds / SMALLER

    def _adopt(self, found: Pattern) -> None:
        """From here on ticks arrive like this; those of the history are counted anew as such."""
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
    """Bursts near a multiple of their block look even for a long while, or like copies: each as long as a block."""
    period = found.period_seconds or line.step_seconds
    blocks = period / line.block_seconds
    return round(blocks) > 0 and abs(blocks - round(blocks)) * line.block_seconds < 0.1 * period
