"""Acts on the faults that the guard detects, while there is time. All of it [generate].

    host    now .... margin ........ fault begins ..... detected
                                     |-- regenerated ------>          again    there is time for all of it
            now ..... fault begins ... margin .... detected
                                       |-- regenerated --->           late     its rest at least
            now ..... fault begins ... detected ... margin            late     if it lasts; else passed: it sounds

The stream goes back to the frame where the fault begins and draws with another seed, derived from its own, that frame
and the try. Nothing waits for it: the ring plays on. For a host that waits for its music the newest `HELD_SECONDS` are
held back, and are what can be regenerated, wherever that host is: a take is the same each time.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.control.parameters import GUARD
from bridge.time.transport import Transport
from engine.listen.faults import ENDING, LOOP, SILENCE
from engine.listen.seeds import derived_seed
from engine.serve.lane.lane import Lane
from engine.serve.lane.timing import LaneTiming
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.samples import HostSample, StreamSample, position_of

TRIES = 2  # each discards a lead of blocks, and a host passes over a thousand of them at a time
SAME_PLACE_SECONDS = 4.0  # faults closer together count as one, tried again
HELD_SECONDS = 4.0  # of music before the place where a fault is detected
HELD_MORE_SECONDS = 1.5  # checks and stretches of candidates may come this much later
CONTEXT_FRAMES = (25, 0)  # of the music before that a looping stream is conditioned on, try by try
LASTING = (SILENCE, ENDING, LOOP)  # they do not end by themselves
AGAIN, LATE, PASSED, GIVEN_UP = "again", "late", "passed", "given up"
GUARD_SALT = 1  # keeps these seeds apart from those of candidates


class GuardActions:
    """Acts on one lane's verdicts."""

    def __init__(self, lane: Lane, timing: LaneTiming, next_plan_revision: Callable[[], int]) -> None:
        self._lane, self._timing, self._next_plan_revision = lane, timing, next_plan_revision
        self.n_faults = self.n_passed = 0
        self._renderer: StreamRenderer | None = None
        self._tries, self._cut_sample = 0, 0

    def forget(self) -> None:
        """Release the renderer, and with it the model."""
        self._renderer = None

    def held_samples(self) -> int:
        """How much of the newest music is not for the ring yet."""
        if not self._lane.waits or not self._lane.settings.get(GUARD):
            return 0
        return int((HELD_SECONDS + HELD_MORE_SECONDS) * self._lane.ring.form.sample_rate_hz)

    def look(self, renderer: StreamRenderer, transport: Transport) -> bool:
        """Handle the guard's verdicts; True when the stream was taken back."""
        if renderer is not self._renderer:
            self._renderer, self.n_faults, self.n_passed, self._tries = renderer, 0, 0, 0
        while (verdict := renderer.guard_input.verdict) is not None:
            if not self._lane.settings.get(GUARD):
                renderer.guard_input.pardon(verdict)
                continue
            self.n_faults += 1
            rates = renderer.codec_output.rates  # the guard's frames are a codec frame's length of output
            begin, seen = (rates.stream_of(rates.start_of(at)) for at in (verdict.begin_frame, verdict.seen_frame))
            ready = self._ready(renderer, transport, seen)
            stream_sample, done = self._decide(begin, ready, None if verdict.what in LASTING else seen)
            fault = renderer.output.beat_map.beats_at(begin), verdict.what, done, verdict.sure
            self._lane.events.guard_acted(self._lane, *fault)
            if stream_sample is not None:
                self._again(renderer, transport, stream_sample, self._context(renderer, verdict.what, done))
                return True
            self.n_passed += 1
            renderer.guard_input.pardon(verdict)
        return False

    def _ready(self, renderer: StreamRenderer, transport: Transport, seen: StreamSample) -> StreamSample:
        """The first stream sample that can be regenerated, for a fault detected at `seen`."""
        rate = transport.sample_rate_hz
        margin = int((self._timing.margin_seconds if transport.playing else 0.0) * rate)
        ready = renderer.placement.stream_of(HostSample(transport.position_samples + margin))
        if self._lane.waits:
            ready = max(StreamSample(seen - int(HELD_SECONDS * rate)), renderer.output.stream_written)
        return max(ready, renderer.placement.unheard_samples, renderer.stream_settled)

    def _decide(
        self, begin: StreamSample, ready: StreamSample, end: StreamSample | None
    ) -> tuple[StreamSample | None, str]:
        """The stream sample from which the fault is regenerated, None if it is not; and the word for that.

        `end` is where the fault may be over, None if it lasts.
        """
        rate = self._lane.ring.form.sample_rate_hz
        follows = self._tries > 0 and begin - self._cut_sample < SAME_PLACE_SECONDS * rate
        if follows and self._tries >= TRIES:
            self._tries = 0
            return None, GIVEN_UP
        if end is not None and ready >= end:
            return None, PASSED
        self._tries = self._tries + 1 if follows else 1
        self._cut_sample = max(begin, ready)
        return self._cut_sample, AGAIN if begin >= ready else LATE

    def _context(self, renderer: StreamRenderer, what: str, done: str) -> int | None:
        """Frames of the music before that the model is conditioned on: none of the fault, or it would continue.

        None: all it keeps, in the open window if that has them; for a host that waits always in a new one, as it may
        have rolled already.
        """
        if what == LOOP:
            return CONTEXT_FRAMES[self._tries - 1]
        if done == LATE and what in LASTING:
            return 0
        return renderer.stream.settings.size.keep_frames if self._lane.waits else None

    def _again(
        self, renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample, context: int | None
    ) -> None:
        """Regenerate from a stream sample on."""

        def seed_of(frame: int) -> int:
            return derived_seed(renderer.seed, GUARD_SALT, frame, self._tries)

        renderer.make_again(position_of(transport), stream_sample, seed_of, context, self._next_plan_revision())
