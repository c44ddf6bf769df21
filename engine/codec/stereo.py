"""Two channels from a mono codec: left and right coded separately, their codes interleaved.

    codebooks   1L 1R 2L 2R 3L 3R 4L 4R        left = every even row, right = every odd one

Source: the stereo models of MusicGen (Copet et al. 2023). Left and right pass through the mono codec together, as two
rows; a mono prompt is used for both sides.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.codec.encodec import Encodec
from engine.codec.encodec_stream import DecoderState
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

    def __init__(self, mono: Encodec) -> None:
        if mono.channels != 1:
            raise ValueError(f"a stereo codec is made of a mono one; this has {mono.channels} channels")
        self.mono = mono
        self.channels = SIDES
        self.n_codebooks = SIDES * mono.n_codebooks
        self.sample_rate, self.frame_samples = mono.sample_rate, mono.frame_samples
        self.card, self.lookahead_frames = mono.card, mono.lookahead_frames

    def encode(self, audio: Tensor) -> Tensor:
        """Audio [B, 2, N] (or [B, 1, N], used for both sides) to codes [B, K, ceil(N / frame_samples)].

        Raises AudioError for no samples or other channels.  [generate]
        """
        if audio.dim() != 3 or not 1 <= audio.shape[1] <= SIDES:
            raise AudioError(f"codec got audio of shape {tuple(audio.shape)}, needs [batch, 1 or 2, samples]")
        sides = self.mono.encode(torch.cat(audio.split(1, dim=1))).chunk(audio.shape[1])
        return interleave(sides[0], sides[-1])

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to audio [B, 2, frame_samples * T], not clipped.  [generate]"""
        return _side_by_side(self.mono.decode(torch.cat(sides_of(codes))))

    def init_decoder(self, prompt_audio: Tensor | None = None, prompt_codes: Tensor | None = None) -> DecoderState:
        """State of a streamed decode: two streams of the mono codec in one state.  [generate]"""
        if prompt_codes is None and prompt_audio is not None:
            prompt_codes = self.encode(prompt_audio)
        return self.mono.init_decoder(prompt_codes=None if prompt_codes is None else torch.cat(sides_of(prompt_codes)))

    def decode_step(self, codes: Tensor, state: DecoderState, last: bool = False) -> tuple[Tensor, DecoderState]:
        """Next codes [1, K, t] to the audio [1, 2, n] that is final now, all the rest with `last`.  [generate]"""
        audio, state = self.mono.decode_step(torch.cat(sides_of(codes)), state, last)
        return _side_by_side(audio), state


def _side_by_side(audio: Tensor) -> Tensor:
    """All left rows, then all right rows [2 B, 1, N] to [B, 2, N]."""
    return torch.cat(audio.chunk(SIDES), dim=1)
