"""A renderer whose frames come from a journal, and a ring that takes what the first one took. All [generate]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from bridge.ring.form import Audio, PlaybackPlan
from bridge.ring.writer import RingWriter
from engine.listen.seeds import derived_seed
from engine.lm.executors.base import Executor
from engine.serve.journal.values import JournalError
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.timeline.samples import HostSample
from engine.stream import StreamSettings, TokenStream

REPAIR_SALT = 3  # keeps these seeds apart from those of guard and candidates
DRAW_FRAMES = 8
MOST_FRAMES = 100  # that a codec may hold back


class PlayedTokens:
    """In place of a `TokenStream`: its frames are appended as they are read, none is drawn."""

    def __init__(self, codes: Tensor | None, settings: StreamSettings, n_codebooks: int, first_frame: int) -> None:
        self.settings = settings
        self.first_frame = self.n_frames = self.free_frame = first_frame
        self.finished = False
        self._codes = torch.zeros(n_codebooks, first_frame, dtype=torch.int16)
        if codes is not None:
            self.append(codes)

    @classmethod
    def begin(
        cls,
        executor: Executor,
        conditions: Any,
        prompt: Tensor | None,
        settings: StreamSettings,
        seed: int,
        first_frame: int,
    ) -> PlayedTokens:
        """See `TokenStream`."""
        return cls(prompt, settings, executor.lm.config.n_codebooks, first_frame)

    def append(self, codes: Tensor) -> None:
        """Append frames [K, n]."""
        self._codes = torch.cat([self._codes[:, : self.n_frames], codes.to("cpu", torch.int16)], dim=1)
        self.n_frames = self._codes.shape[1]

    def drawn(self, free_frame: int, finished: bool) -> None:
        """How far the first stream was."""
        self.free_frame, self.finished = free_frame, finished

    def codes(self, start: int = 0, stop: int | None = None) -> Tensor:
        """See `TokenStream`."""
        return self._codes[:, start : self.n_frames if stop is None else min(stop, self.n_frames)].long()

    def rewind(self, n_frames: int, context_frames: int | None = None) -> None:
        """See `TokenStream`."""
        self.n_frames = n_frames

    def again_from(self, n_frames: int, settings: StreamSettings | None = None) -> bool:
        """See `TokenStream`."""
        self.n_frames, self.settings = n_frames, settings or self.settings
        return True

    def roll(self, conditions: Any = None, settings: StreamSettings | None = None) -> None:
        """See `TokenStream`."""
        self.settings = settings or self.settings

    def draw_by(self, settings: StreamSettings) -> None:
        """See `TokenStream`."""
        self.settings = replace(self.settings, sampling=settings.sampling, guidance=settings.guidance)

    def with_total(self, total_frames: int | None) -> None:
        """See `TokenStream`."""
        self.settings = replace(self.settings, total_frames=total_frames)

    def reseed(self, seed: int) -> None:
        """Nothing: nothing is drawn."""

    def retime(self, renew: Any) -> None:
        """Nothing: nothing is drawn."""


class PlayedRenderer(StreamRenderer):
    """A renderer that draws no frames."""

    token_stream = cast(type[TokenStream], PlayedTokens)

    def read(self, codes: Tensor) -> None:
        """The next frames [K, n] of the journal."""
        cast(PlayedTokens, self.stream).append(codes)
        self.keep(codes)

    def draw_on(self, until: HostSample) -> int:
        """Draw frames that were never made, so that the music reaches a host position; returns how many.

        They follow the made music under its settings; the seed is derived from the stream's and the place.
        """
        played = cast(PlayedTokens, self.stream)
        first = max(played.first_frame, played.n_frames - played.settings.size.keep_frames)
        settings = replace(played.settings, total_frames=None, prepared=False)
        seed = derived_seed(self.seed, REPAIR_SALT, played.n_frames)
        drawn = TokenStream.begin(
            self.model.executor, self.conditioning, played.codes(first), settings, seed, first_frame=first
        )
        begun = played.n_frames
        with torch.no_grad():
            while self.output.placement.host_of(self.output.stream_made) < until and not played.finished:
                made = self.output.stream_made
                self.read(drawn.advance(DRAW_FRAMES))
                if self.output.stream_made == made and played.n_frames > begun + MOST_FRAMES:
                    break  # the music has ended
        return played.n_frames - begun

    def as_it_was(self, behind: int, gain: float, free_frame: int | None, finished: bool) -> None:
        """Set what the next operation depends on besides earlier ones."""
        if behind:
            self.output.catch_up.host_at(cast(Any, behind))
        else:
            self.output.catch_up.done()
        self.output.fader.set(gain, self.output.fader.set_to[1])
        if free_frame is not None:
            cast(PlayedTokens, self.stream).drawn(free_frame, finished)


class PlayedRing(RingWriter):
    """Takes as many samples of each write as the first ring did."""

    _allowed: tuple[tuple[int, int], ...] | None = ()
    _plans: tuple[int, ...] = ()
    _play_to: Callable[[int], None] = staticmethod(lambda sample: None)

    def heard_by(self, play_to: Callable[[int], None]) -> None:
        """`play_to` has the host play up to a sample, before it finds what comes next."""
        self._play_to = play_to

    def allow(self, row: dict[str, Any]) -> None:
        """Samples of a line's writes, one after the other, and where the host was.  JournalError if some are left."""
        if self._allowed:
            raise JournalError("the journal has more writes than were made again")
        self._allowed = tuple((int(taken), int(sample)) for taken, sample in row.get("taken", ()))
        self._plans = tuple(int(sample) for sample in row.get("plans", ()))

    def set_plan(self, plan: PlaybackPlan) -> None:
        """See `RingWriter`."""
        if self._plans:
            self._play_to(self._plans[0])
            self._plans = self._plans[1:]
        super().set_plan(plan)

    def allow_all(self) -> None:
        """Take the coming writes whole."""
        self._allowed = None

    def write(
        self, position_samples: int, audio: Audio, plan_revision: int, seek_id: int = 0, shift_samples: int = 0
    ) -> int:
        """See `RingWriter`; JournalError if the first ring took more, or this one has no room."""
        if self._allowed is None:
            return super().write(position_samples, audio, plan_revision, seek_id, shift_samples)
        if not self._allowed or self._allowed[0][0] > len(audio):
            allowed = self._allowed[0][0] if self._allowed else 0
            raise JournalError(f"{len(audio)} samples were made again where {allowed} were written")
        (wanted, sample), self._allowed = self._allowed[0], self._allowed[1:]
        self._play_to(sample)
        taken = super().write(position_samples, audio[:wanted], plan_revision, seek_id, shift_samples)
        if taken != wanted:
            raise JournalError(f"the ring took {taken} samples, the first time {wanted}")
        return taken
