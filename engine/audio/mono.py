"""Two channels as one: their mean, as in the reference; if the channels cancel each other, each counts.

    mean      (L + R) / 2, for nearly all music
    in turn   per bin of a short spectrum: where the mean has less than a quarter of the channels' power, their
              power is kept, at the phase of the left channel (the louder one where that is all but silent)

The mean of channels out of phase is silence, without a melody to follow.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIZE, HOP = 2048, 1024
LOST_SHARE = 0.25  # of the music, lost in the mean: wide stereo loses some of it now and then
CANCELS = 0.05  # power of a band's mean against its channels' below which it counts as lost; without relation it is 0.5
UNMIXED_SHARE = 0.25  # the same of a bin, if channels count one by one
_LOOK_SIZE = 4096
_LOOKS, _LOOKS_AT_ONCE = 512, 64  # windows that are analysed, spread over long music
_LOWEST_HZ, _BANDS_PER_OCTAVE, _BANDS = 55.0, 3, 21
_CENTRE_HZ, _OCTAVES = 880.0, 2.0  # weight of octaves, as in the chroma
_PIECE = 1 << 19


def to_mono(audio: Tensor, rate_hz: int) -> tuple[Tensor, bool]:
    """Audio [C, n], C 1 or 2, as [1, n], and whether its mean would lose its music.  [any]"""
    if audio.shape[0] == 1:
        return audio, False
    if lost_share(audio, rate_hz) < LOST_SHARE:
        return audio.mean(dim=0, keepdim=True), False
    return _in_turn(audio.float()), True


def lost_share(audio: Tensor, rate_hz: int) -> float:
    """The share of the music of [2, n] that is lost in the mean of its channels, 0 to 1.  [any]"""
    if audio.shape[1] == 0 or torch.equal(audio[0], audio[1]):
        return 0.0
    short = -audio.shape[1] % _LOOK_SIZE
    index = _bands(rate_hz).to(audio.device)
    weight = _weights().to(audio.device)
    lost = counted = 0.0
    count = (audio.shape[1] + short) // _LOOK_SIZE
    chosen = range(0, count, -(-count // _LOOKS))
    for begin in range(0, len(chosen), _LOOKS_AT_ONCE):
        places = [at * _LOOK_SIZE for at in chosen[begin : begin + _LOOKS_AT_ONCE]]
        frames = torch.stack([_frame(audio, at) for at in places], dim=1)
        spectrum = torch.fft.rfft(frames * torch.hann_window(_LOOK_SIZE, device=audio.device))
        both = _banded(spectrum.abs().pow(2).mean(dim=0), index) * weight
        mean = _banded(spectrum.mean(dim=0).abs().pow(2), index) * weight
        audible = both.sum(dim=1) > 1e-6 * _LOOK_SIZE
        gone = torch.where(mean < CANCELS * both, both, torch.zeros_like(both)).sum(dim=1)
        lost += float((gone[audible] / both.sum(dim=1)[audible]).sum())
        counted += float(audible.sum())
    return lost / counted if counted else 0.0


def _frame(audio: Tensor, at: int) -> Tensor:
    frame = audio[:, at : at + _LOOK_SIZE].float()
    return torch.nn.functional.pad(frame, (0, _LOOK_SIZE - frame.shape[1]))


def _bands(rate_hz: int) -> Tensor:
    """Which third of an octave each bin belongs to; those outside are the last, which is dropped."""
    hz = torch.arange(_LOOK_SIZE // 2 + 1, dtype=torch.float64) * rate_hz / _LOOK_SIZE
    band = torch.floor(_BANDS_PER_OCTAVE * torch.log2(hz.clamp(min=1.0) / _LOWEST_HZ)).long()
    return torch.where((band >= 0) & (band < _BANDS), band, torch.full_like(band, _BANDS))


def _weights() -> Tensor:
    hz = _LOWEST_HZ * 2.0 ** ((torch.arange(_BANDS) + 0.5) / _BANDS_PER_OCTAVE)
    return torch.exp(-0.5 * (torch.log2(hz / _CENTRE_HZ) / _OCTAVES) ** 2)


def _banded(power: Tensor, index: Tensor) -> Tensor:
    """[F, bins] to [F, bands]."""
    return torch.zeros(power.shape[0], _BANDS + 1, device=power.device).index_add_(1, index, power)[:, :_BANDS]


def _in_turn(audio: Tensor) -> Tensor:
    """[2, n] as [1, n] without loss; in pieces, so that long music needs no more memory than its own size."""
    n, out = audio.shape[1], []
    led = torch.nn.functional.pad(audio, (SIZE, SIZE + -n % HOP))
    for begin in range(0, n, _PIECE):
        piece = led[:, begin : min(begin + _PIECE, n + -n % HOP) + 2 * SIZE]
        out.append(_spectra_in_turn(piece)[SIZE : piece.shape[1] - SIZE])
    return torch.cat(out)[None, :n]


def _spectra_in_turn(audio: Tensor) -> Tensor:
    window = torch.hann_window(SIZE, device=audio.device)
    left, right = torch.stft(audio, SIZE, HOP, window=window, return_complex=True, pad_mode="constant")
    mean = (left + right) / 2
    power = (left.abs().pow(2) + right.abs().pow(2)) / 2
    leads = torch.where(left.abs() > 0.1 * right.abs(), left, right)
    kept = leads / leads.abs().clamp(min=1e-12) * power.sqrt()
    chosen = torch.where(mean.abs().pow(2) < UNMIXED_SHARE * power, kept, mean)
    return torch.istft(chosen, SIZE, HOP, window=window, length=audio.shape[1])
