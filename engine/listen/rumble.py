"""DC and rumble below 25 Hz, which are inaudible and raise the measured level.

    audio -> means of 128 samples, half overlapping -> spectrum below 25 Hz -> interpolated -> subtracted

Zero phase; everything else in the audio is unchanged. Audio is float32 [C, n].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STOP_HZ, PASS_HZ = 18.0, 28.0  # everything below the first is removed, nothing above the second
POINTS_HZ = 500.0  # rate of the low-frequency signal
PADDING_SECONDS = 1.0  # mirrored at both ends
WORTH_SHARE = 0.02  # of the power: with less the level is wrong by less than 0.1 dB, and nothing is changed
_PIECE = 1 << 18  # samples subtracted at a time

Audio = NDArray[np.float32]


def without_rumble(audio: Audio, rate_hz: int) -> tuple[Audio, float]:
    """[C, n] without the part below 25 Hz, and its share of the power; unchanged if that is small.  [any]"""
    step = max(1, round(rate_hz / POINTS_HZ))
    if audio.shape[1] < 4 * step:
        return audio, 0.0
    low = np.stack([_low(channel, step, rate_hz) for channel in audio])
    power = float(np.mean([np.dot(channel, channel) for channel in audio]))  # no copy of long audio
    share = float(np.mean(np.sum(low**2, axis=1))) * step / power if power > 0 else 0.0
    if share < WORTH_SHARE:
        return audio, share
    places = (np.arange(low.shape[1]) + 0.5) * step
    out = np.empty_like(audio)
    for begin in range(0, audio.shape[1], _PIECE):
        at = np.arange(begin, min(begin + _PIECE, audio.shape[1]))
        for channel, points, into in zip(audio, low, out, strict=True):
            np.subtract(channel[at[0] : at[-1] + 1], np.interp(at, places, points), out=into[at[0] : at[-1] + 1])
    return out, min(share, 1.0)


def _low(channel: Audio, step: int, rate_hz: int) -> NDArray[np.float64]:
    """The part below 25 Hz at the middle of each `step` samples."""
    whole = len(channel) // step
    halves = channel[: whole * step].reshape(whole, step).mean(axis=1, dtype=np.float64)
    around = np.pad(halves, 1, mode="edge")
    points = 0.25 * around[:-2] + 0.5 * halves + 0.25 * around[2:]  # once more, so that little aliases
    pad = min(round(PADDING_SECONDS * rate_hz / step), whole - 1)
    led = np.pad(points, pad, mode="symmetric")
    spectrum = np.fft.rfft(led)
    hz = np.fft.rfftfreq(len(led), step / rate_hz)
    ramp = np.clip((PASS_HZ - hz) / (PASS_HZ - STOP_HZ), 0.0, 1.0)
    spectrum *= np.sin(np.pi / 2 * ramp) ** 2
    low: NDArray[np.float64] = np.fft.irfft(spectrum, len(led))[pad : pad + whole]
    return low
