"""Measures of form over minutes: how much density changes, and how clearly one section follows another.

All of it [main].
"""

import numpy as np

from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.train.metrics import HOPS_PER_SECOND, Array, band_levels, onset_envelope

BLOCK_SECONDS = 2.0
KERNEL_BLOCKS = 8  # on either side of a boundary: 16 s
ATTACK_FLOOR = 1.0  # dB of rise, mean of all bands
DENSITY_BLOCKS = 4  # together: 8 s


def attacks_a_second(audio: Array) -> Array:
    """Attacks a second in each 8 s: peaks of the onsets' envelope."""
    envelope = onset_envelope(audio)
    inner = envelope[1:-1]
    peaks = (inner > envelope[:-2]) & (inner >= envelope[2:]) & (inner > ATTACK_FLOOR)
    size = int(BLOCK_SECONDS * DENSITY_BLOCKS * HOPS_PER_SECOND)
    whole = peaks[: len(peaks) // size * size].reshape(-1, size)
    return np.asarray(whole.sum(axis=1) / (BLOCK_SECONDS * DENSITY_BLOCKS), np.float32)


def density_change(audio: Array) -> float:
    """Standard deviation of the attacks a second of 8-second stretches; 0 is a music that is always as dense."""
    return float(attacks_a_second(audio).std())


def level_change_db(audio: Array) -> float:
    """Standard deviation of the level of 8-second stretches, dB; silent ones count as 60 dB down."""
    size = int(BLOCK_SECONDS * DENSITY_BLOCKS * SAMPLE_RATE_HZ)
    power = np.square(audio[: len(audio) // size * size].reshape(-1, size), dtype=np.float64).mean(axis=1)
    return float((10.0 * np.log10(power / (power.max() + 1e-12) + 1e-6)).std())


def novelty(audio: Array) -> float:
    """How clearly sections follow each other (Foote 2000): the largest novelties, one for each 24 s, mean.

    Blocks of two seconds are compared by the levels of their bands; before and after a boundary they are alike, across
    it they are not. In dB of mean difference: 0 is one long section.
    """
    size = int(BLOCK_SECONDS * HOPS_PER_SECOND)
    levels = band_levels(audio)
    blocks = levels[: len(levels) // size * size].reshape(-1, size, levels.shape[1]).mean(axis=1)
    apart = np.abs(blocks[:, None] - blocks[None]).mean(axis=2)
    course = [_across(apart, at) for at in range(KERNEL_BLOCKS, len(blocks) - KERNEL_BLOCKS + 1)]
    found: list[float] = []
    left = np.array(course)
    for _ in range(max(1, round(len(blocks) * BLOCK_SECONDS / 24.0))):
        at = int(left.argmax())
        if left[at] == -np.inf:
            break
        found.append(max(0.0, float(left[at])))
        left[max(0, at - KERNEL_BLOCKS // 2) : at + KERNEL_BLOCKS // 2 + 1] = -np.inf
    return float(np.mean(found))


def _across(apart: Array, at: int) -> float:
    """Mean difference across a boundary, less that on either side of it."""
    before, after = slice(at - KERNEL_BLOCKS, at), slice(at, at + KERNEL_BLOCKS)
    return float(apart[before, after].mean() - (apart[before, before].mean() + apart[after, after].mean()) / 2.0)
