"""The beats of audio relative to a known grid: phase, drift and confidence.

The onset strengths of the last seconds are placed on the grid as seen from now, folded into one beat and correlated
with a beat's pattern (a peak on the beat, lower ones on its half and quarters). Phase and drift are fitted together, so
a slightly different tempo smears nothing. Only tempos near the grid's are searched; half and double of it fall on the
same beats. The fit is a correlation: music without a beat has little at every phase.

    off > 0     the music is late: its beats are so many beats after the grid's
    drift > 0   the music is slower than the grid: it gets later by so many beats a beat
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WINDOW_SECONDS = 6.0  # of onsets that are analysed
MEMORY_SECONDS = 1.6  # within these their weight falls to a third
SHORTEST_SECONDS = 1.5  # shorter audio gives no estimate
BIN_SECONDS = 0.004
SHARP_SECONDS = 0.010  # width of the pattern's peaks
PATTERN = ((0.0, 1.0), (0.5, 0.5), (0.25, 0.25), (0.75, 0.25))  # phase in the beat and height
NEAR_BEATS = 0.12  # search range around a known beat
NEAR_DRIFT = 0.02
FAR_DRIFT = 0.08
DRIFT_STEP = 0.003
FAR_COST = 0.6  # share of its fit that a phase loses per beat of distance from the grid: eighths look alike
NOTHING_FIT, SURE_FIT = 0.16, 0.46  # correlations: pads and noise stay below the first, drums reach the second

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """The music's present offset from its grid in beats, its drift in beats a beat, confidence 0 to 1.  [any]"""

    off_beats: float = 0.0
    drift: float = 0.0
    confidence: float = 0.0


NOTHING = Estimate()


def estimate(strengths: Floats, beats: Floats, beat_seconds: float, near: Estimate | None = None) -> Estimate:
    """The fit of onset strengths [n], 5 ms apart, at the beats [n] of the grid; the last is now.

    With `near` only phases and drifts around it are searched: it may be off by more than half a beat. Without it the
    whole beat is searched.  [generate]
    """
    if len(strengths) * _hop_seconds() < SHORTEST_SECONDS or not strengths.max(initial=0.0) > 0.0:
        return NOTHING
    expected = NOTHING if near is None else near
    ago = beats - beats[-1]
    weights = np.exp(ago * (beat_seconds / MEMORY_SECONDS))
    reach = FAR_DRIFT if near is None else NEAR_DRIFT
    steps = round(reach / DRIFT_STEP)
    drifts = np.arange(-steps, steps + 1).astype(np.float64) * DRIFT_STEP
    phases = beats - expected.off_beats - expected.drift * ago
    fits = _fits(strengths, phases, ago, weights, drifts, beat_seconds)
    row, column = _best(fits, near is not None)
    off = float(_wrapped(np.array((column + _between(fits[row], column)) / fits.shape[1])))
    drift = drifts[row] + DRIFT_STEP * (_between(fits[:, column], row) if 0 < row < len(drifts) - 1 else 0.0)
    sure = (fits[row, column] - NOTHING_FIT) / (SURE_FIT - NOTHING_FIT)
    return Estimate(expected.off_beats + off, expected.drift + float(drift), float(min(max(sure, 0.0), 1.0)))


def _hop_seconds() -> float:
    from engine.beat.onsets import HOP_SAMPLES, RATE_HZ

    return HOP_SAMPLES / RATE_HZ


def _fits(
    strengths: Floats, phases: Floats, ago: Floats, weights: Floats, drifts: Floats, beat_seconds: float
) -> Floats:
    """Correlations [drifts, bins] of the onsets with the pattern, at each drift and phase."""
    n_bins = max(16, round(beat_seconds / BIN_SECONDS))
    mean = float((strengths * weights).sum() / weights.sum())
    centred = (strengths - mean) * weights
    places = ((phases[None] - drifts[:, None] * ago[None]) % 1.0) * n_bins
    lower = np.floor(places).astype(np.int64)
    above = places - lower
    rows = np.arange(len(drifts))[:, None] * n_bins
    size = len(drifts) * n_bins
    folded = np.bincount((rows + lower % n_bins).ravel(), (centred * (1.0 - above)).ravel(), size)
    folded += np.bincount((rows + (lower + 1) % n_bins).ravel(), (centred * above).ravel(), size)
    shape = pattern(n_bins, beat_seconds)
    met = np.fft.irfft(np.fft.rfft(folded.reshape(len(drifts), n_bins)) * np.conj(np.fft.rfft(shape)), n_bins)
    power = float(((strengths - mean) ** 2 * weights).sum() * weights.sum() * np.mean(shape**2))
    return np.asarray(met / np.sqrt(power + 1e-30))


@lru_cache(maxsize=64)
def pattern(n_bins: int, beat_seconds: float) -> Floats:
    """The pattern of a beat, without its mean.  [any]"""
    at = np.arange(n_bins) / n_bins
    shape = np.zeros(n_bins)
    for place, height in PATTERN:
        away = ((at - place + 0.5) % 1.0 - 0.5) * beat_seconds
        shape += height * np.exp(-0.5 * (away / SHARP_SECONDS) ** 2)
    return shape - shape.mean()


def _best(fits: Floats, near_only: bool) -> tuple[int, int]:
    """Row and column of the best fit; in a whole beat, phases near the grid are preferred."""
    n_bins = fits.shape[1]
    away = np.abs(_wrapped(np.arange(n_bins) / n_bins))
    column_best = np.where(away <= NEAR_BEATS, fits.max(axis=0), -np.inf) if near_only else fits.max(axis=0)
    column = int(column_best.argmax())
    if not near_only:
        peaks = (column_best >= np.roll(column_best, 1)) & (column_best >= np.roll(column_best, -1))
        column = int(np.where(peaks, column_best * (1.0 - FAR_COST * away), -np.inf).argmax())
    return int(fits[:, column].argmax()), column


def _wrapped(beats: Floats) -> Floats:
    """Beats as -0.5 to 0.5 around the nearest whole one."""
    return (beats + 0.5) % 1.0 - 0.5


def _between(values: Floats, index: int) -> float:
    """The position of a peak's top between samples, -0.5 to 0.5, by a parabola; the ends are neighbours."""
    before, here, after = values[index - 1], values[index], values[(index + 1) % len(values)]
    bend = before - 2.0 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
