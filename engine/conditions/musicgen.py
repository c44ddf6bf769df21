"""Conditions of the MusicGen family: text, melody or style, in the reference's order, padding and guidance rows.

    prefix models   [melody or style][text][audio steps]     cross-attention models   text is the memory
    rows            conditional, (wav only,) null            of one ask; asks given together are padded together

Source: MusicGen (Copet et al. 2023), MusicGen-Style (Rouard et al. 2024); the effect of padding on a batch is the
reference's own rule, and applies only to asks that are given together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.conditions.melody import MelodyConditioner
from engine.conditions.style import StyleConditioner
from engine.conditions.text_t5 import TextConditioner, WeightedTexts
from engine.core.guidance import Guidance
from engine.errors import UnsupportedError
from engine.lm import Conditions
from engine.model import MELODY, STYLE, TEXT, Ask, ExcerptRange

_NOTHING = Ask()
Text = str | None | WeightedTexts


class MusicGenConditioner:
    """Text and, if the model has it, melody or style; implements `engine.model.Conditioner`.

    These models ignore a grid; music that the model cannot follow is refused, and `why_not` names a missing part, if
    any.
    """

    def __init__(
        self,
        text: TextConditioner,
        text_prefix: bool,
        melody: MelodyConditioner | None = None,
        style: StyleConditioner | None = None,
        why_not: str = "",
    ) -> None:
        self.text = text
        self.text_prefix = text_prefix
        self.melody = melody
        self.style = style
        self.why_not = why_not
        able = {TEXT: True, MELODY: melody is not None, STYLE: style is not None and style.features is not None}
        self.takes = frozenset(name for name, there in able.items() if there)

    @property
    def style_quantizers(self) -> int:
        """The number of a style's quantisers; 0 for models without style.  [any]"""
        return 0 if self.style is None else self.style.net.config.n_codebooks

    def __call__(
        self, asks: Sequence[Ask], guidance: Guidance, offset_frames: int, window_frames: int
    ) -> list[tuple[Conditions, ...]]:
        """See `engine.model.Conditioner`.  UnsupportedError for what the model cannot follow.  [generate]"""
        self._refuse(asks)
        count = len(asks)
        texts: list[Text] = [ask.texts or ask.text for ask in asks]
        music = self._music(asks, offset_frames)
        none: list[Text] = [None] * count
        if guidance.two_step and guidance.cfg_coef_beta is None:
            pair = (self._rows(texts, music), self._rows(none, self._silence(count)))
            return [tuple(_take(part, [index]) for part in pair) for index in range(count)]
        silence = self._silence(count, like=music)
        kinds = [(texts, music), (none, silence)]
        if guidance.rows == 3:
            kinds.insert(1, (none, music))
        wavs = None if music is None else torch.cat([wav for _, wav in kinds if wav is not None])
        together = self._rows([text for words, _ in kinds for text in words], wavs)
        return [(_take(together, [index + count * k for k in range(len(kinds))]),) for index in range(count)]

    def excerpts(self, asks: Sequence[Ask], offset_frames: int) -> list[ExcerptRange | None]:
        """See `engine.model.Conditioner`.  [any]"""
        return [None] * len(asks) if self.style is None else self.style.excerpts(asks, offset_frames)

    def prepare(self, ask: Ask) -> None:
        """See `engine.model.Conditioner`: separates the melody.  [any]"""
        if self.melody is not None and ask.melody is not None:
            self.melody.prepare(ask.melody)

    def _refuse(self, asks: Sequence[Ask]) -> None:
        for name in (MELODY, STYLE):
            if name not in self.takes and any(getattr(ask, name) is not None for ask in asks):
                able = ", ".join(sorted(self.takes))
                why = f" ({self.why_not})" if self.why_not else ""
                raise UnsupportedError(f"the model cannot follow {name}; it can follow: {able}{why}")

    def _music(self, asks: Sequence[Ask], offset_frames: int) -> Tensor | None:
        """Prefix vectors [N, V, D] of the asks' music; None for models with text only."""
        if self.melody is not None:
            return self.melody(asks, offset_frames)
        return None if self.style is None else self.style(asks, offset_frames)

    def _silence(self, count: int, like: Tensor | None = None) -> Tensor | None:
        """Prefix vectors [N, V, D] of no music, as long as `like`."""
        null = self._music([_NOTHING], 0)
        if null is None:
            return None
        if like is not None and null.shape[1] != like.shape[1]:
            null = null.expand(-1, like.shape[1], -1)  # a style's null is zeros, as long as the style
        return null.expand(count, -1, -1)

    def _rows(self, texts: Sequence[Text], music: Tensor | None) -> Conditions:
        """Conditions of rows that are padded together."""
        text = self.text(texts)
        if not self.text_prefix:
            return Conditions(memory=text)
        return Conditions(prefix=text if music is None else torch.cat([music, text], dim=1))


def _take(conditions: Conditions, rows: list[int]) -> Conditions:
    def part(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor[rows]

    return Conditions(prefix=part(conditions.prefix), memory=part(conditions.memory))
