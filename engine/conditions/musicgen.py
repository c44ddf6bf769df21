"""Conditions of the MusicGen family: text and melody, in the reference's order, padding and guidance rows.

    prefix models   [melody][text][audio steps]          cross-attention models   text is the memory
    rows            conditional, (wav only,) null        of one ask; all asks given together are padded
    together

Source: MusicGen (Copet et al. 2023); what padding does to a batch is the reference's own rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.conditions.melody import MelodyConditioner
from engine.conditions.text_t5 import TextConditioner
from engine.errors import UnsupportedError
from engine.guidance import Guidance
from engine.lm import Conditions
from engine.model import MELODY, STYLE, TEXT, Ask, Reference

FRAME_SAMPLES = 640
_Row = tuple[str | None, Reference | None]


def excerpt(reference: Reference, offset_frames: int, n_samples: int) -> Tensor:
    """What a window that starts at `offset_frames` hears of a reference: [1, n], read round and round.  [any]

    `whole` references are given as they are; at `speed` other than 1 the excerpt is longer or shorter.
    """
    if reference.whole:
        return reference.audio
    length = reference.audio.shape[-1]
    start = reference.start_samples + round(offset_frames * FRAME_SAMPLES * reference.speed)
    count = max(1, round(n_samples * reference.speed))
    index = (torch.arange(count, device=reference.audio.device) + start) % length
    return reference.audio[:, index]


class MusicGenConditioner:
    """Text and, where the model has it, melody; implements `engine.model.Conditioner`.

    `window_samples` is what a melody window spans, whatever is generated of it.  A grid is not heard by
    these models and is left alone; melody or style that the model lacks is refused.
    """

    def __init__(
        self, text: TextConditioner, text_prefix: bool, melody: MelodyConditioner | None, window_samples: int
    ) -> None:
        self.text = text
        self.text_prefix = text_prefix
        self.melody = melody
        self.window_samples = window_samples
        self.takes = frozenset({TEXT, MELODY} if melody else {TEXT})

    def __call__(
        self, asks: Sequence[Ask], guidance: Guidance, offset_frames: int, window_frames: int
    ) -> list[tuple[Conditions, ...]]:
        """See `engine.model.Conditioner`.  UnsupportedError for what the model cannot follow.  [generate]"""
        self._refuse(asks)
        full: list[_Row] = [(ask.text, ask.melody) for ask in asks]
        null: list[_Row] = [(None, None)] * len(asks)
        if guidance.two_step and guidance.cfg_coef_beta is None:
            pair = (self._rows(full, offset_frames), self._rows(null, offset_frames))
            return [tuple(_take(part, [index]) for part in pair) for index in range(len(asks))]
        kinds = [full, null]
        if guidance.rows == 3:
            kinds.insert(1, [(None, wav) for _, wav in full])
        together = self._rows([row for kind in kinds for row in kind], offset_frames)
        count = len(asks)
        return [(_take(together, [index + count * k for k in range(len(kinds))]),) for index in range(count)]

    def _refuse(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            if ask.style is not None or (ask.melody is not None and self.melody is None):
                lacking = STYLE if ask.style is not None else MELODY
                raise UnsupportedError(
                    f"the model cannot follow {lacking}; it can follow: {', '.join(sorted(self.takes))}"
                )

    def _rows(self, rows: Sequence[_Row], offset_frames: int) -> Conditions:
        """Conditions of rows that are padded together."""
        text = self.text([text for text, _ in rows])
        if not self.text_prefix:
            return Conditions(memory=text)
        if self.melody is None:
            return Conditions(prefix=text)
        wavs = [None if wav is None else excerpt(wav, offset_frames, self.window_samples) for _, wav in rows]
        speeds = [1.0 if wav is None or wav.whole else wav.speed for _, wav in rows]
        return Conditions(prefix=torch.cat([self.melody(wavs, speeds), text], dim=1))


def _take(conditions: Conditions, rows: list[int]) -> Conditions:
    def part(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor[rows]

    return Conditions(prefix=part(conditions.prefix), memory=part(conditions.memory))
