"""Two channels from a mono codec: left and right coded separately, their codes interleaved.

    codebooks   1L 1R 2L 2R 3L 3R 4L 4R        left = every even row, right = every odd one

Source: the stereo models of MusicGen (Copet et al. 2023). Wraps any codec of one channel; a mono prompt is heard on
both sides.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from engine.codec.base import Codec
from engine.errors import AudioError

SIDES = 2


def interleave(left: Tensor, right: Tensor) -> Tensor:
    """Codes [B, K, T] of each side to [B, 2 K, T]: 1L, 1R, 2L, ...  [any]"""
    return torch.stack([left, right], dim=2).flatten(1, 2)


def sides_of(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Codes [B, 2 K, T] to those of left and right, [B, K, T] each; the inverse of `interleave`.  [any]"""
    return codes[:, 0::SIDES], codes[:, 1::SIDES]


class StereoCodec:
    """Implements `engine.codec.base.Codec` with two channels and twice the codebooks of `mono`."""

    def __init__(self, mono: Codec) -> None:
        if mono.channels != 1:
            raise ValueError(f"a stereo codec is made of a mono one; this has {mono.channels} channels")
        self.mono = mono
        self.channels = SIDES
        self.n_codebooks = SIDES * mono.n_codebooks
        self.sample_rate, self.frame_samples = mono.sample_rate, mono.frame_samples
        self.card, self.lookahead_frames = mono.card, mono.lookahead_frames

    def encode(self, audio: Tensor) -> Tensor:
        """Audio [B, 2, N] (or [B, 1, N], heard on both sides) to codes [B, K, ceil(N / frame_samples)].

        Raises AudioError for no samples or other channels.  [generate]
        """
        if audio.dim() != 3 or not 1 <= audio.shape[1] <= SIDES:
            raise AudioError(f"codec got audio of shape {tuple(audio.shape)}, needs [batch, 1 or 2, samples]")
        sides = [self.mono.encode(audio[:, side : side + 1]) for side in range(audio.shape[1])]
        return interleave(sides[0], sides[-1])

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to audio [B, 2, frame_samples * T], not clipped.  [generate]"""
        return torch.cat([self.mono.decode(side) for side in sides_of(codes)], dim=1)

    def init_decoder(self, prompt_audio: Tensor | None = None, prompt_codes: Tensor | None = None) -> Any:
        """State of a streamed decode: one of the mono codec's for each side.  [generate]"""
        audio: tuple[Tensor | None, ...] = (None, None)
        codes: tuple[Tensor | None, ...] = (None, None)
        if prompt_audio is not None:
            audio = prompt_audio.expand(-1, SIDES, -1).split(1, dim=1)
        if prompt_codes is not None:
            codes = sides_of(prompt_codes)
        return tuple(self.mono.init_decoder(heard, known) for heard, known in zip(audio, codes, strict=True))

    def decode_step(self, codes: Tensor, state: Any, last: bool = False) -> tuple[Tensor, Any]:
        """Next codes [1, K, t] to the audio [1, 2, n] that is final now, all when `last`.  [generate]"""
        states = cast(tuple[Any, Any], state)
        parts = [self.mono.decode_step(side, known, last) for side, known in zip(sides_of(codes), states, strict=True)]
        return torch.cat([audio for audio, _ in parts], dim=1), tuple(after for _, after in parts)
