"""An endless stream of codes: windows that roll, each a new run whose prompt is the kept tokens of the previous one.

    window 0   [prompt|----------- new -----------]
    window 1              [---- kept ----|--- new ---]      `stride_frames` later, conditions computed there
    window 2                      [---- kept ----|--- new ---]

The state of a stream is its codes, its window's first frame, and the random generator. All counts are whole frames
(the reference computes them in floating-point seconds and sometimes loses one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from engine.core.guidance import Guidance
from engine.core.sampling import Sampling, seeded_generator
from engine.lm import Conditions
from engine.lm.executors.base import Executor, StepRequest
from engine.stream.changing import renew
from engine.stream.next_window import NextWindow
from engine.stream.window import Window, WindowSize

CONTEXT_AT_LEAST = 50  # frames that a window must have before a frame, to continue from there
WindowConditions = Callable[[int, int], tuple[Conditions, ...]]  # (offset_frames, window_frames)


@dataclass(frozen=True)
class StreamSettings:
    """A stream's sampling, guidance and windows; `total_frames` None = endless (including the prompt).

    Windows leave room for `spare_frames` after that end, so that it can move a little. With `prepared` the next
    window's prompt is read while the open one plays.  [any]
    """

    sampling: Sampling = field(default_factory=Sampling)
    guidance: Guidance = field(default_factory=Guidance)
    size: WindowSize = field(default_factory=WindowSize)
    total_frames: int | None = None
    spare_frames: int = 0
    prepared: bool = False

    def frames_at(self, offset_frames: int) -> int:
        """Frames of a window that begins at a stream frame.  [any]"""
        if self.total_frames is None:
            return self.size.window_frames
        return min(self.size.window_frames, self.total_frames + self.spare_frames - offset_frames)


class TokenStream:
    """Yields completed frames of one lane; make it with `begin`, take frames with `advance`."""

    def __init__(
        self,
        executor: Executor,
        conditions: WindowConditions,
        settings: StreamSettings,
        generator: torch.Generator,
        first_frame: int = 0,
    ) -> None:
        self.executor = executor
        self.config = executor.lm.config
        settings.sampling.check(self.config.card)
        self.conditions = conditions
        self.settings = settings
        self.generator = generator
        self.window: Window | None = None
        self.next_window: NextWindow | None = None
        self.first_frame = first_frame  # earlier codes are not known: another model played there
        self.window_offset = first_frame  # stream frame at which the window begins
        self._codes = torch.zeros(self.config.n_codebooks, max(1024, 2 * first_frame), dtype=torch.int16)
        self._fresh: list[Tensor] = []
        self.n_frames = first_frame  # completed frames, including the prompt

    @classmethod
    def begin(
        cls,
        executor: Executor,
        conditions: WindowConditions,
        prompt: Tensor | None = None,
        settings: StreamSettings | None = None,
        seed: int = 0,
        first_frame: int = 0,
    ) -> TokenStream:
        """A stream whose first frames are the prompt codes [K, P] (None = none); nothing is computed yet.

        Frames count from `first_frame`: a stream that takes over from another model's knows only its prompt of it.
        Raises ValueError if the prompt fills window or total, or `top_k` exceeds the codebook.  [generate]
        """
        settings = settings or StreamSettings()
        stream = cls(executor, conditions, settings, seeded_generator(seed, executor.lm.device), first_frame)
        if prompt is not None:
            _check_prompt(prompt, stream.config.n_codebooks, settings, first_frame)
            stream.append(prompt)
        return stream

    @property
    def finished(self) -> bool:
        """Whether `total_frames` are complete.  [generate]"""
        total = self.settings.total_frames
        return total is not None and self.n_frames >= total

    def codes(self, start: int = 0, stop: int | None = None) -> Tensor:
        """Codes [K, n] int64 (CPU) of completed frames `start` to `stop`, including the prompt.  [generate]"""
        stop = self.n_frames if stop is None else min(stop, self.n_frames)
        return self._settled()[:, start:stop].long()

    def advance(self, n_frames: int) -> Tensor:
        """Complete up to `n_frames` more; returns codes [K, n] int64, fewer only at the stream's end.  [generate]"""
        start = self.n_frames
        while self.n_frames < start + n_frames and not self.finished:
            self.step()
        return self.codes(start, start + n_frames)

    def open_window(self) -> Window:
        """The window that takes the next step; rolls if the present one is full.  [generate]"""
        if self.window is not None and self.window.done:
            self._open(self.window_offset + self.settings.size.stride_frames, rolled=True)
        elif self.window is None:
            self._open(self.window_offset)
        assert self.window is not None
        return self.window

    def step(self) -> None:
        """Draw the next step of this stream alone; its prompt is read as in a batch.  [generate]"""
        while not self.read_piece():
            pass
        (fault,) = self.executor.take([self.request()])
        if fault is not None:
            raise fault
        self.was_drawn()

    def read_piece(self) -> bool:
        """Read a piece of the open window's prompt, if one is left; else True: a step is next.  [generate]"""
        return self.open_window().read_piece()

    def request(self) -> StepRequest:
        """The request for the open window's next step; call `was_drawn` after it.  [generate]"""
        window = self.open_window()
        renew(window, self.conditions, self.window_offset, self.free_frame if window.next_step else self.n_frames)
        return window.request(self.settings.sampling, self.settings.guidance, self.generator)

    def was_drawn(self) -> None:
        """Take complete frames after the step of `request`.  [generate]"""
        assert self.window is not None
        self.window.was_drawn()
        self._keep_complete(self.window)

    def _keep_complete(self, window: Window) -> None:
        known = self.n_frames - self.window_offset
        if window.complete_frames > known:
            self.append(window.codes(known, window.complete_frames))
            if self.next_window is not None:
                size = self.settings.size
                self.next_window.look(self.codes, self.n_frames, size.stride_frames / size.keep_frames)

    def roll(self, conditions: WindowConditions | None = None, settings: StreamSettings | None = None) -> None:
        """Begin a new window at the next step, from the complete frames; incomplete frames are dropped.

        New conditions and settings apply from there on. The window starts `keep_frames` back, or at the stream's start.
        Raises ValueError, and changes nothing, for settings that this model does not support.  [generate]
        """
        settings = settings or self.settings
        settings.sampling.check(self.config.card)
        self.settings = settings
        self.conditions = conditions or self.conditions
        self.window_offset = max(self.first_frame, self.n_frames - settings.size.keep_frames)
        self.window = self.next_window = None

    def rewind(self, n_frames: int, context_frames: int | None = None) -> None:
        """Drop all frames after the first `n_frames` (the prompt counts), and begin a new window there.

        That window's prompt is the last `context_frames`; None: as many as a window keeps.  Raises ValueError if there
        are fewer frames, or it lies before the first known one.  [generate]
        """
        if not self.first_frame <= n_frames <= self.n_frames:
            raise ValueError(f"cannot go back to frame {n_frames}: there are {self.first_frame} to {self.n_frames}")
        self._settled()
        self.n_frames = n_frames
        self.roll()
        if context_frames is not None:
            self.window_offset = max(self.first_frame, n_frames - context_frames)

    def reseed(self, seed: int) -> None:
        """Draw the following frames with another seed.  [generate]"""
        self.generator = seeded_generator(seed, self.executor.lm.device)

    def again_from(self, n_frames: int, settings: StreamSettings | None = None) -> bool:
        """Drop the frames after the first `n_frames` and continue in the same window, without a new prefill.

        The following frames are drawn by `settings` if given, whose conditions must be those of the window. Returns
        False, and does nothing, if that window has too few earlier frames, or other rows.  Raises ValueError for
        settings that this model does not support.  [generate]
        """
        window, known = self.window, n_frames - self.window_offset
        settings = settings or self.settings
        if window is None or window.next_step == 0 or not CONTEXT_AT_LEAST <= known <= window.complete_frames:
            return False
        if n_frames > self.n_frames or not settings.guidance.same_rows(self.settings.guidance):
            return False
        settings.sampling.check(self.config.card)
        self._settled()
        self.settings, self.n_frames = settings, n_frames
        window.back_to(known)
        self._prepare() if self.next_window is None else self.next_window.back_to(n_frames)
        return True

    def draw_by(self, settings: StreamSettings) -> None:
        """Draw by other sampling and guidance of as many rows; ValueError if the model cannot.  [generate]"""
        settings.sampling.check(self.config.card)
        self.settings = replace(self.settings, sampling=settings.sampling, guidance=settings.guidance)

    def go_on_in(self, window: Window, offset_frames: int) -> None:
        """Take the next steps in a window that begins at a stream frame and has all drawn frames.  [generate]"""
        self.window, self.window_offset = window, offset_frames

    @property
    def free_frame(self) -> int:
        """First frame whose conditions no step has read yet.  [generate]"""
        return self.n_frames if self.window is None else self.window_offset + self.window.free_row

    def retime(self, renew: Callable[[tuple[Conditions, ...], int, int], None]) -> None:
        """Have `renew(conditions, offset_frames, first_row)` rewrite the conditions of the open window's coming frames.

        Does nothing without an open window.  [generate]
        """
        window = self.window
        if window is not None:
            row = window.free_row
            renew(window.conditions, self.window_offset, row)
            window.conditions_changed(row)
        ahead = None if self.next_window is None else self.next_window.window
        if self.next_window is not None and ahead is not None:
            renew(ahead.conditions, self.next_window.offset, ahead.free_row)
            ahead.conditions_changed(ahead.free_row)

    def with_total(self, total_frames: int | None) -> None:
        """Change the stream's end; a window that is too short for it is begun again.  [generate]"""
        self.settings = replace(self.settings, total_frames=total_frames)
        window = self.window
        if window is not None and window.n_frames < self.settings.size.window_frames:
            end = self.window_offset + window.n_frames
            if total_frames is None or end < total_frames:
                self.roll()

    def _open(self, offset: int, rolled: bool = False) -> None:
        """Open a window at stream frame `offset`; its prompt is the complete frames from there on."""
        n_frames = self.settings.frames_at(offset)
        if rolled and self.settings.prepared:
            if self.next_window is None or (self.next_window.offset, self.next_window.n_frames) != (offset, n_frames):
                self.next_window = NextWindow(self.executor, self.conditions, offset, n_frames, self.n_frames)
            self.window = self.next_window.ready(self.codes, self.n_frames)
        else:
            prompt = self.codes(offset).to(self.executor.lm.device)
            self.window = Window(self.executor, self.conditions(offset, n_frames), prompt, n_frames)
        self.window_offset = offset
        self._prepare()

    def _prepare(self) -> None:
        """Begin to prepare the window after the open one, if there will be one."""
        self.next_window, window = None, self.window
        if not self.settings.prepared or window is None:
            return
        total, offset = self.settings.total_frames, self.window_offset + self.settings.size.stride_frames
        if total is None or total > self.window_offset + window.n_frames:
            n_frames = self.settings.frames_at(offset)
            self.next_window = NextWindow(self.executor, self.conditions, offset, n_frames, self.n_frames)

    def append(self, codes: Tensor) -> None:
        """Append frames [K, n]; they stay on their device until they are read, so that no step waits for a copy.

        [generate]
        """
        self._fresh.append(codes)
        self.n_frames += codes.shape[-1]

    def _settled(self) -> Tensor:
        """All frames [K, >= n_frames] int16 on the CPU."""
        if self._fresh:
            fresh = torch.cat(self._fresh, dim=1).to("cpu", torch.int16)
            self._fresh.clear()
            start = self.n_frames - fresh.shape[1]
            if self.n_frames > self._codes.shape[1]:
                more = max(self.n_frames, 2 * self._codes.shape[1]) - start
                self._codes = torch.nn.functional.pad(self._codes[:, :start], (0, more))
            self._codes[:, start : self.n_frames] = fresh
        return self._codes


def _check_prompt(prompt: Tensor, n_codebooks: int, settings: StreamSettings, first_frame: int) -> None:
    if prompt.dim() != 2 or prompt.shape[0] != n_codebooks:
        raise ValueError(f"prompt has shape {tuple(prompt.shape)}, must be [{n_codebooks}, P]")
    limit = settings.size.window_frames
    if settings.total_frames is not None:
        limit = min(limit, settings.total_frames - first_frame)
    if prompt.shape[1] >= limit:
        raise ValueError(f"prompt has {prompt.shape[1]} frames, must be shorter than {limit} (window and total)")
