"""A stem's sound as levels of bands over time: what purity, silence and repeats are measured from. All of it [any].

audio [n, channels] --spectra, 64 ms, 20 ms apart--> dB of 72 bands, 30 Hz to 14 kHz, weighted as the ear does
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio

Floats = NDArray[np.float64]

N_BANDS, LOW_HZ, HIGH_HZ = 72, 30.0, 14_000.0
WINDOW_SECONDS, HOP_SECONDS = 0.064, 0.02
HOPS_PER_SECOND = round(1 / HOP_SECONDS)
FLOOR_DB = -90.0


def band_levels(audio: Audio, rate_hz: int) -> Floats:
    """Levels [T, 72] in dB of full scale, at least -90, of audio [n, channels], 50 a second."""
    mono = audio.mean(axis=1, dtype=np.float64)
    size, hop = round(WINDOW_SECONDS * rate_hz), round(HOP_SECONDS * rate_hz)
    padded = np.pad(mono, (size // 2, size))
    count = max(1, len(mono) // hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * hop : hop]
    window = np.hanning(size + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2 * (2.0 / np.sum(window) ** 2)
    return np.asarray(np.maximum(10 * np.log10(power @ _bands(size, rate_hz) + 1e-12), FLOOR_DB), np.float64)


def energy(levels: Floats) -> Floats:
    """The energy of each moment [T] of band levels [T, 72]; full scale is about 1."""
    return np.asarray((10 ** (levels / 10)).sum(axis=1), np.float64)


def _bands(size: int, rate_hz: int) -> Floats:
    """Weights [bins, 72] from a spectrum's bins to bands: a bin goes to the bands around it, by its distance."""
    hz = np.asarray(np.fft.rfftfreq(size, 1.0 / rate_hz), np.float64)
    place = np.log(np.maximum(hz, 1.0) / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ) * (N_BANDS - 1)
    near = np.clip(1.0 - np.abs(place[:, None] - np.arange(N_BANDS)), 0.0, None)
    return np.asarray(near * _heard(hz)[:, None], np.float64)


def _heard(hz: Floats) -> Floats:
    """Weight of a frequency's power, close to ITU-R BS.1770: 4 dB more above 2 kHz, less below 60 Hz."""
    shelf = 10 ** (0.4 * hz**2 / (hz**2 + 1700.0**2))
    return np.asarray(shelf * hz**2 / (hz**2 + 40.0**2), np.float64)
