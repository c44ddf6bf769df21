"""Chroma of a melody: which of the 12 pitch classes is loudest, every 4096 samples at 32 kHz.

    audio -> power spectrogram (16384, Hann) -> 12 x 8193 filter bank -> each frame / its maximum -> one-hot

Source: MusicGen-Melody (Copet et al. 2023); the filter bank is librosa's chroma with its defaults. F frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

N_CHROMA = 12
WINDOW_SAMPLES = 16384
HOP_SAMPLES = 4096
_LOWEST_HZ = 27.5  # A0
_CENTRE_OCTAVE, _OCTAVE_WIDTH = 5.0, 2.0


def filter_bank(sample_rate: int = 32000) -> Tensor:
    """Weight of each of 8193 bins in each pitch class, float32 [12, 8193], row 0 = C.  [any]

    A bump around each pitch class as wide as the bin, columns of length 1, weighted by octave around A5.
    """
    hz = torch.arange(1, WINDOW_SAMPLES, dtype=torch.float64) * sample_rate / WINDOW_SAMPLES
    pitch = 12.0 * torch.log2(hz / _LOWEST_HZ)
    pitch = torch.cat([pitch[:1] - 18.0, pitch])
    width = torch.cat([torch.clamp(pitch[1:] - pitch[:-1], min=1.0), torch.ones(1, dtype=torch.float64)])
    classes = torch.arange(N_CHROMA, dtype=torch.float64).unsqueeze(1)
    distance = torch.remainder(pitch - classes + 6.0 + 120.0, 12.0) - 6.0
    bank = torch.exp(-0.5 * (2.0 * distance / width) ** 2)
    bank = bank / bank.norm(dim=0, keepdim=True)
    bank = bank * torch.exp(-0.5 * ((pitch / 12.0 - _CENTRE_OCTAVE) / _OCTAVE_WIDTH) ** 2)
    return torch.roll(bank, -3, dims=0)[:, : WINDOW_SAMPLES // 2 + 1].float()


class Chroma(nn.Module):
    """Audio at 32 kHz to one-hot chroma; audiocraft's checkpoints bring `window`, rounded to float16."""

    def __init__(self, sample_rate: int = 32000) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES))
        self.register_buffer("bank", filter_bank(sample_rate), persistent=False)

    def power(self, audio: Tensor) -> Tensor:
        """Audio [B, N] to power [B, 8193, F], F = max(N, 16384) // 4096 + 1; zeros around short audio.  [generate]"""
        short = max(0, WINDOW_SAMPLES - audio.shape[-1])
        audio = F.pad(audio, (short // 2, short - short // 2))
        window = self.get_buffer("window")
        spectrum = torch.stft(
            audio,
            WINDOW_SAMPLES,
            HOP_SAMPLES,
            window=window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        return (spectrum / window.pow(2).sum().sqrt()).abs().pow(2)

    def normalised(self, audio: Tensor) -> Tensor:
        """Audio [B, N] to chroma [B, F, 12] with each frame's maximum 1 (all zero in silence).

        [generate]
        """
        raw = torch.einsum("cf,bft->btc", self.get_buffer("bank"), self.power(audio))
        return raw / raw.amax(dim=-1, keepdim=True).clamp(min=1e-6)

    @torch.no_grad()
    def forward(self, audio: Tensor) -> Tensor:
        """Audio [B, N] to one-hot [B, F, 12]; silence and ties give the first class.  [generate]"""
        loudest = self.normalised(audio).argmax(dim=-1)
        return F.one_hot(loudest, N_CHROMA).to(audio.dtype)
