"""Onset strength of streamed audio; any cut of the input gives the same values.

Spectral flux in bands: every 5 ms the rise of each band's level (in logarithmic steps) over 10 ms ago, averaged over
the bands. Value k lies at `LATENCY + k * HOP_SAMPLES`, where an onset is strongest. Constants are for 32 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 32_000
HOP_SAMPLES = 160
WINDOW_SAMPLES = 512
CENTRE_SAMPLES = 256  # where in its window an onset is strongest: the middle, within a millisecond
LAG_HOPS = 2
BANDS = 32
LOW_HZ, HIGH_HZ = 40.0, 14_000.0
PARTS_HZ = ((0.0, 180.0), (180.0, 2500.0), (2500.0, RATE_HZ))  # kicks and basses; snares and tones; hats and cymbals
COMPRESSION = 3000.0  # levels below 1 / COMPRESSION of full scale count little

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OnsetState:
    """The past that the next step needs: samples of incomplete windows, levels of the last hops.  [any]"""

    tail: Floats
    levels: Floats  # [<= LAG_HOPS, bands]


@lru_cache(maxsize=1)
def _bands() -> Floats:
    """Weights [bins, bands]: each bin belongs to the bands around it, on a scale that is linear below 500 Hz."""
    bins = np.arange(WINDOW_SAMPLES // 2 + 1) * RATE_HZ / WINDOW_SAMPLES
    edges = np.geomspace(LOW_HZ + 500, HIGH_HZ + 500, BANDS + 2) - 500
    rise = (bins[:, None] - edges[None, :-2]) / np.maximum(edges[1:-1] - edges[:-2], 1.0)
    fall = (edges[None, 2:] - bins[:, None]) / np.maximum(edges[2:] - edges[1:-1], 1.0)
    weights = np.clip(np.minimum(rise, fall), 0.0, 1.0)
    return weights[:, weights.sum(axis=0) > 0]


@lru_cache(maxsize=1)
def _centres() -> Floats:
    """Frequency of each band's largest weight, in Hz [bands]."""
    return np.asarray(_bands().argmax(axis=0) * RATE_HZ / WINDOW_SAMPLES)


@lru_cache(maxsize=1)
def _window() -> Floats:
    return np.hanning(WINDOW_SAMPLES + 1)[:-1] * (2.0 / WINDOW_SAMPLES)


def begin() -> OnsetState:
    """State before the first sample.  [generate]"""
    return OnsetState(np.zeros(0), np.zeros((0, _bands().shape[1])))


def step(mono: Floats, state: OnsetState) -> tuple[Floats, OnsetState]:
    """Onset strengths of the windows that are complete with `mono` [n], and the next state.

    The first `LAG_HOPS` values of a stream are 0: there is no earlier audio.  [generate]
    """
    known = np.concatenate([state.tail, mono])
    count = max(0, (len(known) - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
    if count == 0:
        return np.zeros(0), OnsetState(known, state.levels)
    frames = np.lib.stride_tricks.sliding_window_view(known, WINDOW_SAMPLES)[::HOP_SAMPLES][:count]
    levels = np.concatenate([state.levels, _levels(frames)])
    missing = LAG_HOPS - len(state.levels)
    rises = _rises(levels).mean(axis=1)
    strengths = np.concatenate([np.zeros(min(missing, count)), rises])
    return strengths, OnsetState(known[count * HOP_SAMPLES :].copy(), levels[-LAG_HOPS:])


def _levels(frames: Floats) -> Floats:
    """Levels [n, bands] of windows [n, WINDOW_SAMPLES]."""
    power = np.abs(np.fft.rfft(frames * _window(), axis=1)) ** 2
    return np.asarray(np.log1p(COMPRESSION * np.sqrt(power @ _bands())))


def _rises(levels: Floats) -> Floats:
    return np.asarray(np.maximum(levels[LAG_HOPS:] - levels[:-LAG_HOPS], 0.0))


def places(first: int, count: int) -> Floats:
    """Samples of the strengths `first`, `first` + 1, ..., counted from the stream's first.  [any]"""
    return np.asarray((first + np.arange(count)) * float(HOP_SAMPLES) + CENTRE_SAMPLES, np.float64)


def strengths(mono: Floats) -> Floats:
    """All onset strengths of audio [n].  [any]"""
    return step(np.asarray(mono, np.float64), begin())[0]


def banded(mono: Floats) -> Floats:
    """Onset strengths [4, n] of audio: of all bands (as `strengths`), low, middle and high ones.  [any]"""
    count = max(0, (len(mono) - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
    if count == 0:
        return np.zeros((4, 0))
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(mono, np.float64), WINDOW_SAMPLES)[::HOP_SAMPLES]
    rises = _rises(_levels(frames))
    parts = [rises[:, (low <= _centres()) & (_centres() < high)].mean(axis=1) for low, high in PARTS_HZ]
    return np.concatenate([np.zeros((4, min(LAG_HOPS, count))), np.stack([rises.mean(axis=1), *parts])], axis=1)
