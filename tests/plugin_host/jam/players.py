"""Music for tests of the jam: a player, Segue's own output, and ways from the loudspeaker to the microphone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

ROOT = Path(__file__).parents[3]
RATE = 48_000
Mono = NDArray[np.float32]


def player(name: str, seconds: float) -> Mono:
    """A region that comes with Segue, repeated."""
    audio, rate = soundfile.read(next((ROOT / "presets" / "regions").glob(f"{name}-*.flac")), dtype="float32")
    assert rate == RATE
    return np.resize(audio, round(seconds * RATE)).astype(np.float32)


def segue_music(name: str, seconds: float, like: Mono) -> Mono:
    """What the embedded model played (its third version), at 48 kHz and as loud as `like`."""
    audio, rate = soundfile.read(ROOT / "tests" / "data" / "music" / f"{name}.ogg")
    count = len(audio) * RATE // rate
    spectrum = np.fft.rfft(audio)
    wide = np.concatenate([spectrum, np.zeros(count // 2 + 1 - len(spectrum))])
    music = np.resize(np.fft.irfft(wide, count), round(seconds * RATE))
    return (music * np.sqrt(np.mean(np.square(like)) / np.mean(np.square(music)))).astype(np.float32)


def direct(delay_ms: float, level_db: float) -> NDArray[np.float64]:
    """A delay and a gain; a delay between two samples by a windowed sinc."""
    at = delay_ms * RATE / 1000
    n = np.arange(int(at) + 65)
    window = np.where(np.abs(n - at) < 64, 0.5 + 0.5 * np.cos(np.pi * (n - at) / 64), 0.0)
    return np.asarray(10 ** (level_db / 20) * np.sinc(n - at) * window)


def loudspeaker(delay_ms: float, level_db: float, decay_seconds: float = 0.0) -> NDArray[np.float64]:
    """A small loudspeaker (120 Hz to 7 kHz, a bump at 900), and a room with the direct sound 3 dB above its echoes."""
    freqs = np.fft.rfftfreq(4096, 1 / RATE)
    response = (freqs / 120) ** 2 / (1 + (freqs / 120) ** 2) / (1 + (freqs / 7000) ** 2)
    response *= 1 + 0.8 * np.exp(-(np.log2((freqs + 1) / 900) ** 2))
    way = np.fft.irfft(response * np.exp(-2j * np.pi * freqs * 60 / RATE), 4096)[:400]
    if decay_seconds:
        n = np.arange(round(1.2 * decay_seconds * RATE))
        tail = np.random.default_rng(5).standard_normal(len(n)) * 10 ** (-3 * n / RATE / decay_seconds)
        tail[:150] = 0
        tail *= np.sqrt(0.5 / np.square(tail).sum())
        tail[0] = 1
        way = np.convolve(tail, way)
    way *= 10 ** (level_db / 20) / np.sqrt(np.square(way).sum())
    return np.concatenate([np.zeros(max(round(delay_ms * RATE / 1000) - 60, 0)), way])


def through(way: NDArray[np.float64], played: Mono) -> Mono:
    """What the microphone hears of it."""
    size = 2 ** int(np.ceil(np.log2(len(played) + len(way))))
    return np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(way, size), size)[: len(played)].astype(np.float32)


def decibels(of: Mono, over: Mono) -> float:
    return float(10 * np.log10(np.mean(np.square(of)) / np.mean(np.square(over))))
