"""Music with known beats for the tests of `engine.beat`: drums, clicks, pads, and audio at a varying speed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 32_000
Audio = NDArray[np.float32]


class SteadyLine:
    """A host at one tempo, beat 0 at sample 0; a bar has four beats."""

    def __init__(self, bpm: float) -> None:
        self.bpm = bpm

    def beats_at(self, out: int) -> float:
        return out * self.bpm / 60.0 / RATE_HZ

    def next_bar(self, out: int) -> int:
        return round(math.ceil(self.beats_at(out) / 4.0 - 1e-9) * 4.0 * 60.0 / self.bpm * RATE_HZ)


def drums(bpm: float, seconds: float, seed: int = 0) -> Audio:
    """Kick on 1 and 3, snare on 2 and 4, hats in eighths, over a quiet chord; beat 0 at sample 0."""
    rng = np.random.default_rng(seed)
    audio = np.zeros(int(seconds * RATE_HZ) + 8000)
    n = np.arange(6000)
    kick = np.sin(2 * np.pi * (50 * n / RATE_HZ + 2 * (1 - np.exp(-n / 600)))) * np.exp(-n / 2500) * 0.6
    for eighth in range(math.ceil(seconds * bpm / 30.0)):
        at = round(eighth * 30.0 / bpm * RATE_HZ)
        if at + 6000 > len(audio):
            break
        audio[at : at + 6000] += rng.standard_normal(6000) * np.exp(-n / 300) * 0.15
        if eighth % 4 == 0:
            audio[at : at + 6000] += kick
        if eighth % 4 == 2:
            audio[at : at + 6000] += rng.standard_normal(6000) * np.exp(-n / 1200) * 0.3
    audio = audio[: int(seconds * RATE_HZ)]
    return (audio + 0.5 * chord(seconds)).astype(np.float32)


def chord(seconds: float) -> Audio:
    """A sustained chord that beats slowly."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    tones = (110.0, 110.6, 165.0, 220.0, 277.2, 329.6)
    return sum(0.05 * np.sin(2 * np.pi * f * t + k) for k, f in enumerate(tones)).astype(np.float32)


def pad(seconds: float) -> Audio:
    """Chords that swell and fade over two seconds each, in no relation to any beat."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    out = np.zeros(len(t))
    for k in range(int(seconds / 1.87) + 1):
        swell = np.clip((t - 1.87 * k) / 0.9, 0, 1) * np.clip((1.87 * k + 3.2 - t) / 1.2, 0, 1)
        root = 2.0 ** ((k * 5 % 12) / 12)
        out += swell * sum(np.sin(2 * np.pi * f * root * t) for f in (110.0, 138.6, 164.8, 220.4)) * 0.05
    return out.astype(np.float32)


def noise(seconds: float, seed: int = 1) -> Audio:
    """White noise."""
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ))).astype(np.float32)


def uneven(
    audio: Audio, speed: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> tuple[Audio, NDArray[np.float64]]:
    """Audio played at a speed that varies with time (1: unchanged), and for each sample its index in the original."""
    times = np.arange(int(len(audio) * 1.1)) / RATE_HZ
    places = np.cumsum(speed(times))
    places = places[places < len(audio) - 2]
    whole = places.astype(np.int64)
    part = (places - whole).astype(np.float32)
    return audio[whole] * (1 - part) + audio[whole + 1] * part, places
