"""Style to vectors: an excerpt of a reference through the style network, projected for the language model.

    reference  ......|== excerpt ==|......   at 32 kHz; its start is drawn, or given by the user
                        -> 24 kHz -> features (MERT) -> style network -> Linear -> prefix vectors

Source: MusicGen-Style (Rouard et al. 2024). References are repeated, so an excerpt may be longer than its
reference; a drawn one crosses the seam only if it must.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.audio.convert import resample
from engine.conditions.cache import ConditionCache
from engine.conditions.style_net import StyleNet
from engine.errors import AudioError
from engine.model import Ask, ExcerptRange, Reference

FEATURE_RATE_HZ = 24000
FEATURES_PER_SECOND = 75
FRAME_SAMPLES = 640
CACHE_BYTES = 16 << 20  # of latents: about 35 excerpts of 3 s
FeatureModel = Callable[[Tensor], Tensor]  # wav [B, T] at 24 kHz -> features [B, F, 768]


class StyleConditioner:
    """Styles of asks to prefix vectors; `window_samples` is a window's part of a reference that is not whole.

    `features` None: no style is possible, only its absence.
    """

    def __init__(
        self,
        net: StyleNet,
        projection: nn.Linear,
        features: FeatureModel | None,
        sample_rate: int,
        window_samples: int,
        stride_frames: int,
    ) -> None:
        self.net = net
        self.projection = projection
        self.features = features
        self.sample_rate = sample_rate
        self.window_samples = window_samples
        self.stride_frames = stride_frames
        self._cache = ConditionCache(self._of_excerpt, CACHE_BYTES)

    @torch.no_grad()
    def __call__(self, asks: Sequence[Ask], offset_frames: int) -> Tensor:
        """Vectors [N, V, D], V = ceil(feature frames / ds_factor); zeros without a style, V = 1 if no ask has one.

        Raises AudioError for audio that is invalid for `exact` asks, ValueError for settings that the model does not
        have or that differ among asks given together.  [generate]
        """
        parts = self.excerpts(asks, offset_frames)
        rows = [
            None if part is None else self._mixed(ask, part, offset_frames)
            for ask, part in zip(asks, parts, strict=True)
        ]
        lengths = {len(row) for row in rows if row is not None}
        if len(lengths) > 1:
            raise ValueError(f"styles given together take {sorted(lengths)} vectors, must be excerpts of one length")
        zeros = self.projection.weight.new_zeros(max(lengths, default=1), self.projection.out_features)
        return torch.stack([zeros if row is None else row for row in rows])

    def excerpts(self, asks: Sequence[Ask], offset_frames: int) -> list[ExcerptRange | None]:
        """See `engine.model.Conditioner`.  [any]"""
        given = [ask for ask in asks if ask.style is not None]
        shared = self._shared(given, offset_frames) if given and given[0].exact else None
        excerpts: list[ExcerptRange | None] = []
        for ask in asks:
            if ask.style is None:
                excerpts.append(None)
                continue
            count = self._count(ask)
            free = max(0, self._length(ask.style) - count)
            excerpts.append(shared or ExcerptRange(self._start(ask, offset_frames, free), count))
        return excerpts

    def _shared(self, asks: Sequence[Ask], offset_frames: int) -> ExcerptRange:
        """audiocraft's rule: one excerpt for all, somewhere in the longest, refused when that is too short."""
        longest = max(self._length(ask.style) for ask in asks if ask.style is not None)
        count = self._count(asks[0])
        if longest < count:
            raise AudioError(f"the style is {longest} samples long, must be {count} or more (exact rules)")
        start = self._start(asks[0], offset_frames, longest - count)
        if start > longest - count:
            raise AudioError(f"the style excerpt begins at {start}, must be 0 to {longest - count} (exact rules)")
        return ExcerptRange(start, count)

    def _count(self, ask: Ask) -> int:
        lost = 0.0 if ask.exact else 1e-6  # of 1.005 s audiocraft uses a sample less
        return int(ask.excerpt.seconds * self.sample_rate + lost)

    def _length(self, reference: Reference) -> int:
        return reference.audio.shape[-1] if reference.whole else self.window_samples

    def _start(self, ask: Ask, offset_frames: int, free: int) -> int:
        """The first sample in the window's part: given, or drawn from 0 to `free` by seed and window number."""
        window = offset_frames // (ask.excerpt.stride_frames or self.stride_frames)
        given = ask.excerpt.start_samples
        if given is not None:
            return given[min(window, len(given) - 1)]
        drawn = hashlib.sha256(f"style excerpt {ask.seed} {window}".encode()).digest()
        return int.from_bytes(drawn[:8], "big") % (free + 1)

    def _mixed(self, ask: Ask, part: ExcerptRange, offset_frames: int) -> Tensor:
        """Vectors [V, D] of one ask: of its style, or the weighted sum of several styles' vectors."""
        if not ask.styles:
            return self._row(ask, part, offset_frames)
        each = [replace(ask, style=style, styles=()) for style, _ in ask.styles]
        parts = [own for own in self.excerpts(each, offset_frames) if own is not None]
        rows = [self._row(one, own, offset_frames) for one, own in zip(each, parts, strict=True)]
        weights = rows[0].new_tensor([weight for _, weight in ask.styles])
        return torch.einsum("n,nvd->vd", weights, torch.stack(rows))

    def _row(self, ask: Ask, part: ExcerptRange, offset_frames: int) -> Tensor:
        """Vectors [V, D] of one ask."""
        eval_q, n_codebooks = ask.excerpt.eval_q, self.net.config.n_codebooks
        if eval_q > n_codebooks:
            raise ValueError(f"eval_q is {eval_q}, must be 1 to {n_codebooks}")
        assert ask.style is not None
        ds_factor = ask.excerpt.ds_factor or self.net.config.ds_factor
        audio = self._audio(ask.style, part, offset_frames, ask.exact)
        vectors = self.projection(self.net.vectors(self._cache(audio), eval_q, ds_factor)[0])
        if ask.exact:  # vectors after the end of the reference are zeros
            there = self._length(ask.style) / (self.sample_rate / FEATURES_PER_SECOND * ds_factor)
            vectors = vectors * (torch.arange(len(vectors), device=vectors.device) < there)[:, None]
        return vectors

    def _audio(self, reference: Reference, part: ExcerptRange, offset_frames: int, exact: bool) -> Tensor:
        """The excerpt [1, n] at the model's rate."""
        audio = reference.audio
        start, stop = part.start_samples, part.start_samples + part.count_samples
        if exact and reference.whole:  # silence behind the end
            cut = audio[:, start:stop]
            return F.pad(cut, (0, part.count_samples - cut.shape[-1]))
        first = 0 if reference.whole else reference.start_samples + offset_frames * FRAME_SAMPLES
        index = torch.arange(first + start, first + stop, device=audio.device) % audio.shape[-1]
        return audio[:, index]

    def _of_excerpt(self, audio: Tensor) -> Tensor:
        """Latent [1, F, D] of an excerpt [1, n] at the model's rate: all that takes long."""
        assert self.features is not None
        weight = self.projection.weight
        features = self.features(resample(audio, self.sample_rate, FEATURE_RATE_HZ).to(weight.device))
        if features.dim() != 3 or features.shape[0] != 1 or features.shape[2] != self.net.config.features:
            wanted = self.net.config.features
            raise ValueError(f"the style features have shape {list(features.shape)}, must be [1, F, {wanted}]")
        return self.net.latent(features.to(weight))
