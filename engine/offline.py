"""Pieces of one length, made together: what `MusicGen.generate` does behind its method names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.guidance import Guidance
from engine.lm import Conditions
from engine.model import Ask, LoadedModel
from engine.stream import LaneBatch, StreamSettings, TokenStream
from engine.stream.tokens import WindowConditions

_FRAMES_PER_REPORT = 10


class TogetherConditions:
    """Conditions of pieces that are padded together, computed once per window for all of them."""

    def __init__(self, model: LoadedModel, asks: Sequence[Ask], guidance: Guidance) -> None:
        self._model, self._asks, self._guidance = model, list(asks), guidance
        self._window: tuple[int, int] | None = None
        self._conditions: list[tuple[Conditions, ...]] = []

    def of(self, index: int) -> WindowConditions:
        """The conditions of one piece, as its stream asks for them.  [generate]"""

        def at(offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
            if self._window != (offset_frames, window_frames):
                with torch.no_grad():
                    self._conditions = self._model.conditioner(self._asks, self._guidance, offset_frames, window_frames)
                self._window = (offset_frames, window_frames)
            return self._conditions[index]

        return at


def run_together(
    model: LoadedModel,
    asks: Sequence[Ask],
    prompt: Tensor | None,
    settings: StreamSettings,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Codes [B, K, T] of one piece per ask, prompt codes [B, K, P] included; piece b draws from `seed` + b.

    `settings.total_frames` must be given.  `report` gets (frames done, frames in all).  [generate]
    """
    conditions = TogetherConditions(model, asks, settings.guidance)
    lanes = LaneBatch()
    for index in range(len(asks)):
        codes = None if prompt is None else prompt[index]
        lanes.add(index, TokenStream.begin(model.lm, conditions.of(index), codes, settings, seed + index))
    streams = list(lanes.streams.values())
    total = settings.total_frames or 0
    while not all(stream.finished for stream in streams):
        for frames in lanes.advance(_FRAMES_PER_REPORT).values():
            if frames.error is not None:
                raise frames.error
        if report is not None:
            report(streams[0].n_frames, total)
    return torch.stack([stream.codes() for stream in streams]).to(model.lm.out_norm.weight.device)


def print_progress(done: int, total: int) -> None:
    """Frames done and in all, on one line of the screen.  [any]"""
    sys.stderr.write(f"\r{done:6d} / {total:6d}" + ("\n" if done >= total else ""))
    sys.stderr.flush()
