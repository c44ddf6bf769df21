"""One jam, in samples and bars: it knows neither device nor file.

    deck --tape--> ears --> memory --beat by beat--> plan --orders--> voice (the engine), deck (repeats)
                     |                                ^                  |
                     +--> recorder                 presses            results

`step` does all that has become due, in the order of the samples, whatever thread or clock calls it: in real time some
hundred times a second, offline after every block. Decisions depend on samples alone, not on when `step` is called.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from bridge.region.capture import Captured
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from bridge.time.units import nearest, samples_to_seconds
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.deck import Repeat as Lap
from plugin_host.jam.ears import Ears, level_db, plays
from plugin_host.jam.modes.common import JamMode
from plugin_host.jam.orders import Accompany, Answer, Order, Release, Relisten, Repeat, Stop, Stretch, Vary
from plugin_host.jam.pace import Pace
from plugin_host.jam.plan import Moment, Plan
from plugin_host.jam.state import SILENT_DB, JamState, Phase, Press, PressReply
from plugin_host.jam.tape import STANDING, Memory, TapedBlock
from plugin_host.jam.voice import Heard, Result, Voice

FAR_SAMPLES = 1 << 60
LEVEL_SECONDS = 0.1
SILENCE: Audio = np.zeros((0, 1), np.float32)


class Recorder(Protocol):
    """Takes what the player and Segue played at the same samples, and lines of the journal."""

    def add(self, sample: int, captured: Audio, played: Audio) -> None:
        """The blocks of both from a session sample on.  [audio]"""
        ...

    def note(self, kind: str, sample: int, beat: float, **values: Any) -> None:
        """A line of the journal.  [any]"""
        ...


@dataclass(frozen=True)
class Parts:
    """What a session is made of."""

    deck: JamDeck
    memory: Memory
    ears: Ears
    voice: Voice
    recorder: Recorder
    pace: Pace
    mode: JamMode


class JamSession:
    """Runs a jam. `threaded`: orders are carried out on a thread of their own, so that no press waits for the engine.

    `say` gets lines for the player.
    """

    def __init__(self, parts: Parts, say: Callable[[str], None], threaded: bool) -> None:
        self.parts = parts
        self.plan = Plan(parts.mode)
        self.message = ""
        self._say = say
        self._threaded = threaded
        self._shift: int | None = None  # session sample minus host position
        self._at: Fraction | None = None  # the beat of the next tick
        self._beat = Fraction(0)  # of the last one
        self._playing = False
        self._levels = [SILENT_DB, SILENT_DB]
        self._laps: list[_Growing] = []
        self._every_bars = 0
        self._presses: queue.SimpleQueue[tuple[Press, Callable[[PressReply], None]]] = queue.SimpleQueue()
        self._orders: queue.SimpleQueue[tuple[Order, Heard, float] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._sent_beats: dict[Order, Fraction] = {}
        self._thread = threading.Thread(target=self._work, name="segue-jam-orders", daemon=True)
        if threaded:
            self._thread.start()

    # -- presses, from any thread ---------------------------------------------------------------------

    def press(self, press: Press, replied: Callable[[PressReply], None]) -> None:
        """Take a press; the reply comes from the session's thread.  [any]"""
        at = self.parts.deck.sample if press.at_sample is None else press.at_sample
        self._presses.put((replace(press, at_sample=at), replied))

    # -- what has become due ----------------------------------------------------------------------------

    def step(self) -> None:
        """Do all that has become due.  [main]"""
        for block in self.parts.deck.tape.take():
            self._hear(block)
        self._take_results()
        self._take_presses()
        while (now := self._next_moment()) is not None:
            self._tick(now)
        for lap in self._laps:
            lap.grow(self.parts.memory)
        self._laps = [lap for lap in self._laps if not lap.whole]

    def _hear(self, block: TapedBlock) -> None:
        memory, n = self.parts.memory, len(block.played)
        if block.position_samples != STANDING:
            shift = block.sample - block.position_samples
            if shift != self._shift:
                self._jumped(block.position_samples, shift)
        memory.keep(self.parts.ears.push(block.captured, block.played), block.played)
        begin = block.sample - memory.round_trip_samples
        captured = block.captured[max(0, -begin) :]
        if len(captured):
            self.parts.recorder.add(max(0, begin), captured, memory.own(max(0, begin), begin + n))
        for side, audio in enumerate((block.captured, block.played)):
            self._levels[side] = max(level_db(audio), self._levels[side] - 40 * n / self.rate_hz)

    def _jumped(self, position: int, shift: int) -> None:
        """The timeline begins, or its leader has jumped: the plan begins on the next bar."""
        began, self._shift = self._shift is None, shift
        bar = self.grid.next_bar(position)
        self._at = bar * self.per_bar
        if not began:
            self._tell("the leader has jumped: from the next bar")
            self.parts.deck.repeats = ()
            self.plan = Plan(self.parts.mode, bar)
        beat = float(self.grid.beats_at(position))
        self.parts.recorder.note("timeline", position + shift, beat, bpm=self.grid.tempo_bpm)

    def _next_moment(self) -> Moment | None:
        """The next beat, if the player's music is known up to it."""
        if self._at is None or self.sample_of(self._at) > self.parts.memory.input_end:
            return None
        beats, grid = self._at, self.grid
        bar = math.floor(beats / self.per_bar)
        self._at = min(beats + 1, (bar + 1) * self.per_bar)
        end = self.sample_of(beats)
        self._playing = plays(self.parts.memory.input(self.sample_of(beats - 1), end))
        return Moment(beats, grid, self.parts.pace.lead_beats(grid), self._playing)

    def _tick(self, now: Moment) -> None:
        phase, self._beat = self.plan.phase, now.beats
        orders = self.plan.tick(now)
        if self.plan.phase != phase:
            self._note("phase", was=phase, phase=self.plan.phase, bar=self.plan.since_bar)
        self._tell_pace(now)
        for order in orders:
            self._carry_out(order, now)

    def _tell_pace(self, now: Moment) -> None:
        every = self.parts.pace.listen_every_bars(self.parts.mode.bars or 1, now.grid)
        if self._every_bars and every != self._every_bars and self.parts.mode.name == "accompany":
            bars = "every bar" if every == 1 else f"every {every} bars"
            self._tell(f"generation takes {self.parts.pace.p95_seconds:.1f} s here: listening {bars}")
        self._every_bars = every

    # -- orders -----------------------------------------------------------------------------------------

    def _carry_out(self, order: Order, now: Moment) -> None:
        heard = Heard()
        deck, start = self.parts.deck, self.grid.bar_start(order.bar)
        if isinstance(order, (Answer, Accompany, Relisten)):
            heard = self._heard(order.heard, isinstance(order, Answer))
            self._note("order", order=type(order).__name__.lower(), bar=order.bar, heard=_beats(order.heard))
        elif isinstance(order, Vary):
            heard = self._heard(order.loop, own=order.own)
            self._note("order", order="vary", bar=order.bar, heard=_beats(order.loop))
        else:
            self._note("order", order=type(order).__name__.lower(), bar=order.bar)
        if isinstance(order, Repeat):
            self._repeat(order)
            return
        if isinstance(order, Release):
            deck.repeats = tuple(replace(each, end=min(each.end, start)) for each in self._live())
            return
        if isinstance(order, Stop):
            deck.repeats = (*(replace(each, end=min(each.end, start)) for each in self._live()),
                            Lap(start, FAR_SAMPLES, SILENCE))  # fmt: skip
        self._sent_beats[order] = now.beats
        job = (order, heard, float(self.per_bar))
        if self._threaded:
            self._orders.put(job)
        else:
            self._results.put(self._do(*job))
            self._take_results()

    def _live(self) -> Iterable[Lap]:
        position = self.parts.deck.timeline.now.position_samples
        return (each for each in self.parts.deck.repeats if each.end + self.rate_hz > position)

    def _heard(self, stretch: Stretch, both: bool = False, own: bool = False) -> Heard:
        begin, end = self.sample_of(stretch.begin), self.sample_of(stretch.end)
        memory = self.parts.memory
        if end - begin < self.rate_hz // 2:
            return Heard()
        audio = memory.both(begin, end) if both else memory.own(begin, end) if own else memory.input(begin, end)
        return Heard(Captured(audio, self.rate_hz, self.grid.tempo_bpm, float(stretch.begin)))

    def _repeat(self, order: Repeat) -> None:
        """Let bars go round in the ring's place; what of them is still to be heard is filled in as it comes."""
        first, last = self.sample_of(order.music.begin), self.sample_of(order.music.end)
        channels = self.parts.deck.processor.channels
        growing = _Growing(first, np.zeros((last - first, channels), np.float32), order.own)
        growing.grow(self.parts.memory)
        self._laps.append(growing)
        start = self.grid.bar_start(order.bar)
        end = self.grid.bar_start(order.bar + order.bars) if order.bars else FAR_SAMPLES
        kept = tuple(replace(each, end=min(each.end, start)) for each in self._live())
        self.parts.deck.repeats = (*kept, Lap(start, end, growing.audio))

    def _do(self, order: Order, heard: Heard, per_bar: float) -> Result:
        return self.parts.voice.do(order, heard, per_bar)

    def _work(self) -> None:
        while (job := self._orders.get()) is not None:
            self._results.put(self._do(*job))

    def _take_results(self) -> None:
        while not self._results.empty():
            self._done(self._results.get())

    def _done(self, result: Result) -> None:
        order, sent = result.order, self._sent_beats.pop(result.order, self._beat)
        allowed = float((order.bar * self.per_bar - sent) * 60) / self.grid.tempo_bpm
        seconds = None if result.seconds is None else round(result.seconds, 4)
        took = {} if self.parts.pace.fixed else {"seconds": seconds}
        self._note("result", order=type(order).__name__.lower(), bar=result.bar, asked=order.bar, fault=result.fault, **took)
        if result.fault:
            self._tell(f"the engine: {result.fault}")
            return
        if result.seconds is not None and not isinstance(order, Stop):
            self.parts.pace.took(result.seconds)
        if result.bar > order.bar:
            self.parts.pace.was_late(allowed)
            self._tell(f"late: at bar {result.bar + 1} instead of {order.bar + 1}")
            if not isinstance(order, (Relisten, Stop)):
                self.plan.moved(order.bar, result.bar)
        if isinstance(order, (Answer, Accompany, Vary)):
            start = self.grid.bar_start(result.bar)
            self.parts.deck.repeats = tuple(replace(each, end=min(each.end, start)) for each in self._live())

    # -- presses ----------------------------------------------------------------------------------------

    def _take_presses(self) -> None:
        while not self._presses.empty():
            press, replied = self._presses.get()
            reply = self._pressed(press)
            self._note("press", verb=press.verb, source=press.source, accepted=reply.accepted, bar=reply.at_bar,
                       text=reply.text)  # fmt: skip
            self._tell(reply.text)
            replied(reply)

    def _pressed(self, press: Press) -> PressReply:
        if self._shift is None:
            return PressReply(press, False, 0, 0.0, "the jam has not begun yet")
        at = self.grid.beats_at((press.at_sample or 0) - self._shift)
        now = self.grid.beats_at(self.parts.deck.sample - self._shift)
        moment = Moment(now, self.grid, self.parts.pace.lead_beats(self.grid), self._playing)
        return self.plan.press(press, at, moment)

    # -- how it is --------------------------------------------------------------------------------------

    @property
    def rate_hz(self) -> int:
        """The session's sample rate.  [any]"""
        return self.parts.deck.processor.sample_rate_hz

    @property
    def grid(self) -> Grid:
        """The timeline's grid, now.  [any]"""
        return self.parts.deck.timeline.now.grid

    @property
    def per_bar(self) -> Fraction:
        """Beats in a bar.  [any]"""
        return self.grid.signature.beats_per_bar

    def sample_of(self, beats: Fraction) -> int:
        """The session sample of a beat.  [any]"""
        return self.grid.sample_at(beats) + (self._shift or 0)

    def state(self) -> JamState:
        """How the jam is, now.  [main]"""
        deck, grid, plan = self.parts.deck, self.grid, self.plan
        counting = self._shift is None
        position = deck.sample - (deck.starts_at if self._shift is None else self._shift)
        beats = grid.beats_at(position)
        now = Moment(beats, grid, self.parts.pace.lead_beats(grid), self._playing)
        change = plan.next_change()
        phase: Phase = "count in" if counting else plan.phase
        coming: Phase = plan.phase if counting else change.to if change else plan.phase
        left = -beats if counting else change.bar * self.per_bar - beats if change else Fraction(0)
        fill = float(samples_to_seconds(deck.processor.fill_samples, self.rate_hz))
        return JamState(
            mode=plan.mode.name, state=phase, next_state=coming, beats_to_change=float(max(0, left)),
            bar=math.floor(beats / self.per_bar), beat=float(beats), bpm=grid.tempo_bpm,
            beats_per_bar=float(self.per_bar), level_in_db=self._levels[0], level_out_db=self._levels[1],
            ring_fill_ms=1000 * fill, committed_until_beat=float(plan.committed_until(now)),
            pending=plan.pending_presses(self.per_bar), listen_every_bars=max(1, self._every_bars),
            generation_ms_p95=1000 * self.parts.pace.p95_seconds, message=self.message, sample=deck.sample,
        )  # fmt: skip

    def _tell(self, text: str) -> None:
        self.message = text
        self._say(text)
        self._note("said", text=text)

    def _note(self, kind: str, **values: Any) -> None:
        self.parts.recorder.note(kind, self.sample_of(self._beat), round(float(self._beat), 4), **values)

    def close(self) -> None:
        """End the thread of the orders; waits for the one being carried out.  [main]"""
        if self._threaded:
            self._orders.put(None)
            self._thread.join()
            self._take_results()


class _Growing:
    """A lap whose music is copied out of the memory as it becomes known."""

    def __init__(self, first: int, audio: Audio, own: bool) -> None:
        self.audio = audio
        self._first, self._own = first, own
        self._known = 0

    @property
    def whole(self) -> bool:
        return self._known >= len(self.audio)

    def grow(self, memory: Memory) -> None:
        known = memory.end if self._own else memory.input_end
        until = min(known - self._first, len(self.audio))
        if until > self._known:
            read = memory.own if self._own else memory.input
            self.audio[self._known : until] = read(self._first + self._known, self._first + until)
            self._known = until


def _beats(stretch: Stretch) -> list[float]:
    return [float(stretch.begin), float(stretch.end)]


def count_in_samples(beats: int, grid: Grid) -> tuple[int, ...]:
    """The session samples of the clicks, and behind them the one where the timeline begins.  [any]"""
    notes = Fraction(4, grid.signature.denominator)
    return tuple(nearest(Fraction(grid.sample_at(number * notes))) for number in range(beats + 1))
