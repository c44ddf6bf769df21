"""Effects drawn from a seed, as in a mix: equaliser, saturation, chorus, echo, room, lower rates, noise.

All of it [main].
"""

import random
from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter, oaconvolve

from engine.train.render import SAMPLE_RATE_HZ, Audio

Effect = Callable[[random.Random, Audio, float], Audio]  # seed, audio, beats a minute


def _peak(hz: float, db: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """A second-order filter that lifts or lowers around a frequency."""
    gain, w = 10 ** (db / 40), 2 * np.pi * hz / SAMPLE_RATE_HZ
    alpha = np.sin(w) / (2 * width)
    b = np.array([1 + alpha * gain, -2 * np.cos(w), 1 - alpha * gain])
    a = np.array([1 + alpha / gain, -2 * np.cos(w), 1 - alpha / gain])
    return b / a[0], a / a[0]


def _pass(hz: float, low: bool) -> tuple[np.ndarray, np.ndarray]:
    """A second-order low-pass or high-pass filter."""
    w = 2 * np.pi * hz / SAMPLE_RATE_HZ
    alpha, c = np.sin(w) / 1.414, np.cos(w)
    b = np.array([(1 - c) / 2, 1 - c, (1 - c) / 2]) if low else np.array([(1 + c) / 2, -(1 + c), (1 + c) / 2])
    a = np.array([1 + alpha, -2 * c, 1 - alpha])
    return b / a[0], a / a[0]


def equaliser(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """Two bells of up to 8 dB."""
    for _ in range(2):
        hz = float(np.exp(rng.uniform(np.log(120), np.log(9000))))
        audio = lfilter(*_peak(hz, rng.uniform(-8, 8), rng.uniform(0.5, 2)), audio)
    return audio.astype(np.float32)


def darker(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """A low-pass filter."""
    return lfilter(*_pass(float(np.exp(rng.uniform(np.log(900), np.log(9000)))), True), audio).astype(np.float32)


def thinner(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """A high-pass filter."""
    return lfilter(*_pass(rng.uniform(80, 500), False), audio).astype(np.float32)


def saturation(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """Soft clipping, from warmth to fuzz, of one side more than of the other."""
    loud = float(np.sqrt(np.mean(audio**2))) + 1e-9
    driven = audio * np.float32(rng.choice((0.15, 0.3, 0.6, 1.2, 3.0)) / loud) + np.float32(rng.uniform(0, 0.3))
    shaped = np.tanh(driven)
    return ((shaped - shaped.mean()) * np.float32(loud / (shaped.std() + 1e-9))).astype(np.float32)


def chorus(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """The sound beside itself, late by a few milliseconds that change."""
    t = np.arange(len(audio))
    late = SAMPLE_RATE_HZ * (0.008 + 0.003 * np.sin(2 * np.pi * rng.uniform(0.2, 1.5) * t / SAMPLE_RATE_HZ))
    at = np.maximum(0.0, t - late)
    low = at.astype(np.int64)
    part = (at - low).astype(np.float32)
    other = audio[low] * (1 - part) + audio[np.minimum(low + 1, len(audio) - 1)] * part
    return (audio * np.float32(0.7) + other * np.float32(rng.uniform(0.3, 0.7))).astype(np.float32)


def echo(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """Repeats in eighths or dotted eighths, darker each time."""
    step = int(SAMPLE_RATE_HZ * 60 / bpm * rng.choice((0.5, 0.75, 0.25, 1.0)))
    out, wet, share = audio.copy(), audio, rng.uniform(0.2, 0.5)
    for _ in range(3):
        wet = lfilter([0.5, 0.5], [1.0], wet).astype(np.float32) * np.float32(share)
        wet = np.concatenate([np.zeros(step, np.float32), wet])[: len(audio)]
        out = out + wet
    return out


def room(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """A small box to a hall: a few first reflections, then noise that decays and darkens."""
    seconds = rng.choice((0.15, 0.3, 0.6, 1.2, 2.2))
    noise = np.random.default_rng(rng.randrange(2**31)).standard_normal(int(seconds * SAMPLE_RATE_HZ))
    noise *= np.exp(-6.9 * np.arange(len(noise)) / len(noise))
    response = lfilter([1.0], [1.0, -rng.uniform(0.2, 0.9)], noise)
    for _ in range(5):
        response[rng.randrange(20, min(len(noise), 2000))] += rng.uniform(-1, 1) * np.abs(response[:2000]).max() * 3
    response /= np.sqrt(np.sum(response**2))
    wet = oaconvolve(audio, response.astype(np.float32))[: len(audio)].astype(np.float32)
    return audio + np.float32(rng.uniform(0.1, 0.6)) * wet


def coarse(rng: random.Random, audio: Audio, bpm: float) -> Audio:
    """A lower rate and fewer bits, as old samplers have."""
    keep = rng.choice((2, 3, 4))
    peak = np.abs(audio).max() + 1e-9
    steps = 2.0 ** rng.choice((6, 8, 10))
    held = np.repeat(audio[::keep], keep)[: len(audio)]
    return (np.round(held / peak * steps) / steps * peak).astype(np.float32)


CHAINS: dict[str, tuple[tuple[Effect, float], ...]] = {
    "drums": ((coarse, 0.08), (saturation, 0.3), (equaliser, 0.5), (darker, 0.12), (thinner, 0.08), (room, 0.4)),
    "bass": ((saturation, 0.35), (equaliser, 0.4), (darker, 0.25), (chorus, 0.1), (room, 0.1)),
    "other": ((saturation, 0.2), (chorus, 0.25), (equaliser, 0.5), (darker, 0.15), (thinner, 0.15), (echo, 0.18),
              (room, 0.55), (coarse, 0.04)),
}  # fmt: skip


def process(rng: random.Random, audio: Audio, stem: str, bpm: float) -> Audio:
    """A stem through the effects that its seed draws, at its old level.  [any]"""
    level = float(np.sqrt(np.mean(audio**2)))
    if level < 1e-6:
        return audio
    for effect, share in CHAINS.get(stem, CHAINS["other"]):
        if rng.random() < share:
            audio = effect(rng, audio, bpm)
    return audio * np.float32(level / (float(np.sqrt(np.mean(audio**2))) + 1e-9))


def noise_floor(rng: random.Random, count: int) -> Audio:
    """Hiss or hum, its RMS at 1."""
    raw = np.random.default_rng(rng.randrange(2**31)).standard_normal(count)
    if rng.random() < 0.25:
        raw = raw * 0.2 + sum(np.sin(2 * np.pi * 50 * n * np.arange(count) / SAMPLE_RATE_HZ) / n for n in (1, 2, 3))
    else:
        raw = lfilter([1.0], [1.0, -rng.uniform(0.0, 0.97)], raw)
    return (raw / np.sqrt(np.mean(raw**2))).astype(np.float32)


def master(rng: random.Random, audio: Audio) -> Audio:
    """What a whole mix goes through: a tilt, sometimes tape or a floor of noise."""
    amount = rng.uniform(-0.4, 0.4)
    audio = lfilter([1.0, -amount], [1.0], audio).astype(np.float32)
    if rng.random() < 0.25:
        audio = saturation(rng, audio, 120.0) if rng.random() < 0.3 else (np.tanh(audio * 3) / 3).astype(np.float32)
    if rng.random() < 0.2:
        level = float(np.sqrt(np.mean(audio**2))) * 10 ** (rng.uniform(-60, -34) / 20)
        audio = audio + noise_floor(rng, len(audio)) * np.float32(level)
    return np.asarray(audio, np.float32)
