"""Measures of the evaluation, in plain numpy and torch; each function documents its good values. All of it [main]."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.codec.rtisi import HOP_SAMPLES, magnitudes
from engine.conditions.frames import SAMPLE_RATE_HZ, chroma_frames

HOPS_PER_SECOND = SAMPLE_RATE_HZ // HOP_SAMPLES
N_BANDS = 40
Array = NDArray[np.float32]


def chroma_cosine(one: Tensor, other: Tensor) -> float:
    """Mean cosine of two chroma sequences [T, 12] over frames where both sound; 1 = same pitch classes."""
    count = min(len(one), len(other))
    a, b = one[:count], other[:count]
    both = (a.amax(1) > 0) & (b.amax(1) > 0)
    if not bool(both.any()):
        return 0.0
    return float(torch.nn.functional.cosine_similarity(a[both], b[both], dim=1).mean())


def chroma_of(audio: Array) -> Tensor:
    """Chroma [T, 12] of mono audio at 32 kHz."""
    return chroma_frames(torch.from_numpy(audio))


def band_levels(audio: Array) -> Array:
    """Levels in dB [hops, 40] in bands spaced like hearing, floor -80 dB."""
    mags = magnitudes(audio[: len(audio) // HOP_SAMPLES * HOP_SAMPLES])
    edges = np.unique(np.round(np.geomspace(2, mags.shape[1] - 1, N_BANDS + 1)).astype(int))
    power = np.add.reduceat(mags**2, edges[:-1], axis=1)
    return (10 * np.log10(power + 1e-4)).astype(np.float32)


def onset_envelope(audio: Array) -> Array:
    """How much louder the bands get from hop to hop [hops], 100 a second."""
    levels = band_levels(audio)
    rise = np.maximum(0.0, levels[2:] - levels[:-2])
    envelope = np.concatenate([np.zeros(2, np.float32), rise.mean(axis=1)])
    return np.maximum(0.0, envelope - np.median(envelope)).astype(np.float32)


def beat_score(audio: Array, bpm: float, start_beats: float = 0.0) -> float:
    """How well onsets fall on the eighth-note grid of `bpm` at its very phase: 1 all on it, 0 unrelated to it.

    An onset's energy rises through the hop after it, so the envelope is read one hop late.
    """
    envelope = onset_envelope(audio)
    seconds = (np.arange(len(envelope)) - 0.5) / HOPS_PER_SECOND
    phase = 2 * np.pi * 2.0 * (start_beats + seconds * bpm / 60.0)
    return float(np.sum(envelope * np.cos(phase)) / (np.sum(envelope) + 1e-9))


def timbre(audio: Array) -> Array:
    """What a piece sounds like whatever its notes [2 x bands]: mean and spread of band levels, and of their change."""
    levels = band_levels(audio)
    levels = levels - levels.max(axis=1).mean()
    change = np.abs(np.diff(levels, axis=0))
    return np.concatenate([levels.mean(0), levels.std(0), change.mean(0)]).astype(np.float32)


def longest_silence_seconds(audio: Array, under_db: float = -45.0) -> float:
    """Longest run of 50 ms windows under `under_db` dBFS."""
    size = SAMPLE_RATE_HZ // 20
    blocks = audio[: len(audio) // size * size].reshape(-1, size)
    quiet = 10 * np.log10((blocks**2).mean(axis=1) + 1e-12) < under_db
    longest = run = 0
    for silent in quiet:
        run = run + 1 if silent else 0
        longest = max(longest, run)
    return longest * 0.05


def bootstrap_interval(values: list[float], rounds: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean."""
    rng = np.random.default_rng(0)
    data = np.asarray(values)
    means = data[rng.integers(0, len(data), (rounds, len(data)))].mean(axis=1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))
