"""Extrapolation of audio: linear prediction from its last samples (Burg's method).

Following music is joined to it, so that neither the samples nor their slope jump at the joint.
Source: J. P. Burg (1975), "Maximum entropy spectral analysis"; the filter it finds is always stable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ORDER = 48
ANALYSED_SAMPLES = 1536  # the last samples, which are analysed
_LEAST = 4 * ORDER
_SILENT = 1e-12

Floats = NDArray[np.float64]


def carry_on(audio: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The next `count` samples of audio [C, n], float32 [C, count]; the last one repeated if n is under 192.  [any]"""
    tail = audio[:, -ANALYSED_SAMPLES:].astype(np.float64)
    if tail.shape[1] < _LEAST:
        last = tail[:, -1:] if tail.shape[1] else np.zeros((len(tail), 1))
        return np.repeat(last, count, axis=1).astype(np.float32)
    return np.stack([_predict(channel, count) for channel in tail]).astype(np.float32)


def _predict(tail: Floats, count: int) -> Floats:
    weights = _burg(tail)
    known = np.concatenate([tail[-ORDER:], np.zeros(count)])
    for n in range(ORDER, ORDER + count):
        known[n] = weights @ known[n - ORDER : n]
    reach = float(np.abs(tail).max())  # stable, but a sum of waves may exceed the audio's peak
    return np.clip(known[ORDER:], -reach, reach)


def _burg(tail: Floats) -> Floats:
    """Weights [ORDER] of the samples before, oldest first."""
    forward, backward = tail[1:].copy(), tail[:-1].copy()
    filter_ = np.array([1.0])
    for _ in range(ORDER):
        energy = float(forward @ forward + backward @ backward)
        if energy < _SILENT:
            break
        reflection = -2.0 * float(forward @ backward) / energy
        padded = np.concatenate([filter_, [0.0]])
        filter_ = padded + reflection * padded[::-1]
        forward, backward = (forward + reflection * backward)[1:], (backward + reflection * forward)[:-1]
    weights = np.zeros(ORDER)
    weights[: len(filter_) - 1] = -filter_[1:]
    return weights[::-1]
