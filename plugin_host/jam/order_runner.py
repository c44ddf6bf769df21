"""Carries out the orders of a plan: sends references to the lanes, repeats bars on the deck, reports the results.

order --> its references, from the memory --> JamLanes.do, on a thread --> result --> plan, timing
      --> repeats and silences, on the deck
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from bridge.region.capture import Captured
from bridge.region.region import SECONDS_MIN
from bridge.ring.form import Audio
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.deck import Repeat as Lap
from plugin_host.jam.errors import JamError
from plugin_host.jam.input_filter import given
from plugin_host.jam.jam_lanes import JamLanes, OrderMusic, Result
from plugin_host.jam.jam_time import JamTime, Notes, beats_of
from plugin_host.jam.listening.level import loudness_lufs
from plugin_host.jam.orders import Accompany, Answer, Order, Release, Relisten, Repeat, Stop, Stretch, Vary
from plugin_host.jam.plan import Moment, Plan
from plugin_host.jam.session_audio import JamMemory
from plugin_host.jam.timing import JamTiming

FAR_SAMPLES = 1 << 60
PLAYS = (Answer, Accompany, Vary)
SILENCE: Audio = np.zeros((0, 1), np.float32)
_Job = tuple[Order, OrderMusic, float]


class OrderRunner:
    """Carries out one jam's orders. `threaded`: on a thread of its own, so that nothing waits for the engine."""

    def __init__(
        self,
        deck: JamDeck,
        memory: JamMemory,
        jam_lanes: JamLanes,
        timing: JamTiming,
        time: JamTime,
        notes: Notes,
        threaded: bool,
    ) -> None:
        self._deck, self._memory, self._jam_lanes, self._timing = deck, memory, jam_lanes, timing
        self._time, self._notes = time, notes
        self._growing: list[_Growing] = []
        self._sent: dict[Order, Fraction] = {}  # beats
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._missed_samples = 0  # up to the last listening
        self._thread = threading.Thread(target=self._work, name="segue-jam-orders", daemon=True) if threaded else None
        if self._thread is not None:
            self._thread.start()

    # -- orders -----------------------------------------------------------------------------------------

    def carry_out(self, order: Order, now: Moment) -> None:
        """Carry out an order, or hand it to the thread.  [main]"""
        heard = self._music_for(order)
        stretch = order.loop if isinstance(order, Vary) else getattr(order, "heard", getattr(order, "music", None))
        listens = {} if stretch is None else {"heard": beats_of(stretch)}
        self._notes.note("order", now.beats, order=_name(order), bar=order.bar, **listens)
        if isinstance(order, (Repeat, Release, Stop)):
            self._lay(order)
        if isinstance(order, (Repeat, Release)):
            return
        if isinstance(order, Relisten):
            missed = sum(each.counters.missed_samples for each in self._deck.processors)
            self._timing.listened(missed > self._missed_samples)
            self._missed_samples = missed
        self._sent[order] = now.beats
        job = (order, heard, float(self._time.per_bar))
        if self._thread is not None:
            self._jobs.put(job)
        else:
            self._results.put(self._jam_lanes.do(*job))

    def _music_for(self, order: Order) -> OrderMusic:
        """The music that an order listens to, and how loud the player is."""
        stretch = order.loop if isinstance(order, Vary) else getattr(order, "heard", None)
        if stretch is None:
            return OrderMusic()
        begin, end = self._time.sample_of(stretch.begin), self._time.sample_of(stretch.end)
        grid, memory = self._time.grid, self._memory
        if end - begin < grid.sample_rate_hz * SECONDS_MIN:
            return OrderMusic()
        own = isinstance(order, Vary) and order.own
        audio = memory.own(begin, end) if own else memory.input(begin, end)
        loudness = None if own else loudness_lufs(audio, grid.sample_rate_hz)
        if isinstance(order, Answer):
            audio = given(audio, grid.sample_rate_hz, grid.tempo_bpm) + memory.own(begin, end)
        return OrderMusic(Captured(audio, grid.sample_rate_hz, grid.tempo_bpm, float(stretch.begin)), loudness)

    def _lay(self, order: Repeat | Release | Stop) -> None:
        """Bars that go round, or silence, from a bar on; what was laid before ends there."""
        start = self._time.grid.bar_start(order.bar)
        laps = [replace(each, end=min(each.end, start)) for each in self._live()]
        if isinstance(order, Stop):
            laps.append(Lap(start, FAR_SAMPLES, SILENCE))
        if isinstance(order, Repeat):
            end = self._time.grid.bar_start(order.bar + order.bars) if order.bars else FAR_SAMPLES
            laps.append(Lap(start, end, self._grown(order.music, order.own)))
        self._deck.repeats = tuple(laps)

    def _grown(self, music: Stretch, own: bool) -> Audio:
        """The music of a stretch; what of it is still to be played is filled in as it is."""
        begin, end = self._time.sample_of(music.begin), self._time.sample_of(music.end)
        growing = _Growing(begin, np.zeros((end - begin, self._deck.processor.channels), np.float32), own)
        self._growing.append(growing)
        self.grow()
        return growing.audio

    def _live(self) -> Iterator[Lap]:
        position = self._deck.timeline.now.position_samples
        return (each for each in self._deck.repeats if each.end + self._time.rate_hz > position)

    def grow(self) -> None:
        """Fill in what has become known of the bars that go round.  [main]"""
        for each in self._growing:
            each.grow(self._memory)
        self._growing = [each for each in self._growing if not each.whole]

    def clear(self) -> None:
        """Nothing goes round any more.  [main]"""
        self._deck.repeats = ()

    # -- results ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._results.put(self._jam_lanes.do(*job))

    def take_results(self, plan: Plan) -> None:
        """Tell the plan and the pace what came of the orders.  [main]"""
        while not self._results.empty():
            self._take(self._results.get(), plan)

    def _take(self, result: Result, plan: Plan) -> None:
        order, beats = result.order, self._time.beats
        sent = self._sent.pop(order, beats)
        took = {} if self._timing.fixed or result.seconds is None else {
            "seconds": round(result.seconds, 4), "needs_seconds": round(result.needs_seconds, 4)
        }  # fmt: skip
        self._notes.note(
            "result", sent, order=_name(order), asked=order.bar, bar=result.bar, fault=result.fault, **took
        )
        if result.fault and self._thread is None:
            raise JamError(f"the engine did not play: {result.fault}")
        if result.fault:
            self._notes.tell(f"the engine: {result.fault}", sent)
            if isinstance(order, PLAYS):  # it is tried again
                now = Moment(beats, self._time.grid, self._timing.lead_beats(self._time.grid))
                plan.moved(order.bar, max(order.bar + 1, now.reachable()), ordered=False)
            return
        if result.seconds is not None and not isinstance(order, Stop):
            self._timing.took(result.seconds)
            if isinstance(order, PLAYS):
                self._timing.needs(result.needs_seconds)
        if result.bar > order.bar:
            allowed = (order.bar * self._time.per_bar - sent) * 60 / Fraction(self._time.grid.tempo_bpm)
            self._timing.was_late(float(allowed))
            self._notes.tell(f"late: at bar {result.bar + 1} instead of {order.bar + 1}", sent)
            if isinstance(order, PLAYS):
                plan.moved(order.bar, result.bar)
        if isinstance(order, PLAYS):
            start = self._time.grid.bar_start(result.bar)
            self._deck.repeats = tuple(replace(each, end=min(each.end, start)) for each in self._live())

    def close(self) -> None:
        """End the thread, after the order that is being carried out.  [main]"""
        self._jam_lanes.close()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()


class _Growing:
    """Music that is copied out of the memory as it becomes known."""

    def __init__(self, first: int, audio: Audio, own: bool) -> None:
        self.audio = audio
        self._first, self._own = first, own
        self._known = 0

    @property
    def whole(self) -> bool:
        return self._known >= len(self.audio)

    def grow(self, memory: JamMemory) -> None:
        known = memory.end if self._own else memory.input_end
        until = min(known - self._first, len(self.audio))
        if until > self._known:
            read = memory.own if self._own else memory.input
            self.audio[self._known : until] = read(self._first + self._known, self._first + until)
            self._known = until


def _name(order: Order) -> str:
    return type(order).__name__.lower()
