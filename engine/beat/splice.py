"""Inaudible joints where samples are skipped or repeated: their position, length and crossfade.

    old   ....a b c d e f g h                  `position` is where the old one begins to fade,
              \\ crossfade \\                    `skip` how far ahead (or back) the new one is
    new           ....d e f g h i j ....

The search is for a joint at which old and new are alike over the whole crossfade (a whole period apart), without an
onset, so that transients are unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FADE_SAMPLES = 1024  # 32 ms
REACH_SAMPLES = 192  # largest difference of a skip from the wanted length
SKIP_LEAST, SKIP_MOST = 16, 512
PLACES_SAMPLES = 256  # interval of tried positions
EDGE_SAMPLES = 160  # no onset is this near to the crossfade
ONSET_COST = 4.0
AWAY_COST = 0.15

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Joint:
    """A crossfade from sample `position` on to the audio `skip` samples later.  [any]"""

    position: int
    skip: int


def find_joint(mono: Samples, first: int, last: int, wanted: int, onsets: NDArray[np.float64]) -> Joint | None:
    """The least audible joint that begins at `first` to `last` in `mono` and skips about `wanted` samples.

    `onsets` [n] is the onset strength at each tried position (`places(first, last)`), 0 to 1; None if no position
    fits.  [generate]
    """
    tried = places(first, last)
    low, high = _lengths(wanted)
    if not len(tried) or first + low < 0 or last + high + FADE_SAMPLES > len(mono):
        return None
    old = np.lib.stride_tricks.sliding_window_view(mono, FADE_SAMPLES)[tried]
    span = high - low + FADE_SAMPLES
    near = np.lib.stride_tricks.sliding_window_view(mono, span)[tried + low]
    costs = _unlike(old.astype(np.float64), near.astype(np.float64)) + ONSET_COST * onsets[:, None]
    lengths = np.arange(low, high + 1)
    costs += AWAY_COST * ((lengths - wanted) / REACH_SAMPLES) ** 2
    row, column = np.unravel_index(int(costs.argmin()), costs.shape)
    return Joint(int(tried[row]), int(lengths[column]))


def places(first: int, last: int) -> NDArray[np.int64]:
    """Tried positions of joints between two samples.  [any]"""
    return np.arange(first, last + 1, PLACES_SAMPLES)


def _lengths(wanted: int) -> tuple[int, int]:
    """Least and most samples to skip for a wanted skip: never in the other direction, never hardly any."""
    size = min(max(abs(wanted), SKIP_LEAST), SKIP_MOST)
    low, high = max(SKIP_LEAST, size - REACH_SAMPLES), min(SKIP_MOST, size + REACH_SAMPLES)
    return (low, high) if wanted > 0 else (-high, -low)


def _unlike(old: NDArray[np.float64], near: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference of pieces [n, FADE] from each piece of `near` [n, span] of that length: 0 alike, 1 unrelated."""
    size = 1 << (near.shape[1] + old.shape[1] - 1).bit_length()
    spectra = np.fft.rfft(near, size) * np.conj(np.fft.rfft(old, size))
    alike = np.fft.irfft(spectra, size)[:, : near.shape[1] - old.shape[1] + 1]
    sums = np.cumsum(np.pad(near**2, ((0, 0), (1, 0))), axis=1)
    power = sums[:, FADE_SAMPLES:] - sums[:, :-FADE_SAMPLES]
    own = (old**2).sum(axis=1, keepdims=True)
    return np.asarray((power + own - 2.0 * alike) / (power + own + 1e-3))


@lru_cache(maxsize=1)
def _rise() -> Samples:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(FADE_SAMPLES) + 0.5) / FADE_SAMPLES)).astype(np.float32)


def crossfade(old: Samples, new: Samples) -> Samples:
    """From `old` [C, FADE_SAMPLES] to `new` of the same shape.  [any]"""
    rise = _rise()
    return np.asarray(old * (1.0 - rise) + new * rise, np.float32)
