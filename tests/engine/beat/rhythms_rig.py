"""Drum loops in eight rhythms at any tempo, for the tests of tempo detection: not made by the code that it was fitted
on.

A beat is a quarter note; an eighth of 6/8 and 12/8 is a third of one, and half of one in `COMPOUND`.
"""

from __future__ import annotations

import numpy as np
from beat_rig import RATE_HZ, Audio

TEMPI = (60, 72, 80, 90, 96, 100, 110, 120, 128, 140, 160, 174, 200)
EIGHTHS = tuple(n / 2 for n in range(8))
THIRDS = tuple(n / 3 for n in range(12))
SWUNG = tuple(beat + late for beat in range(4) for late in (0, 2 / 3))
RHYTHMS: dict[str, dict[str, tuple[float, ...]]] = {  # kick, snare, hat, ride: the beats of a bar on which each is hit
    "straight": {"kick": (0, 2, 2.5), "snare": (1, 3), "hat": EIGHTHS},
    "triplet": {"kick": (0, 2), "snare": (1, 3), "hat": THIRDS},
    "swing": {"kick": (0, 2), "hat": (1, 3), "ride": (0, 1, 5 / 3, 2, 3, 11 / 3)},
    "shuffle": {"kick": (0, 5 / 3, 2), "snare": (1, 3), "hat": SWUNG},
    "6/8": {"kick": (0, 2), "snare": (1, 3), "hat": THIRDS, "ride": (0, 2)},
    "12/8": {"kick": (0, 5 / 3, 2), "snare": (1, 3, 11 / 3), "ride": THIRDS},
    "half-time": {"kick": (0, 1.5), "snare": (2,), "hat": EIGHTHS},
    "dnb": {"kick": (0, 2.5), "snare": (1, 3), "hat": EIGHTHS},
}
COMPOUND = {"kick": (0, 2.5), "snare": (1.5,), "hat": tuple(n / 2 for n in range(6))}  # 6/8 in quarter notes


def _hits(rng: np.random.Generator) -> dict[str, Audio]:
    """One hit of each: kick, snare, hat, ride, bass."""
    t = np.arange(RATE_HZ // 4) / RATE_HZ
    noise = rng.standard_normal((3, len(t)))
    bright = np.diff(noise[1:], axis=1, prepend=0.0)
    fall = rng.uniform(0.7, 1.4)
    return {
        "kick": 0.7 * np.sin(2 * np.pi * (48 * t - 2.2 * np.exp(-t * 35))) * np.exp(-t * 14 * fall),
        "snare": (0.25 * noise[0] + 0.3 * np.sin(2 * np.pi * 190 * t)) * np.exp(-t * 26 * fall),
        "hat": 0.12 * bright[0] * np.exp(-t * 110 * fall),
        "ride": 0.1 * bright[1] * np.exp(-t * 22 * fall),
        "bass": 0.25 * np.tanh(3 * np.sin(2 * np.pi * 82.4 * t)) * np.exp(-t * 6) * np.minimum(t * 200, 1),
    }


def loop(
    parts: dict[str, tuple[float, ...]],
    bpm: float,
    bars: int = 0,
    beats_per_bar: float = 4.0,
    seed: int = 0,
    bass: bool = False,
) -> Audio:
    """Whole bars of a rhythm at a tempo, cut on the bar line; by default as many as fill 5 s."""
    rng = np.random.default_rng(seed)
    bar = beats_per_bar * 60.0 / bpm
    bars = bars or 2 ** int(np.ceil(np.log2(5.0 / bar)))
    length = round(bars * bar * RATE_HZ)
    out = np.zeros(length + RATE_HZ)
    hits = _hits(rng)
    played = {**parts, **({"bass": parts["kick"]} if bass else {})}
    for name, beats in played.items():
        for beat in (number * beats_per_bar + each for number in range(bars) for each in beats):
            at = round(beat * 60.0 / bpm * RATE_HZ)
            loud = rng.uniform(0.85, 1.0) * (1.0 if name in ("kick", "snare") or beat % 1.0 < 0.01 else 0.7)
            out[at : at + len(hits[name])] += loud * hits[name]
    return (out[:length] * 0.6).astype(np.float32)
