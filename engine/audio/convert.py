"""Audio from outside to a model's sample rate and channels, checked.

The kernel is the reference's (windowed sinc, 24 zero crossings, roll-off 0.945, edges replicated, output
length floor(n * new / old)); channels are mixed after resampling, as the reference does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from engine.audio.extrapolate import ANALYSED_SAMPLES, carry_on
from engine.audio.mono import to_mono
from engine.audio.resample import MAX_RATE_HZ, ResampleState, StreamResampler
from engine.errors import AudioError

MAX_CHANNELS = 2
_PIECE_SAMPLES = 1 << 18  # converted at a time: a long file needs no more memory than its own size


@lru_cache(maxsize=16)
def _resampler(orig_hz: int, new_hz: int) -> StreamResampler:
    return StreamResampler(orig_hz, new_hz, by_tap=False)  # the same audio is always cut the same way here


def resample(audio: Tensor, orig_hz: int, new_hz: int) -> Tensor:
    """[C, n] at `orig_hz` -> [C, floor(n * new_hz / orig_hz)], edges replicated.  [any]"""
    if orig_hz == new_hz or audio.shape[-1] == 0:
        return audio
    return _in_pieces([audio], _resampler(orig_hz, new_hz))


def _in_pieces(parts: Sequence[Tensor], resampler: StreamResampler) -> Tensor:
    """Audio [C, n], given in parts one after the other, resampled; no copy of all of it is made."""
    reach, left, last = resampler.lookahead_samples, parts[0][:, :1], parts[-1][:, -1:]
    right = last.expand(-1, reach + resampler.orig + 1)
    total = sum(part.shape[1] for part in parts) * resampler.new // resampler.orig
    out, done = torch.empty(left.shape[0], total), 0
    state = ResampleState(left.float().expand(-1, reach).contiguous(), -reach, 0)
    for part in (*parts, right):
        for piece in part.split(_PIECE_SAMPLES, dim=1):
            made, state = resampler.step(piece, state)
            made = made[:, : total - done]
            out[:, done : done + made.shape[1]] = made
            done += made.shape[1]
    return out


def resample_to_end(audio: Tensor, orig_hz: int, new_hz: int, beyond: int = 0) -> Tensor:
    """[C, n] at `orig_hz` -> [C, floor(n * new_hz / orig_hz) + beyond], its end where the input's is.

    For audio prompts: a fraction of a sample at the end would be a step. `beyond` more samples are extrapolated.  [any]
    """
    if audio.shape[-1] == 0:
        return audio
    resampler = _resampler(orig_hz, new_hz)
    orig, new = resampler.orig, resampler.new
    lacking = -audio.shape[-1] % orig
    count = resampler.lookahead_samples - (-beyond * orig // new)
    ahead = torch.from_numpy(carry_on(audio[:, -ANALYSED_SAMPLES:].float().numpy(), count))
    end = (audio.shape[-1] + lacking) // orig * new
    parts = [part for part in (audio[:, :1].expand(-1, lacking), audio, ahead) if part.shape[1]]
    out = torch.cat(parts, dim=1) if orig == new else _in_pieces(parts, resampler)
    return out[:, end - audio.shape[-1] * new // orig : end + beyond]


def whole_rate(rate_hz: object, highest: int = MAX_RATE_HZ) -> int:
    """A sample rate as an int, whole floats and numpy's numbers too; AudioError for others or out of range.  [any]"""
    try:
        rate = int(rate_hz)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        rate = 0
    if rate != rate_hz or not 1 <= rate <= highest:
        raise AudioError(f"sample rate is {rate_hz!r} Hz, must be a whole number, 1 to {highest}")
    return rate


def at_model_rate(
    audio: Tensor, rate_hz: int, model_hz: int, channels: int = 1, beyond: int | None = None, exact: bool = False
) -> Tensor:
    """Audio [n] or [C, n], C 1 or 2, at `rate_hz` -> float32 [channels, m] at `model_hz`.

    With `beyond` for audio prompts, see `resample_to_end`; else as in the reference. Two channels become one as in the
    reference, unless they cancel each other (`engine.audio.mono`) and it is not `exact`.

    Raises AudioError for anything but a tensor of floats (whole numbers would be thousands of times too loud), other
    shapes, empty audio, NaN or infinity, and rates other than whole Hz from 1 to 384,000.  [any]
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
    if not all(torch.isfinite(piece).all() for piece in audio.split(_PIECE_SAMPLES, dim=1)):
        raise AudioError("audio holds NaN or infinity")
    sound = resample(audio, rate_hz, model_hz) if beyond is None else resample_to_end(audio, rate_hz, model_hz, beyond)
    if channels == 1:
        return sound.mean(dim=0, keepdim=True) if exact else to_mono(sound, model_hz)[0]
    return sound.expand(channels, -1) if sound.shape[0] == 1 else sound
