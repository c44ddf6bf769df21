"""The tempo of music that nobody told: onsets held against the pattern of a beat at every tempo, all phases at once.

Of tempi that fit alike (half, double) the one nearer to a walking pace is taken. Finer than any beat tracker's frames:
within 0.2 % over 8 s. It was preferred to librosa's tracker, which was off by 3:2, 4:3 or 1 to 2 % on a third of the
pieces it was tried on, and takes 30 s and 430 MB the first time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.beat.estimate import FAR_COST, NOTHING_FIT, SURE_FIT, Floats, pattern
from engine.beat.onsets import HOP_SAMPLES, RATE_HZ

SLOWEST_BPM, FASTEST_BPM = 50.0, 210.0
STEP = 0.0015  # of the tempo
COMMON_BPM, SPREAD_OCTAVES = 100.0, 0.9
NEAR = 0.03  # a tempo that was told is looked for so near
BIN_SECONDS = 0.005
AS_GOOD = 0.8  # of the best fit, for the tempo that was told


@dataclass(frozen=True)
class Tempo:
    """Beats a minute, when the first beat sounds, and how sure that is, 0 to 1.  [any]"""

    bpm: float
    first_seconds: float
    confidence: float


def find_tempo(strengths: Floats, seconds: Floats, told_bpm: float = 0.0) -> Tempo | None:
    """The tempo of onset strengths [n] at these times [n]; None where there is none to be heard.

    `told_bpm` above 0 is what somebody says it is: where it fits nearly as well as the best, it is kept (and made
    finer).  [any]
    """
    if len(strengths) * HOP_SAMPLES < 2 * RATE_HZ or not strengths.max(initial=0.0) > 0.0:
        return None
    bpms = np.exp(np.arange(np.log(SLOWEST_BPM), np.log(FASTEST_BPM), STEP))
    found = [_fit(strengths, seconds, float(bpm)) for bpm in bpms]
    fits = np.array([fit for fit, _ in found])
    common = np.exp(-0.5 * (np.log2(bpms / COMMON_BPM) / SPREAD_OCTAVES) ** 2)
    best = int((fits * common).argmax())
    if told_bpm > 0:
        near = np.abs(np.log(bpms / told_bpm)) < NEAR
        if near.any() and fits[near].max() >= AS_GOOD * fits[best]:
            best = int(np.where(near, fits, -np.inf).argmax())
    bpm = _finer(bpms, fits, best)
    fit, phase = _fit(strengths, seconds, bpm, from_start=FAR_COST)
    sure = float(np.clip((fit - NOTHING_FIT) / (SURE_FIT - NOTHING_FIT), 0.0, 1.0))
    return Tempo(bpm, phase * 60.0 / bpm, sure) if sure > 0 else None


def _fit(strengths: Floats, seconds: Floats, bpm: float, from_start: float = 0.0) -> tuple[float, float]:
    """How well a tempo fits (a correlation), and the phase of its beats, 0 to 1.

    `from_start` is the share of its fit that a phase loses for each beat it is away from the start.
    """
    beat = 60.0 / bpm
    n_bins = max(16, round(beat / BIN_SECONDS))
    centred = strengths - strengths.mean()
    places = (seconds / beat % 1.0) * n_bins
    lower = places.astype(np.int64)
    above = places - lower
    folded = np.bincount(lower % n_bins, centred * (1.0 - above), n_bins)
    folded += np.bincount((lower + 1) % n_bins, centred * above, n_bins)
    shape = pattern(n_bins, beat)
    met = np.fft.irfft(np.fft.rfft(folded) * np.conj(np.fft.rfft(shape)), n_bins)
    power = float((centred**2).sum()) * len(centred) * float(np.mean(shape**2))
    at = np.arange(n_bins) / n_bins
    top = int((met * (1.0 - from_start * np.minimum(at, 1.0 - at))).argmax())
    return float(met[top] / np.sqrt(power + 1e-30)), top / n_bins


def _finer(bpms: Floats, fits: Floats, best: int) -> float:
    """The tempo between steps, by a parabola."""
    if not 0 < best < len(bpms) - 1:
        return float(bpms[best])
    before, here, after = fits[best - 1 : best + 2]
    bend = before - 2 * here + after
    between = float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return float(bpms[best] * np.exp(STEP * between))
