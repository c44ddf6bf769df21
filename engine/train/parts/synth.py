"""Synthesised instruments: a patch drawn from a seed plays the notes of a stem. numpy and scipy only.

A patch is two spectra of one tone (bright and dark) that an envelope blends, in one to three detuned voices, or two
sines of which one modulates the other, or a plucked string.

All of it [main].
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter

from engine.train.compose import Note
from engine.train.render import SAMPLE_RATE_HZ, Audio

TABLE = 2048
HIGHEST_HZ = 14000.0
LONGEST_SECONDS = 8.0
KINDS = {"bass": ("table", "table", "fm", "sine"), "melody": ("table", "table", "fm", "pluck"),
         "chords": ("table", "fm", "pluck"), "pad": ("table", "table", "fm"),
         "riff": ("table", "fm", "pluck", "pluck")}  # fmt: skip


@dataclass(frozen=True)
class Patch:
    """All that a synthesised instrument is: times in seconds, cutoffs in harmonics or Hz, detune in semitones."""

    kind: str
    shape: float  # 0 saw, 1 square; between: both
    slope: float  # spectrum falls with n ** -slope
    dark_hz: float
    bright_hz: float
    closing: float
    detune: tuple[float, ...]
    ratio: float
    index: float
    attack: float
    decay: float
    sustain: float
    release: float
    vibrato: float


def draw_patch(rng: random.Random, stem: str) -> Patch:
    """A patch that suits a stem.  [any]"""
    pad = stem == "pad"
    width = rng.choice((0.0, 0.06, 0.12, 0.22))
    voices = rng.choice((1, 2, 3))
    dark = rng.uniform(150, 700) if stem == "bass" else rng.uniform(400, 2500)
    return Patch(
        kind=rng.choice(KINDS[stem]),
        shape=rng.choice((0.0, 1.0, rng.random())),
        slope=rng.uniform(0.8, 1.6),
        dark_hz=dark,
        bright_hz=dark * rng.uniform(1.2, 10.0),
        closing=rng.uniform(0.03, 0.9),
        detune=tuple(width * (2 * v / max(1, voices - 1) - 1) if voices > 1 else 0.0 for v in range(voices)),
        ratio=rng.choice((0.5, 1.0, 1.0, 2.0, 3.0, 1.41, 3.5, 7.0)),
        index=rng.uniform(0.4, 5.0),
        attack=rng.uniform(0.08, 0.6) if pad else rng.choice((0.002, 0.005, 0.02)),
        decay=rng.uniform(0.08, 1.5),
        sustain=rng.uniform(0.5, 1.0) if pad else rng.choice((0.0, 0.4, 0.8, 1.0)),
        release=rng.uniform(0.2, 0.8) if pad else rng.uniform(0.02, 0.3),
        vibrato=rng.choice((0.0, 0.0, 0.004, 0.01)) if stem == "melody" else 0.0,
    )


def _table(patch: Patch, hz: float, cutoff_hz: float) -> Audio:
    """One cycle of the tone below a soft cutoff."""
    n = np.arange(1, max(2, min(TABLE // 3, int(HIGHEST_HZ / hz))) + 1)
    level = n**-patch.slope * np.where(n % 2 == 0, 1.0 - patch.shape, 1.0) / (1.0 + (n * hz / cutoff_hz) ** 4)
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[1 : len(n) + 1] = -1j * level * TABLE / 2
    return np.fft.irfft(spectrum).astype(np.float32)


def envelope(patch: Patch, held: int) -> Audio:
    """Level of a note that is held for so many samples, and of its release."""
    t = np.arange(held + int(patch.release * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    level = np.minimum(1.0, t / patch.attack)
    level *= patch.sustain + (1.0 - patch.sustain) * np.exp(-np.maximum(0.0, t - patch.attack) / patch.decay)
    after = np.maximum(0.0, t - held / SAMPLE_RATE_HZ)
    return (level * np.exp(-4.0 * after / patch.release)).astype(np.float32)


@lru_cache(maxsize=256)
def tone(patch: Patch, key: int, count: int) -> Audio:
    """A key of a patch without its envelope, so many samples long."""
    hz, t = 440.0 * 2 ** ((key - 69) / 12), np.arange(count, dtype=np.float64) / SAMPLE_RATE_HZ
    if patch.kind == "pluck":
        return _plucked(patch, hz, count)
    wave = 1.0 + patch.vibrato * np.sin(2 * np.pi * 5.3 * t) * np.minimum(1.0, t / 0.5)
    phase = np.cumsum(wave) * (hz / SAMPLE_RATE_HZ)
    closing = np.exp(-t / patch.closing).astype(np.float32)
    if patch.kind in ("fm", "sine"):
        index = 0.3 if patch.kind == "sine" else min(patch.index, HIGHEST_HZ / (2 * hz * patch.ratio + 1))
        other = np.sin(2 * np.pi * patch.ratio * phase) * (index * (0.25 + 0.75 * closing))
        return np.sin(2 * np.pi * phase + other).astype(np.float32)
    dark, bright = _table(patch, hz, max(patch.dark_hz, hz * 1.5)), _table(patch, hz, max(patch.bright_hz, hz * 2))
    out = np.zeros(count, np.float32)
    for voice, semitones in enumerate(patch.detune):
        at = ((phase * 2 ** (semitones / 12) + 0.37 * voice) * TABLE).astype(np.int64) & (TABLE - 1)
        out += dark[at] + (bright[at] - dark[at]) * closing
    return out / np.float32(len(patch.detune))


def _plucked(patch: Patch, hz: float, count: int) -> Audio:
    """A burst of noise in a loop that loses its high tones (Karplus and Strong)."""
    period = max(2, int(SAMPLE_RATE_HZ / hz - 0.5))
    noise = np.random.default_rng(int(hz * 100)).uniform(-1, 1, period)
    burst = np.zeros(count)
    burst[:period] = lfilter([1.0], [1.0, -min(0.9, 300.0 / patch.dark_hz)], noise)[: min(period, count)]
    loop = np.zeros(period + 2)
    loop[0], kept = 1.0, 0.5 * 0.5 ** (period / SAMPLE_RATE_HZ / (0.15 + patch.decay))
    loop[period], loop[period + 1] = -kept, -kept
    out = lfilter([1.0], loop, burst)
    return (out / (np.abs(out).max() + 1e-9)).astype(np.float32)


def play_patch(notes: Iterable[Note], bpm: float, patch: Patch, n_samples: int) -> Audio:
    """Notes on a patch, exactly `n_samples` long.  [any]"""
    out = np.zeros(n_samples, np.float32)
    per_beat, longest = SAMPLE_RATE_HZ * 60.0 / bpm, int(LONGEST_SECONDS * SAMPLE_RATE_HZ)
    levels: dict[int, Audio] = {}
    for note in notes:
        start, held = int(note.start_beats * per_beat), int(note.length_beats * per_beat)
        held = min(longest, -(-held // 320) * 320)
        if held not in levels:
            levels[held] = envelope(patch, held)
        level = levels[held]
        count = min(len(level), n_samples - start)
        if count > 0:
            whole = -(-count // 8000) * 8000  # few lengths, so that tones are met again
            gain = np.float32((note.velocity / 127.0) ** 1.5)
            out[start : start + count] += tone(patch, note.key, whole)[:count] * level[:count] * gain
    tone.cache_clear()
    return out
