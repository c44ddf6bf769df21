"""Audio from outside to what a model hears: its sample rate, its channels, nothing broken in it.

The kernel is the reference's (windowed sinc, 24 zero crossings, roll-off 0.945, edges replicated, output
length floor(n * new / old)); channels are mixed after resampling, as the reference does.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from engine.carry_on import carry_on
from engine.errors import AudioError
from engine.mono import to_mono
from engine.stream.resample import MAX_RATE_HZ, ResampleState, StreamResampler

MAX_CHANNELS = 2
_PIECE_SAMPLES = 1 << 20  # converted at a time: a long file takes no more memory than itself


@lru_cache(maxsize=16)
def _resampler(orig_hz: int, new_hz: int) -> StreamResampler:
    return StreamResampler(orig_hz, new_hz)


def resample(audio: Tensor, orig_hz: int, new_hz: int) -> Tensor:
    """[C, n] at `orig_hz` -> [C, floor(n * new_hz / orig_hz)], edges replicated.  [any]"""
    if orig_hz == new_hz or audio.shape[-1] == 0:
        return audio
    resampler = _resampler(orig_hz, new_hz)
    reach = resampler.lookahead_samples
    state = ResampleState(audio[:, :1].expand(-1, reach).contiguous(), -reach, 0)
    right = audio[:, -1:].expand(-1, reach + resampler.orig + 1)
    parts = []
    for piece in torch.cat([audio, right], dim=1).split(_PIECE_SAMPLES, dim=1):
        out, state = resampler.step(piece, state)
        parts.append(out)
    return torch.cat(parts, dim=1)[:, : audio.shape[-1] * resampler.new // resampler.orig]


def resample_to_end(audio: Tensor, orig_hz: int, new_hz: int, beyond: int = 0) -> Tensor:
    """[C, n] at `orig_hz` -> [C, floor(n * new_hz / orig_hz) + beyond], its end where the input's is.

    For music that is gone on from: a fraction of a sample at its end would be a step. `beyond` samples more are how it
    would go on.  [any]
    """
    if audio.shape[-1] == 0:
        return audio
    resampler = _resampler(orig_hz, new_hz)
    orig, new = resampler.orig, resampler.new
    lacking = -audio.shape[-1] % orig
    ahead = torch.from_numpy(carry_on(audio.float().numpy(), resampler.lookahead_samples - (-beyond * orig // new)))
    led = torch.cat([audio[:, :1].expand(-1, lacking), audio.float(), ahead], dim=1)
    end = (audio.shape[-1] + lacking) // orig * new
    return resample(led, orig_hz, new_hz)[:, end - audio.shape[-1] * new // orig : end + beyond]


def whole_rate(rate_hz: object, highest: int = MAX_RATE_HZ) -> int:
    """A sample rate as an int, whole floats and numpy's numbers too; AudioError for others or out of range.  [any]"""
    try:
        rate = int(rate_hz)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        rate = 0
    if rate != rate_hz or not 1 <= rate <= highest:
        raise AudioError(f"sample rate is {rate_hz!r} Hz, must be a whole number, 1 to {highest}")
    return rate


def as_heard(audio: Tensor, rate_hz: int, model_hz: int, channels: int = 1, beyond: int | None = None) -> Tensor:
    """Audio [n] or [C, n], C 1 or 2, at `rate_hz` -> float32 [channels, m] at `model_hz`.

    With `beyond` for music to go on from, see `resample_to_end`; else as the reference does it. Two channels become one
    as the reference has it, too, but where they cancel each other (`engine.mono`).

    Raises AudioError for what is no tensor of floats (whole numbers would be heard thousands of times too loud),
    other shapes, nothing in it, NaN or infinity, rates other than whole Hz from 1 to 384,000.  [any]
    """
    if not isinstance(audio, Tensor):
        raise AudioError(f"audio is a {type(audio).__name__}, must be a torch tensor (torch.from_numpy makes one)")
    if not audio.dtype.is_floating_point:
        raise AudioError(f"audio is {audio.dtype}, must be floats from -1 to 1 (torch.int16: audio / 32768)")
    if audio.dim() == 1:
        audio = audio[None]
    if audio.dim() != 2 or not 1 <= audio.shape[0] <= MAX_CHANNELS:
        raise AudioError(f"audio has shape {tuple(audio.shape)}, must be [n] or [C, n] with 1 or 2 channels")
    if audio.shape[1] == 0:
        raise AudioError("audio is empty")
    rate_hz = whole_rate(rate_hz)
    audio = audio.detach().to("cpu", torch.float32)
    if not torch.isfinite(audio).all():
        raise AudioError("audio holds NaN or infinity")
    heard = resample(audio, rate_hz, model_hz) if beyond is None else resample_to_end(audio, rate_hz, model_hz, beyond)
    if channels == 1:
        return to_mono(heard, model_hz)[0]
    return heard.expand(channels, -1) if heard.shape[0] == 1 else heard
