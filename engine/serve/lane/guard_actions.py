"""Acts on the faults that the guard detects, while there is time. All of it [generate].

    host    now .... margin ........ fault begins ..... detected
                                     |-- regenerated ------>          again    there is time for all of it
            now ..... fault begins ... margin .... detected
                                       |-- regenerated --->           late     its rest at least
            now ..... fault begins ... detected ... margin            late     if it lasts; else passed: it sounds

The stream goes back to the frame where the fault begins and draws with another seed, derived from its own, that frame
and the try. Nothing waits for it: the ring plays on.
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
            stream_sample, done = self._decide(renderer, transport, begin, None if verdict.what in LASTING else seen)
            fault = renderer.output.beat_map.beats_at(begin), verdict.what, done, verdict.sure
            self._lane.events.guard_acted(self._lane, *fault)
            if stream_sample is not None:
                self._again(renderer, transport, stream_sample, self._context(verdict.what, done))
                return True
            self.n_passed += 1
            renderer.guard_input.pardon(verdict)
        return False

    def _decide(
        self, renderer: StreamRenderer, transport: Transport, begin: StreamSample, end: StreamSample | None
    ) -> tuple[StreamSample | None, str]:
        """The stream sample from which the fault is regenerated, None if it is not; and the word for that.

        `end` is where the fault may be over, None if it lasts.
        """
        rate = transport.sample_rate_hz
        follows = self._tries > 0 and begin - self._cut_sample < SAME_PLACE_SECONDS * rate
        if follows and self._tries >= TRIES:
            self._tries = 0
            return None, GIVEN_UP
        margin = int((self._timing.margin_seconds if transport.playing else 0.0) * rate)
        ready = renderer.placement.stream_of(HostSample(transport.position_samples + margin))
        ready = max(ready, renderer.placement.unheard_samples, renderer.stream_settled)
        if end is not None and ready >= end:
            return None, PASSED
        self._tries = self._tries + 1 if follows else 1
        self._cut_sample = max(begin, ready)
        return self._cut_sample, AGAIN if begin >= ready else LATE

    def _context(self, what: str, done: str) -> int | None:
        """Frames of the music before that the model is conditioned on: none of the fault, or it would continue."""
        if what == LOOP:
            return CONTEXT_FRAMES[self._tries - 1]
        return 0 if done == LATE and what in LASTING else None

    def _again(
        self, renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample, context: int | None
    ) -> None:
        """Regenerate from a stream sample on."""

        def seed_of(frame: int) -> int:
            return derived_seed(renderer.seed, GUARD_SALT, frame, self._tries)

        renderer.make_again(position_of(transport), stream_sample, seed_of, context, self._next_plan_revision())
