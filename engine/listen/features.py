"""The guard's features, one row for each frame (20 ms): level, peak, spectrum, onsets.

    frame t        samples [t * size, (t + 1) * size)
    bands of t     a Hann window over frame t and the one before it
    rise of t      the bands' increase in level over two frames before, large at onsets

Each row depends on its frame and the three before it, so any cut of the audio gives the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 50
N_BANDS = 24
LOWEST_HZ, HIGHEST_HZ = 60.0, 14_000.0
FLOOR_DB = -90.0
RISE_FLOOR_DB = -60.0  # quieter audio has no onsets
TOP = 0.985  # share of its frame's largest magnitude from which a sample can be part of a flat top
LOUD = 0.9  # only samples this large can be clipped

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Features of consecutive frames, all [n] but `bands_db` [n, N_BANDS].  [any]"""

    level_db: Audio
    peak: Audio
    flat: Audio  # share of samples on flat tops
    rise_db: Audio
    bands_db: Audio

    def __len__(self) -> int:
        return len(self.level_db)

    def cut(self, start: int, stop: int | None = None) -> Rows:
        """Rows `start` to `stop`.  [any]"""
        part = slice(start, stop)
        return Rows(self.level_db[part], self.peak[part], self.flat[part], self.rise_db[part], self.bands_db[part])

    def then(self, more: Rows) -> Rows:
        """These rows and `more`.  [any]"""
        pairs = (
            (self.level_db, more.level_db), (self.peak, more.peak), (self.flat, more.flat),
            (self.rise_db, more.rise_db), (self.bands_db, more.bands_db),
        )  # fmt: skip
        return Rows(*(np.concatenate(pair) for pair in pairs))


def no_rows() -> Rows:
    """Empty rows.  [any]"""
    none = np.zeros(0, np.float32)
    return Rows(none, none, none, none, np.zeros((0, N_BANDS), np.float32))


class FrameFeatures:
    """Computes rows of audio [n], mono at one rate; stores the frames that the next row needs."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.size = sample_rate_hz // FRAMES_PER_SECOND
        freqs = np.fft.rfftfreq(2 * self.size, 1.0 / sample_rate_hz)
        edges = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, 0.45 * sample_rate_hz), N_BANDS + 1)
        bins = np.searchsorted(freqs, edges)
        self._edges = np.maximum(bins, bins[0] + np.arange(N_BANDS + 1))  # at least a bin wide
        self._window = np.hanning(2 * self.size + 1)[:-1].astype(np.float32)
        self._scale = 2.0 / float(self._window.sum()) ** 2
        self.forget()

    def forget(self, before: Audio | None = None) -> None:
        """Start again; `before` is the audio before the next sample, silence by default.  [generate]"""
        self._waiting = np.zeros(0, np.float32)
        self._last = np.zeros(self.size, np.float32)
        self._bands = np.full((2, N_BANDS), FLOOR_DB, np.float32)
        if before is not None and len(before) >= 4 * self.size:
            self._last = before[-4 * self.size : -3 * self.size].astype(np.float32)
            self.add(before[-3 * self.size :])

    def add(self, audio: Audio) -> Rows:
        """Add audio [n]; returns the rows of the frames that it completes.  [generate]"""
        known = np.concatenate([self._waiting, audio.astype(np.float32, copy=False)])
        count = len(known) // self.size
        frames, self._waiting = known[: count * self.size].reshape(count, self.size), known[count * self.size :]
        if not count:
            return no_rows()
        pairs = zip([self._last, *frames[:-1]], frames, strict=True)
        bands = np.stack([self._band_levels(before, frame) for before, frame in pairs])
        self._last = frames[-1]
        along = np.concatenate([self._bands, bands])
        self._bands = along[-2:]
        steps = np.maximum(along[2:], RISE_FLOOR_DB) - np.maximum(along[:-2], RISE_FLOOR_DB)
        peak = np.abs(frames).max(axis=1)
        power = np.array([float(np.dot(frame, frame)) for frame in frames]) / self.size
        return Rows(
            np.maximum(10.0 * np.log10(power + 1e-12), FLOOR_DB).astype(np.float32), peak, _flat_tops(frames, peak),
            np.array([step[step > 0].sum() / N_BANDS for step in steps], np.float32), bands,
        )  # fmt: skip

    def _band_levels(self, before: Audio, frame: Audio) -> Audio:
        power = np.abs(np.fft.rfft(np.concatenate([before, frame]) * self._window)) ** 2 * self._scale
        sums = np.add.reduceat(power, self._edges[:-1])
        sums[-1] = power[self._edges[-2] : self._edges[-1]].sum()
        return np.maximum(10.0 * np.log10(sums + 1e-12), FLOOR_DB).astype(np.float32)


def _flat_tops(frames: Audio, peak: Audio) -> Audio:
    """Share of samples that are, three or more in a row, as high as their frame's peak."""
    high = (np.abs(frames) >= TOP * peak[:, None]) & (peak[:, None] >= LOUD)
    three = high[:, 2:] & high[:, 1:-1] & high[:, :-2]
    return np.asarray(three.mean(axis=1), np.float32)
