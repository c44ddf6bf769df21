"""The fit of music to a grid: the share of its onsets on the grid's eighths and sixteenths.

    rise of each 5 ms       increase of 24 bands' level (log) over the loudest neighbour before (SuperFlux, Boeck and
                            Widmer 2013)
    share on the grid       sum of rise * cos(phase) over sum of rise: 1 all on it, 0 unrelated, below 0 between

Candidates are chosen by this; results are measured with another estimator, `engine.train.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.listen.features import Audio

HOP_SECONDS = 0.005
WINDOW_HOPS = 6
LAG_HOPS = 2
N_BANDS = 24
EIGHTHS, SIXTEENTHS = 0.75, 0.25  # their weights
CONTEXT_SECONDS = HOP_SECONDS * (WINDOW_HOPS + LAG_HOPS)  # of audio before the judged stretch

Beats = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # seconds of the audio to beats of the grid


@lru_cache(maxsize=4)
def _bands(size: int, sample_rate_hz: int) -> tuple[Audio, NDArray[np.intp]]:
    """Window [size] and the first bin of each band; bands are at least a bin wide."""
    edges = np.geomspace(60.0, 0.4 * sample_rate_hz, N_BANDS + 1) * size / sample_rate_hz
    whole = np.maximum(np.round(edges).astype(np.intp), 1)
    for index in range(1, len(whole)):
        whole[index] = max(whole[index], whole[index - 1] + 1)
    return np.hanning(size + 1)[:-1].astype(np.float32), whole


def rises(audio: Audio, sample_rate_hz: int) -> tuple[Audio, NDArray[np.float64]]:
    """The rise in level of audio [n] at each hop, and the hops' times in seconds from its first sample.  [any]"""
    hop = round(HOP_SECONDS * sample_rate_hz)
    size = WINDOW_HOPS * hop
    window, edges = _bands(size, sample_rate_hz)
    if len(audio) < size + (LAG_HOPS + 1) * hop:
        return np.zeros(0, np.float32), np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(audio, size)[::hop] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    levels = np.log10(1e-4 + np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)).astype(np.float32)
    before = levels.copy()
    before[:, 1:] = np.maximum(before[:, 1:], levels[:, :-1])
    before[:, :-1] = np.maximum(before[:, :-1], levels[:, 1:])
    rise = np.maximum(0.0, levels[LAG_HOPS:] - before[:-LAG_HOPS]).mean(axis=1)
    seconds = (np.arange(len(rise)) + LAG_HOPS / 2) * HOP_SECONDS + size / 2 / sample_rate_hz
    return np.asarray(np.maximum(0.0, rise - np.median(rise)), np.float32), np.asarray(seconds, np.float64)


def share_on_grid(audio: Audio, sample_rate_hz: int, beats_at: Beats) -> float:
    """The fit of the onsets of audio [n] (mono) to the grid of `beats_at`.  [any]"""
    rise, seconds = rises(audio, sample_rate_hz)
    total = float(rise.sum())
    if total <= 1e-6:
        return 0.0
    beats = beats_at(seconds)
    on = EIGHTHS * np.cos(2 * np.pi * 2 * beats) + SIXTEENTHS * np.cos(2 * np.pi * 4 * beats)
    return float((rise * on).sum() / total)
