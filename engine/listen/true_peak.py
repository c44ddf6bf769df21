"""True peaks, also between the samples: the largest value of a converter's output (ITU-R BS.1770-4, annex 2).

    samples      x[n]    .    .    .    x[n + 1]      three points between two samples (one from 80 kHz on), each a
                        1/4  2/4  3/4                 weighted sum of the `TAPS` samples around it

Sums are computed tap by tap, so that any cut of the same samples gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = 12
BEFORE = TAPS // 2 - 1  # samples before x[n] that the points after it need
AFTER = TAPS // 2  # and samples after x[n]
_BETA = 5.0  # of the Kaiser window: error 0.02 dB up to a third of the sample rate, where a model's music ends
_ONE_POINT_FROM_HZ = 80_000

Audio = NDArray[np.float32]


def kernels(sample_rate_hz: int) -> Audio:
    """Weights [points, TAPS] of the points between two samples.  [any]"""
    points = [0.5] if sample_rate_hz >= _ONE_POINT_FROM_HZ else [0.25, 0.5, 0.75]
    k = np.arange(-BEFORE, AFTER + 1)[None] - np.array(points)[:, None]
    weights = np.sinc(k) * np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - (k / (TAPS / 2)) ** 2)))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def most(weights: Audio) -> float:
    """The largest ratio of a point between samples to the largest sample around it.  [any]"""
    return float(np.abs(weights).sum(axis=1).max()) * 1.001


def peaks(audio: Audio, weights: Audio) -> Audio:
    """Largest magnitude from each inner sample to the next: float32 [..., BEFORE + n + AFTER] -> [..., n].  [any]"""
    count = audio.shape[-1] - BEFORE - AFTER
    found = np.abs(audio[..., BEFORE : BEFORE + count])
    point, part = np.empty_like(found), np.empty_like(found)
    for row in weights:
        np.multiply(audio[..., :count], row[0], out=point)
        for tap in range(1, TAPS):
            np.multiply(audio[..., tap : tap + count], row[tap], out=part)
            point += part
        np.maximum(found, np.abs(point, out=point), out=found)
    return found


def true_peak_dbtp(audio: Audio, sample_rate_hz: int) -> float:
    """The true peak of all of [n, C], in dB of full scale; -infinity for silence.  [any]"""
    if not len(audio):
        return float("-inf")
    padded = np.pad(np.ascontiguousarray(audio.T), ((0, 0), (BEFORE, AFTER)))
    largest = float(peaks(padded, kernels(sample_rate_hz)).max())
    return 20.0 * float(np.log10(largest)) if largest > 0.0 else float("-inf")
