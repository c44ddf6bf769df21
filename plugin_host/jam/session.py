"""One jam, in samples and bars: it knows neither device nor file.

    deck --blocks--> input filter --> memory --beat by beat--> plan --orders--> runner --> lanes, deck (repeats)
                     |                                ^                 |
                     +--> recorder                 presses           results

`step` does all that has become due, in the order of the samples, whatever thread or clock calls it: in real time some
hundred times a second, offline after every block. Decisions depend on samples alone, not on when `step` is called.
"""

from __future__ import annotations

import math
import queue
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from bridge.time.units import samples_to_seconds
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.first_loop import FirstLoop
from plugin_host.jam.input_filter import InputFilter, level_db
from plugin_host.jam.jam_lanes import JamLanes
from plugin_host.jam.jam_time import JamTime, Notes, Recorder
from plugin_host.jam.modes.common import JamMode
from plugin_host.jam.order_runner import OrderRunner
from plugin_host.jam.plan import Moment, Plan
from plugin_host.jam.session_audio import STANDING, JamMemory, QueuedBlock
from plugin_host.jam.state import SILENT_DB, JamState, Phase, Press, PressReply
from plugin_host.jam.timing import JamTiming

FALL_DB = 40.0  # a second, of the levels that are shown


@dataclass(frozen=True)
class Parts:
    """What a session is made of."""

    deck: JamDeck
    memory: JamMemory
    input_filter: InputFilter
    jam_lanes: JamLanes
    recorder: Recorder
    timing: JamTiming
    mode: JamMode


class JamSession:
    """Runs a jam. `threaded`: orders are carried out on a thread of their own, so that no press waits for the engine.

    With `first_loop` the first recorded loop sets tempo and timeline. `on_phase` gets each phase that has ended, with
    its first bar and the one behind its last; `on_heard` the player's music as it becomes known; `on_reply` the replies
    to all presses.
    """

    def __init__(self, parts: Parts, threaded: bool, first_loop: FirstLoop | None = None) -> None:
        self.parts = parts
        self.plan = Plan(parts.mode)
        self.time = JamTime(parts.deck)
        self.notes = Notes(parts.recorder, self.time)
        self.on_phase: Callable[[Phase, int, int], None] = lambda phase, bar, until: None
        self.on_heard: Callable[[Audio], None] = lambda heard: None
        self.on_reply: Callable[[PressReply], None] = lambda reply: None
        self._runner = OrderRunner(
            parts.deck, parts.memory, parts.jam_lanes, parts.timing, self.time, self.notes, threaded
        )
        self._first_loop = first_loop
        self._at: Fraction | None = None  # the beat of the next tick
        self._playing = False
        self._levels = [SILENT_DB, SILENT_DB]
        self._every_bars = 0
        self._noted: tuple[Phase, int] = (self.plan.phase, self.plan.since_bar)
        self._leak_text = parts.input_filter.leak_text  # of files there is nothing to say
        self._presses: queue.SimpleQueue[tuple[Press, Callable[[PressReply], None]]] = queue.SimpleQueue()

    def press(self, press: Press, replied: Callable[[PressReply], None]) -> None:
        """Take a press; the reply comes from the session's thread.  [any]"""
        at = self.parts.deck.sample if press.at_sample is None else press.at_sample
        self._presses.put((replace(press, at_sample=at), replied))

    # -- what has become due ----------------------------------------------------------------------------

    def step(self) -> None:
        """Do all that has become due.  [main]"""
        for block in self.parts.deck.block_queue.take():
            self._receive(block)
        self._runner.take_results(self.plan)
        if self.time.begun:
            self._note_phase(self.time.beats)
        self._take_presses()
        while (now := self._next_moment()) is not None:
            self._tick(now)
            self._runner.take_results(self.plan)
            self._note_phase(now.beats)
        self._runner.grow()

    def _receive(self, block: QueuedBlock) -> None:
        memory, n = self.parts.memory, len(block.played)
        if block.position_samples != STANDING and block.sample - block.position_samples != self.time.shift:
            self._jumped(block.position_samples, block.sample - block.position_samples)
        sounded = block.played.copy()  # with the clicks, which are no music of a jam, but leak as it does
        self.parts.deck.add_clicks(sounded, block.sample)
        heard = self.parts.input_filter.push(block.captured, sounded)
        memory.keep(heard, block.played)
        self.on_heard(heard)
        begin = block.sample - memory.round_trip_samples  # when the player heard what was played as this was captured
        captured = block.captured[max(0, -begin) :]
        if len(captured):
            self.parts.recorder.add(max(0, begin), captured, memory.own(max(0, begin), begin + n))
        for side, audio in enumerate((block.captured, block.played)):
            self._levels[side] = max(level_db(audio), self._levels[side] - FALL_DB * n / self.time.rate_hz)

    def _jumped(self, position: int, shift: int) -> None:
        """The timeline begins, or its leader has jumped: the plan begins on the next bar."""
        began, self.time.shift = not self.time.begun, shift
        bar = 0 if self._first_loop is not None else self.time.grid.next_bar(position)
        self._at = bar * self.time.per_bar
        self.notes.note("timeline", self.time.grid.beats_at(position), bpm=self.time.grid.tempo_bpm)
        if not began:
            self.notes.tell("the leader has jumped: from the next bar", self._at)
            self._runner.clear()
            self.plan = Plan(self.parts.mode, bar)

    def _next_moment(self) -> Moment | None:
        """The next beat, if the player's music is known up to it."""
        if self._at is None or self.time.sample_of(self._at) > self.parts.memory.input_end:
            return None
        beats, per_bar = self._at, self.time.per_bar
        self._at = min(beats + 1, (math.floor(beats / per_bar) + 1) * per_bar)
        last = self.parts.input_filter.last_played
        since = self.time.sample_of(beats - 1) + self.parts.memory.round_trip_samples
        self._playing = last is not None and last >= since
        return self._moment(beats)

    def _moment(self, beats: Fraction) -> Moment:
        return Moment(beats, self.time.grid, self.parts.timing.lead_beats(self.time.grid), self._playing)

    def _tick(self, now: Moment) -> None:
        orders = self.plan.tick(now)
        self._note_phase(now.beats)
        self._report_timing(now)
        for order in orders:
            self._runner.carry_out(order, now)

    def _note_phase(self, beats: Fraction) -> None:
        """Note a phase that has begun; one that begins later after all was noted too early, and is taken back."""
        phase, bar = self.plan.phase, self.plan.since_bar
        if (phase, bar) == self._noted:
            return
        (was, since), self._noted = self._noted, (phase, bar)
        self.notes.note("phase", beats, was=was, phase=phase, bar=bar)
        if bar >= since:
            self.on_phase(was, since, bar)

    def _report_timing(self, now: Moment) -> None:
        """Say when the interval between listenings changes, and what leaks."""
        every = self.parts.timing.listen_every_bars(self.parts.mode.bars or 1, now.grid)
        if self._every_bars and every != self._every_bars and self.parts.mode.name == "accompany":
            bars = "every bar" if every == 1 else f"every {every} bars"
            self.notes.tell(f"generation takes {self.parts.timing.p95_seconds:.1f} s here: listening {bars}", now.beats)
        self._every_bars = every
        text = self.parts.input_filter.leak_text
        if text != self._leak_text:
            self._leak_text = text
            self.notes.tell(text, now.beats)

    # -- presses ----------------------------------------------------------------------------------------

    def _take_presses(self) -> None:
        while not self._presses.empty():
            press, replied = self._presses.get()
            reply, at = self._pressed(press), press.at_sample or 0
            beat = round(float(self.time.beats_of(at)), 4) if self.time.begun else 0.0
            self.parts.recorder.note(
                "press", at, beat, verb=press.verb, bars=press.bars, source=press.source, accepted=reply.accepted,
                bar=reply.at_bar, text=reply.text,
            )  # fmt: skip
            self.on_reply(reply)
            replied(reply)

    def _pressed(self, press: Press) -> PressReply:
        if not self.time.begun:
            if self._first_loop is not None:
                return self._first_loop.press(press, self.parts.deck.timeline, self.parts.mode)
            return PressReply(press, False, 0, 0.0, "the jam has not begun yet")
        return self.plan.press(press, self.time.beats_of(press.at_sample or 0), self._moment(self.time.beats))

    # -- how it is --------------------------------------------------------------------------------------

    def state(self) -> JamState:
        """How the jam is, now.  [any]"""
        deck, plan, timing, per_bar = self.parts.deck, self.plan, self.parts.timing, self.time.per_bar
        beats, change = self.time.beats, plan.next_change()
        phase: Phase = plan.phase if self.time.begun else "count in"
        coming: Phase = plan.phase if change is None or not self.time.begun else change.to
        left = Fraction(0) if change is None else change.bar * per_bar - beats
        if not self.time.begun:
            beats = max(beats, Fraction(-64)) if self._first_loop is None else Fraction(0)
            left = -beats
        fill = float(samples_to_seconds(deck.processor.fill_samples, self.time.rate_hz))
        return JamState(
            mode=plan.mode.name, state=phase, next_state=coming, beats_to_change=max(0.0, float(left)),
            bar=math.floor(beats / per_bar), beat=float(beats), bpm=self.time.grid.tempo_bpm,
            beats_per_bar=float(per_bar), level_in_db=self._levels[0], level_out_db=self._levels[1],
            ring_fill_ms=1000 * fill, committed_until_beat=float(plan.committed_until(self._moment(beats))),
            pending=plan.pending_presses(per_bar), listen_every_bars=max(1, self._every_bars),
            generation_ms_p95=1000 * timing.p95_seconds, message=self.notes.message, sample=deck.sample,
        )  # fmt: skip

    def close(self) -> None:
        """End the thread of the orders, take in what came of the last one, and end the phase.  [main]"""
        self._runner.close()
        self._runner.take_results(self.plan)
        last = math.floor(self.time.beats / self.time.per_bar)
        if self.time.begun and last > self._noted[1]:
            self.on_phase(*self._noted, last)


def count_in_samples(beats: int, grid: Grid) -> tuple[int, ...]:
    """The session samples of the clicks, and behind them the one where the timeline begins.  [any]"""
    notes = Fraction(4, grid.signature.denominator)
    return tuple(grid.sample_at(number * notes) for number in range(beats + 1))
