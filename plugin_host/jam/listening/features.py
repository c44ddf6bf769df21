"""Chroma and onsets of music, and how alike two pieces are by them; for tests and measurements, not for live use.

    similarity = 0.5 * chroma (cosine of pitch classes over all moments) + 0.5 * onsets (correlation of envelopes)

Both at the best of a few shifts in time; 1 for the same music, near 0 for none in common. [any]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio

Floats = NDArray[np.float64]

HOPS_PER_SECOND = 50
_CHROMA_SECONDS = 0.16  # frames of chroma: long enough to tell semitones from 100 Hz up
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 2500.0
_SHIFT_SECONDS = 0.06  # by which two pieces are shifted against each other


def chroma(audio: Audio, sample_rate_hz: int) -> Floats:
    """Pitch classes [T, 12] of audio [n, channels], 50 frames a second, each of length 1, or 0 where it is silent."""
    mono = audio.mean(axis=1, dtype=np.float64)
    size = round(_CHROMA_SECONDS * sample_rate_hz)
    power = np.square(np.abs(_frames(mono, size, sample_rate_hz)))
    freqs = np.fft.rfftfreq(size, 1.0 / sample_rate_hz)
    used = (freqs >= _LOWEST_HZ) & (freqs <= _HIGHEST_HZ)
    classes = np.round(12 * np.log2(freqs[used] / 440.0)).astype(int) % 12
    rows = np.stack([np.sqrt(power[:, used][:, classes == each]).sum(axis=1) for each in range(12)], axis=1)
    rows -= rows.min(axis=1, keepdims=True)  # noise has all classes
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.where(norm > 1e-6, rows / np.maximum(norm, 1e-12), 0.0))


def onset_envelope(audio: Audio, sample_rate_hz: int) -> Floats:
    """How much is new at each of 50 moments a second [T]: the rise of the spectrum's logarithm, at least 0."""
    mono = audio.mean(axis=1, dtype=np.float64)
    size = round(2 * sample_rate_hz / HOPS_PER_SECOND)
    loud = np.log1p(100.0 * np.abs(_frames(mono, size, sample_rate_hz)) / size)
    rises = np.maximum(np.diff(loud, axis=0, prepend=loud[:1]), 0.0).sum(axis=1)
    return np.asarray(rises)


def similarity(first: Audio, second: Audio, sample_rate_hz: int) -> float:
    """How alike two pieces of music [n, channels] are, from 0 to 1, over the length of the shorter one."""
    n = min(len(first), len(second))
    pieces = (first[:n], second[:n])
    return 0.5 * chroma_likeness(*pieces, sample_rate_hz) + 0.5 * onset_likeness(*pieces, sample_rate_hz)


def chroma_likeness(first: Audio, second: Audio, sample_rate_hz: int) -> float:
    """Cosine of the pitch classes over all moments, at the best shift; moments of silence do not count."""
    found = [0.0]
    for a, b in _shifts(chroma(first, sample_rate_hz), chroma(second, sample_rate_hz)):
        size = float(np.sqrt((a * a).sum() * (b * b).sum()))
        found.append(float((a * b).sum()) / size if size > 0 else 0.0)
    return max(found)


def onset_likeness(first: Audio, second: Audio, sample_rate_hz: int) -> float:
    """Correlation of the onset envelopes at the best shift, at least 0."""
    found = [0.0]
    for a, b in _shifts(onset_envelope(first, sample_rate_hz), onset_envelope(second, sample_rate_hz)):
        a, b = a - a.mean(), b - b.mean()
        size = float(np.sqrt((a * a).sum() * (b * b).sum()))
        found.append(float((a * b).sum()) / size if size > 0 else 0.0)
    return max(found)


def _shifts(one: Floats, other: Floats) -> list[tuple[Floats, Floats]]:
    n, most = min(len(one), len(other)), round(_SHIFT_SECONDS * HOPS_PER_SECOND)
    return [
        (one[max(0, by) : n + min(0, by)], other[max(0, -by) : n + min(0, -by)])
        for by in range(-most, most + 1)
        if n > abs(by)
    ]


def _frames(mono: Floats, size: int, rate_hz: int) -> NDArray[np.complex128]:
    """Spectra [T, bins] of frames around every 50th of a second."""
    hop = rate_hz // HOPS_PER_SECOND
    padded = np.pad(mono, (size // 2, size))
    count = max(1, len(mono) // hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * hop : hop]
    return np.fft.rfft(frames * np.hanning(size + 1)[:-1], axis=1)
