"""Features from which purity is estimated: which bands sound, how they move, how much attack and how much tone.

One row of features for each two seconds of sound, a second apart. All of it [any].
"""

from __future__ import annotations

import numpy as np

from plugin_host.takes.stems.sound import HOPS_PER_SECOND, N_BANDS, Floats, energy

SEGMENT_HOPS, STEP_HOPS = 2 * HOPS_PER_SECOND, HOPS_PER_SECOND
GROUPS = 18  # of four bands
AROUND_HOPS, AROUND_BANDS = 13, 7  # over which medians are taken: a quarter of a second, two thirds of an octave
RANGE_DB = 60.0  # below the loudest band of the segment nothing counts
N_FEATURES = 4 * GROUPS


def segments(n_hops: int) -> list[slice]:
    """The stretches of two seconds in music of so many hops; a shorter one is one stretch."""
    return [slice(at, at + SEGMENT_HOPS) for at in range(0, max(n_hops - SEGMENT_HOPS, 0) + 1, STEP_HOPS)]


def features(levels: Floats) -> Floats:
    """Features [segments, 72] of band levels [T, 72]; they don't change with the overall level."""
    return np.stack([_of_segment(levels[part]) for part in segments(len(levels))])


def weights(levels: Floats) -> Floats:
    """Energy of each segment [segments]."""
    moments = energy(levels)
    return np.array([float(moments[part].sum()) for part in segments(len(levels))])


def _of_segment(levels: Floats) -> Floats:
    """Four features of each group of bands: level, movement, attack, tone."""
    floor = levels.max() - RANGE_DB
    heard = np.maximum(levels, floor) - floor
    attack = np.maximum(heard - _medians(heard, AROUND_HOPS), 0.0)
    tone = np.maximum(heard - _medians(heard.T, AROUND_BANDS).T, 0.0)
    return np.concatenate([_grouped(each) for each in (heard.mean(axis=0), heard.std(axis=0), attack.mean(axis=0),
                                                       tone.mean(axis=0))]) / 10.0  # fmt: skip


def _grouped(bands: Floats) -> Floats:
    return np.asarray(bands.reshape(GROUPS, N_BANDS // GROUPS).mean(axis=1), np.float64)


def _medians(rows: Floats, count: int) -> Floats:
    """Median of `count` neighbours down the first axis, edges repeated."""
    padded = np.pad(rows, ((count // 2, count // 2), (0, 0)), mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, count, axis=0), axis=-1), np.float64)
