"""The key of music: its pitch classes correlated with the tones of each major and minor scale, those of the tonic's
chord weighted most (after Krumhansl and Schmuckler 1990, whose own profiles were right for fewer pieces: docs/beat.md).

Relative keys (C major, A minor) share their tones, so confidence is the lead over the best of all others.
"""

from __future__ import annotations

import numpy as np

from engine.beat.estimate import Floats
from engine.beat.onsets import RATE_HZ

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MAJOR = np.array([1.5, 0.0, 1.0, 0.0, 1.25, 1.0, 0.0, 1.25, 0.0, 1.0, 0.0, 1.0])
MINOR = np.array([1.5, 0.0, 1.0, 1.25, 0.0, 1.0, 0.0, 1.25, 1.0, 0.0, 1.0, 0.0])
WINDOW_SAMPLES, HOP_SAMPLES = 8192, 4096
LOW_HZ, HIGH_HZ = 60.0, 1500.0
CLEAR_LEAD = 0.15  # lead in correlation for full confidence


def pitch_classes(mono: Floats) -> Floats:
    """Strength of each pitch class [windows, 12], C first, in audio [n] at 32 kHz.  [any]"""
    if len(mono) < WINDOW_SAMPLES:
        mono = np.pad(mono, (0, WINDOW_SAMPLES - len(mono)))
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW_SAMPLES)[::HOP_SAMPLES]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(WINDOW_SAMPLES), axis=1))
    hz = np.arange(spectra.shape[1]) * RATE_HZ / WINDOW_SAMPLES
    inner = spectra[:, 1:-1]
    tops = (inner > spectra[:, :-2]) & (inner >= spectra[:, 2:]) & (hz[1:-1] > LOW_HZ) & (hz[1:-1] < HIGH_HZ)
    peaks = np.sqrt(np.where(tops, inner, 0.0))
    pitch = np.round(12 * np.log2(np.maximum(hz[1:-1], 1.0) / 261.626)).astype(np.int64) % 12
    return np.stack([peaks[:, pitch == each].sum(axis=1) for each in range(12)], axis=1)


def scale_of(key: str) -> set[int]:
    """Pitch classes of a key's scale, C = 0, the natural one in minor.  [any]"""
    tonic, mode = key.split()
    steps = np.flatnonzero(MAJOR if mode == "major" else MINOR)
    return {(NAMES.index(tonic) + int(step)) % 12 for step in steps}


def find_key(classes: Floats) -> tuple[str, float]:
    """Name of the key ("A minor") of pitch classes [windows, 12], and its confidence; "" for silence.  [any]"""
    detected = classes.sum(axis=0)
    if not detected.max(initial=0.0) > 0.0 or detected.std() < 1e-9:
        return "", 0.0
    names, fits = [], []
    for mode, profile in (("major", MAJOR), ("minor", MINOR)):
        for tonic in range(12):
            names.append(f"{NAMES[tonic]} {mode}")
            fits.append(float(np.corrcoef(detected, np.roll(profile, tonic))[0, 1]))
    order = np.argsort(fits)[::-1]
    lead = fits[order[0]] - fits[order[1]]
    return names[order[0]], float(np.clip(lead / CLEAR_LEAD, 0.0, 1.0) * np.clip(fits[order[0]], 0.0, 1.0))
