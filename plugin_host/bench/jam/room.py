"""The way of the jam's sound into the player's microphone: direct, or a small loudspeaker in a short room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio

Floats = NDArray[np.float64]
BAND_HZ = (120.0, 7000.0)  # of the loudspeaker
BULK = 60  # samples that the loudspeaker delays: its response begins before its delay
FIRST_ECHO = 150  # samples behind the direct sound
DIRECT_DB = 3.0  # the direct sound above all echoes together


def room_path(rate_hz: int, delay_seconds: float, level_db: float, decay_seconds: float, seed: int = 5) -> Floats:
    """An impulse response [taps]: a delay, a loudspeaker, echoes that fall by 60 dB in `decay_seconds`.  [any]"""
    hz = np.fft.rfftfreq(4096, 1 / rate_hz)
    response = (hz / BAND_HZ[0]) ** 2 / (1 + (hz / BAND_HZ[0]) ** 2) / (1 + (hz / BAND_HZ[1]) ** 2)
    speaker = np.fft.irfft(response * np.exp(-2j * np.pi * hz * BULK / rate_hz), 4096)[:400]
    n = np.arange(round(1.2 * decay_seconds * rate_hz))
    echoes = np.random.default_rng(seed).standard_normal(len(n)) * 10 ** (-3 * n / rate_hz / decay_seconds)
    echoes[:FIRST_ECHO] = 0
    echoes *= np.sqrt(10 ** (-DIRECT_DB / 10) / np.square(echoes).sum())
    echoes[0] = 1
    way = np.convolve(echoes, speaker)
    way *= 10 ** (level_db / 20) / np.sqrt(np.square(way).sum())
    return np.concatenate([np.zeros(max(round(delay_seconds * rate_hz) - BULK, 0)), way])


def direct_path(rate_hz: int, delay_seconds: float, level_db: float) -> Floats:
    """An impulse response [taps] of a delay, to a sample, and a level.  [any]"""
    return np.append(np.zeros(round(delay_seconds * rate_hz)), 10 ** (level_db / 20))


class RoomFilter:
    """Filters the middle of a stereo signal block by block, by overlap-save; blocks of up to `most` samples."""

    def __init__(self, way: Floats, most: int) -> None:
        self._size = 1 << (len(way) + most).bit_length()
        self._way = np.fft.rfft(way, self._size)
        self._past = np.zeros(self._size)

    def filtered(self, heard: Audio) -> Audio:
        """What a block [n, channels] becomes, in the middle [n, 1].  [audio]"""
        n = len(heard)
        self._past[:-n] = self._past[n:]
        self._past[-n:] = heard.mean(axis=1)
        out = np.fft.irfft(np.fft.rfft(self._past) * self._way, self._size)[-n:]
        return out[:, None].astype(np.float32)
