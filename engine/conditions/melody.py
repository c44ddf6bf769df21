"""Melody to vectors: what the mix sings without its drums and bass, as chroma, projected.

    window of the reference -> separator (vocals + other) -> one-hot chroma -> repeated to the prefix's
    length -> Linear

Source: MusicGen-Melody (Copet et al. 2023). A separator is a plug: without one the chroma is that of the
whole mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.audio import resample
from engine.conditions.chroma import N_CHROMA, Chroma

SEPARATOR_RATE_HZ = 44100
OTHER, VOCALS = 2, 3


class Separator(Protocol):
    """Takes a mix apart; sources in the order drums, bass, other, vocals."""

    def __call__(self, mix: Tensor) -> Tensor:
        """Mix [B, 2, N] at 44.1 kHz to stems [B, 4, 2, N].  [generate]"""
        ...


def without_drums_and_bass(audio: Tensor, sample_rate: int, separator: Separator) -> Tensor:
    """Mono audio [B, N] to its vocals and other instruments, mono [B, N'] at the same rate.  [generate]"""
    count = audio.shape[0]
    stereo = audio.unsqueeze(1).expand(-1, 2, -1).flatten(0, 1)
    stems = separator(resample(stereo, sample_rate, SEPARATOR_RATE_HZ).unflatten(0, (count, 2)))
    kept = stems[:, VOCALS] + stems[:, OTHER]
    return resample(kept.mean(dim=1), SEPARATOR_RATE_HZ, sample_rate)


class MelodyConditioner:
    """Melodies of a batch to prefix vectors; the reference pads shorter ones with silence to the longest."""

    def __init__(
        self,
        chroma: Chroma,
        projection: nn.Linear,
        n_frames: int,
        sample_rate: int,
        separator: Separator | None,
    ) -> None:
        self.chroma = chroma
        self.projection = projection
        self.n_frames = n_frames
        self.sample_rate = sample_rate
        self.separator = separator

    @torch.no_grad()
    def __call__(self, melodies: Sequence[Tensor | None], speeds: Sequence[float] | None = None) -> Tensor:
        """Mono melodies [1, N] at the model's rate, None = none, to vectors [B, n_frames, D].

        No melody is what silence gives: pitch class 0 throughout.  A speed of 2 skips every other chroma
        frame. [generate]
        """
        speeds = speeds or [1.0] * len(melodies)
        return self.projection(self.one_hot(melodies, speeds).to(self.projection.weight))

    def one_hot(self, melodies: Sequence[Tensor | None], speeds: Sequence[float]) -> Tensor:
        """The prefix before the projection, [B, n_frames, 12].  [generate]"""
        rows = torch.zeros(len(melodies), self.n_frames, N_CHROMA)
        rows[..., 0] = 1.0
        given = [index for index, melody in enumerate(melodies) if melody is not None]
        if not given:
            return rows
        heard = self._heard([melody for melody in melodies if melody is not None])
        frames = self.chroma(heard).cpu()
        for index, chroma in zip(given, frames, strict=True):
            at = (torch.arange(self.n_frames) * speeds[index]).long() % len(chroma)
            rows[index] = chroma[at]
        return rows

    def _heard(self, melodies: Sequence[Tensor]) -> Tensor:
        """[B, N], the longest's length, without drums and bass where a separator is there."""
        longest = max(melody.shape[-1] for melody in melodies)
        device = self.projection.weight.device
        audio = torch.zeros(len(melodies), longest, device=device)
        for row, melody in zip(audio, melodies, strict=True):
            row[: melody.shape[-1]] = melody[0]
        if self.separator is None:
            return audio
        return without_drums_and_bass(audio, self.sample_rate, self.separator)
