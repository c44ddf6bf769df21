"""The window after the open one, prefilled piece by piece while that one plays, so that no roll takes long.

    open window     [------ kept ------|........ drawn so far ....|            ]
    next window               [--- read already ---|- known -|                   then its own new frames
                              `stride_frames` later

Pieces begin at fixed frames of the stream, independent of hops, so that the same stream gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.lm import Conditions
from engine.lm.executors.base import Executor
from engine.stream.window import Window


class NextWindow:
    """Prepares the window at stream frame `offset`; all methods [generate]."""

    def __init__(
        self,
        executor: Executor,
        conditions: Callable[[int, int], tuple[Conditions, ...]],
        offset: int,
        n_frames: int,
        begun_at: int,
    ) -> None:
        """Conditions are computed when the first piece is read; `begun_at`: the stream's present frames."""
        self.offset, self.n_frames, self._begun_at = offset, n_frames, begun_at
        self._executor, self._conditions = executor, conditions
        self.piece_frames = executor.piece_frames
        self.window: Window | None = None
        self.read_frames = 0  # its own frames that are in its cache

    def look(self, codes: Callable[[int, int], Tensor], known: int, drawn_per_frame: float) -> None:
        """Read the next piece if it is due and complete; the stream's first `known` frames are complete."""
        due = known - self._begun_at >= self.read_frames * drawn_per_frame
        if due and known - self.offset > self.read_frames + self.piece_frames:
            self._read(codes)

    def _opened(self) -> Window:
        if self.window is None:
            lm = self._executor.lm
            nothing = torch.zeros(lm.config.n_codebooks, 0, dtype=torch.long, device=lm.device)
            conditions = self._conditions(self.offset, self.n_frames)
            self.window = Window(self._executor, conditions, nothing, self.n_frames)
        return self.window

    def _read(self, codes: Callable[[int, int], Tensor]) -> None:
        window, begin, end = self._opened(), self.read_frames, self.read_frames + self.piece_frames
        window.learn(codes(self.offset + begin, self.offset + end))
        window.read_to(end)
        self.read_frames = end

    def back_to(self, known: int) -> None:
        """Go back to the stream's first `known` frames; later pieces are read again."""
        pieces = max(0, known - self.offset - 1) // self.piece_frames * self.piece_frames
        if self.window is None or pieces >= self.read_frames:
            return
        self.read_frames = pieces
        if pieces:
            self.window.unlearn(pieces)
        else:
            self.window = None

    def ready(self, codes: Callable[[int, int], Tensor], known: int) -> Window:
        """The window with all known codes as its prompt, of which at most one piece is not read yet."""
        window = self._opened()
        while known - self.offset > self.read_frames + self.piece_frames:
            self._read(codes)
        window.learn(codes(self.offset + self.read_frames, known))
        return window
