"""Loudness in LUFS (ITU-R BS.1770-4), block by block: half-overlapping blocks of 0.2 s, weighted as spectra.

    block j covers samples [j * hop, j * hop + 2 * hop), hop = 0.1 s; its power is Parseval's sum of its spectrum under
    a Hann window, weighted by the curve of the standard's two filters

The standard filters samples and uses blocks of 0.4 s (here: three blocks together); over some seconds of music both
agree within 0.2 LU. A block's power depends only on its own samples, so streams can be cut, and go back, anywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

HOP_SECONDS = 0.1
TOGETHER = 3  # blocks per gate, for the standard's 0.4 s
OFFSET_LU = -0.691
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0

Audio = NDArray[np.float32]
Powers = NDArray[np.float64]


def hop_samples(sample_rate_hz: int) -> int:
    """Samples from one block to the next.  [any]"""
    return max(1, round(HOP_SECONDS * sample_rate_hz))


def _biquad(kind: str, freq_hz: float, gain_db: float, q: float, rate_hz: float) -> tuple[Powers, Powers]:
    """Numerator and denominator of one of the standard's filters at any rate (as libebur128 computes them)."""
    k = math.tan(math.pi * freq_hz / rate_hz)
    if kind == "highpass":
        a = np.array([1.0, 2 * (k * k - 1) / (1 + k / q + k * k), (1 - k / q + k * k) / (1 + k / q + k * k)])
        return np.array([1.0, -2.0, 1.0]), a
    vh = 10.0 ** (gain_db / 20.0)
    vb, a0 = vh**0.4996667741545416, 1.0 + k / q + k * k
    b = np.array([(vh + vb * k / q + k * k) / a0, 2.0 * (k * k - vh) / a0, (vh - vb * k / q + k * k) / a0])
    return b, np.array([1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0])


@lru_cache(maxsize=8)
def _curve(sample_rate_hz: int) -> tuple[Powers, Powers]:
    """Window [2 * hop] and the weights of the bins [hop + 1] by which a sum of |X|^2 is a mean square."""
    hop = hop_samples(sample_rate_hz)
    size = 2 * hop
    window = np.hanning(size + 1)[:-1]
    z = np.exp(-2j * np.pi * np.arange(hop + 1) / size)
    weight = np.full(hop + 1, 2.0)
    weight[0] = weight[-1] = 1.0
    shelf = _biquad("shelf", 1681.974450955533, 3.999843853973347, 0.7071752369554196, sample_rate_hz)
    low = _biquad("highpass", 38.13547087602444, 0.0, 0.5003270373238773, sample_rate_hz)
    for b, a in (shelf, low):
        weight *= np.abs((b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)) ** 2
    return window, weight / (size * float((window**2).sum()))


def block_power(block: Audio, sample_rate_hz: int) -> float:
    """K-weighted mean square of one block [2 * hop, C], summed over channels.  [any]"""
    window, weight = _curve(sample_rate_hz)
    return sum(float(np.abs(np.fft.rfft(block[:, c] * window)) ** 2 @ weight) for c in range(block.shape[1]))


def block_powers(audio: Audio, sample_rate_hz: int) -> Powers:
    """Powers of all whole blocks of [n, C].  [any]"""
    hop = hop_samples(sample_rate_hz)
    starts = range(0, len(audio) - 2 * hop + 1, hop)
    return np.array([block_power(audio[start : start + 2 * hop], sample_rate_hz) for start in starts])


def lufs(power: float) -> float:
    """Loudness of a power; -infinity for none.  [any]"""
    return OFFSET_LU + 10.0 * math.log10(power) if power > 0.0 else -math.inf


def gated_lufs(powers: Powers) -> float:
    """Loudness of all blocks, without silent ones and those far below the rest; -inf for silence.  [any]"""
    powers = np.asarray(powers, np.float64)
    if len(powers) >= TOGETHER:
        powers = np.convolve(powers, np.full(TOGETHER, 1.0 / TOGETHER), mode="valid")
    audible = powers[powers > 10.0 ** ((ABSOLUTE_GATE_LUFS - OFFSET_LU) / 10.0)]
    if not len(audible):
        return -math.inf
    gate = audible.mean() * 10.0 ** (RELATIVE_GATE_LU / 10.0)
    return lufs(float(audible[audible > gate].mean()))


def integrated_lufs(audio: Audio, sample_rate_hz: int) -> float:
    """Loudness of all of [n, C]; less than a block is padded with silence, none is -infinity.  [any]"""
    size = 2 * hop_samples(sample_rate_hz)
    if len(audio) < size:
        audio = np.pad(audio, ((0, size - len(audio)), (0, 0)))
    return gated_lufs(block_powers(audio, sample_rate_hz))
