"""Melody to vectors: chroma of the mix without drums and bass, projected.

    reference -> separator (vocals + other) -> excerpt of the window -> one-hot chroma -> repeated to the
    prefix's length -> Linear

Source: MusicGen-Melody (Copet et al. 2023). The separator is optional: without one the chroma is that of
the whole mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.audio.convert import resample
from engine.conditions.cache import ConditionCache
from engine.conditions.chroma import HOP_SAMPLES, N_CHROMA, Chroma
from engine.model import Ask, Reference

SEPARATOR_RATE_HZ = 44100
OTHER, VOCALS = 2, 3
FRAME_SAMPLES = 640
LONG_SECONDS = 60.0  # longer references are separated window by window, so that none waits for all of a song
MARGIN_SECONDS = 8.0  # of music after the needed part, as context for the separator
CACHE_BYTES = 64 << 20  # of separated audio: 8 minutes


class Separator(Protocol):
    """Separates a mix into stems, in the order drums, bass, other, vocals."""

    def __call__(self, mix: Tensor) -> Tensor:
        """Mix [B, 2, N] at 44.1 kHz to stems [B, 4, 2, N].  [generate]"""
        ...


def without_drums_and_bass(audio: Tensor, sample_rate: int, separator: Separator) -> Tensor:
    """Mono audio [B, N] to its vocals and other instruments, mono [B, N'] at the same rate and on the same device.

    Rates are converted on the CPU; the separator gets the mix on the audio's device.
    ValueError if the separator returns anything but stems.  [generate]
    """
    mono = resample(audio.cpu(), sample_rate, SEPARATOR_RATE_HZ)
    mix = mono.to(audio.device).unsqueeze(1).repeat(1, 2, 1)
    stems = _checked_stems(separator(mix), mix)
    kept = (stems[:, VOCALS] + stems[:, OTHER]).mean(dim=1)
    return resample(kept.cpu(), SEPARATOR_RATE_HZ, sample_rate).to(audio.device)


def _checked_stems(stems: object, mix: Tensor) -> Tensor:
    """Stems of a mix [B, 2, N]; ValueError with the shape if it is not [B, 4, 2, N]."""
    needed = [len(mix), 4, *mix.shape[1:]]
    if not isinstance(stems, Tensor):
        raise ValueError(f"the given separator returned a {type(stems).__name__}, must be a torch tensor {needed}")
    if list(stems.shape) != needed:
        raise ValueError(
            f"the given separator returned {list(stems.shape)}, must be {needed}: of each mix the stems drums, bass, "
            "other, vocals, in stereo, as long as the mix"
        )
    return stems


def excerpt(reference: Reference, offset_frames: int, n_samples: int) -> Tensor:
    """The part of a reference for a window that starts at `offset_frames`: [1, n], repeated if needed.  [any]

    `whole` references are returned unchanged; at `speed` other than 1 the excerpt is longer or shorter.
    """
    if reference.whole:
        return reference.audio
    length = reference.audio.shape[-1]
    start = reference.start_samples + round(offset_frames * FRAME_SAMPLES * reference.speed)
    count = max(1, round(n_samples * reference.speed))
    index = (torch.arange(count, device=reference.audio.device) + start) % length
    return reference.audio[:, index]


class MelodyConditioner:
    """Melodies of asks to prefix vectors; shorter ones of those given together are followed by silence.

    `window_samples` is the length of a window, whatever part of it is generated. Recent separations are cached.
    """

    def __init__(
        self,
        chroma: Chroma,
        projection: nn.Linear,
        n_frames: int,
        sample_rate: int,
        separator: Separator | None,
        window_samples: int,
    ) -> None:
        self.chroma = chroma
        self.projection = projection
        self.n_frames = n_frames
        self.sample_rate = sample_rate
        self.separator = separator
        self.window_samples = window_samples
        self._cache = ConditionCache(self._separate, CACHE_BYTES)

    @torch.no_grad()
    def __call__(self, asks: Sequence[Ask], offset_frames: int) -> Tensor:
        """Vectors [N, n_frames, D] of the window at `offset_frames`; no melody counts as silence.  [generate]"""
        return self.projection(self.one_hot(asks, offset_frames).to(self.projection.weight))

    @torch.no_grad()
    def one_hot(self, asks: Sequence[Ask], offset_frames: int) -> Tensor:
        """The prefix before the projection, [N, n_frames, 12]: pitch class 0 throughout without a melody.

        A speed of 2 skips every other chroma frame.  [generate]
        """
        rows = torch.zeros(len(asks), self.n_frames, N_CHROMA)
        rows[..., 0] = 1.0
        given = [(row, ask, ask.melody) for row, ask in zip(rows, asks, strict=True) if ask.melody is not None]
        if not given:
            return rows
        audio = self._together([self._window_audio(ask, melody, offset_frames) for _, ask, melody in given])
        if given[0][1].exact and self.separator is not None:
            audio = without_drums_and_bass(audio, self.sample_rate, self.separator)
        for (row, _, melody), chroma in zip(given, self.chroma(audio).cpu(), strict=True):
            speed = 1.0 if melody.whole else melody.speed
            row[:] = chroma[(torch.arange(self.n_frames) * speed).long() % len(chroma)]
        return rows

    @torch.no_grad()
    def prepare(self, melody: Reference) -> None:
        """Separate a reference now, so that no window waits for it; no effect if it is too large to cache.  [any]"""
        if self.separator is not None and not self._is_long(melody):
            self._cache(self._needed(melody))

    def _needed(self, melody: Reference) -> Tensor:
        """The part [1, n] of a reference that is used: of a long song that is `whole` only the beginning."""
        end = (self.n_frames + 2) * HOP_SAMPLES + int(MARGIN_SECONDS * self.sample_rate)
        return melody.audio[:, :end] if melody.whole else melody.audio

    def _is_long(self, melody: Reference) -> bool:
        return self._needed(melody).shape[-1] > LONG_SECONDS * self.sample_rate

    def _window_audio(self, ask: Ask, melody: Reference, offset_frames: int) -> Tensor:
        """The window's part, [1, n]; without drums and bass unless the ask is `exact`."""
        if ask.exact or self.separator is None:
            return excerpt(melody, offset_frames, self.window_samples)
        if self._is_long(melody):
            return self._cache(excerpt(melody, offset_frames, self.window_samples))
        separated = replace(melody, audio=self._cache(self._needed(melody)))
        return excerpt(separated, offset_frames, self.window_samples)

    def _separate(self, audio: Tensor) -> Tensor:
        """Mono [1, N] without drums and bass, of the same length."""
        assert self.separator is not None
        stems = without_drums_and_bass(audio.to(self.projection.weight.device), self.sample_rate, self.separator)
        short = audio.shape[-1] - stems.shape[-1]  # a sample is lost on the way to 44.1 kHz and back
        return F.pad(stems, (0, short)).cpu()

    def _together(self, melodies: Sequence[Tensor]) -> Tensor:
        """[N, n], the longest's length."""
        longest = max(melody.shape[-1] for melody in melodies)
        audio = torch.zeros(len(melodies), longest, device=self.projection.weight.device)
        for row, melody in zip(audio, melodies, strict=True):
            row[: melody.shape[-1]] = melody[0]
        return audio
