"""Candidate tempos of music with their figures, by which half, double, 3:2 and 4:3 of a tempo are distinguished.

Candidates are the peaks of the onsets' autocorrelation, and tempos at exactly a simple ratio of one. All have the same
figures: the onsets' likeness to those a quarter, a third, ... four beats later, for kicks, snares and hats each; the
fit of straight, ternary and swung subdivisions; onsets per beat; whether the region has whole bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.beat.estimate import FAR_COST, SHARP_SECONDS, Floats
from engine.beat.onsets import CENTRE_SAMPLES, HOP_SAMPLES, RATE_HZ

SLOWEST_BPM, FASTEST_BPM = 48.0, 215.0
HOP_SECONDS = HOP_SAMPLES / RATE_HZ
BIN_SECONDS = 0.005
STEP_SECONDS = 0.008  # difference of tried tempos over the whole region
STEP_LEAST, STEP_MOST = 0.0002, 0.0015  # as shares of the tempo
NEAR = 0.012  # a tempo is refined within this share
PERIODS = 6  # peaks of the autocorrelation that are examined
RATIOS = (1.0, 2.0, 0.5, 1.5, 2 / 3, 4 / 3, 0.75, 3.0, 1 / 3)
SAME = 0.01  # tempos that differ by less are one
LAGS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)  # in beats
PLACES = (0.0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4)
BLUR_HOPS = 1.6  # timing spread of human players
STRAIGHT = ((0.0, 1.0), (0.5, 0.5), (0.25, 0.25), (0.75, 0.25))  # phase in the beat and height
TERNARY = ((0.0, 1.0), (1 / 3, 0.4), (2 / 3, 0.5))
SWUNG = tuple(((0.0, 1.0), (place, 0.5)) for place in (0.56, 0.6, 0.64, 0.7, 0.75))
SWINGS = (0.56, 0.6, 0.64, 2 / 3, 0.7)
GRIDS = (
    tuple(n / 4 for n in range(4)),
    tuple(n / 6 for n in range(6)),
    *((0.0, late) for late in SWINGS),
    *((0.0, late / 2, 0.5, 0.5 + late / 2) for late in SWINGS),
)
ON_GRID_SECONDS = 0.018
WHOLE_SECONDS = 0.02
STANDS_OUT = 0.12  # share of the strongest onsets
PATTERNS = (STRAIGHT, TERNARY, *SWUNG)


@dataclass(frozen=True)
class Candidate:
    """A tempo, the time of its first beat, the fit of its best pattern (a correlation), its figures.  [any]"""

    bpm: float
    first_seconds: float
    fit: float
    figures: Floats


@lru_cache(maxsize=256)
def _shapes(n_bins: int) -> tuple[Floats, Floats]:
    """Conjugate spectra [patterns, bins] of beats of `n_bins` bins, and the power of each."""
    at = np.arange(n_bins) / n_bins
    rows = []
    for pattern in PATTERNS:
        shape = np.zeros(n_bins)
        for place, height in pattern:
            away = ((at - place + 0.5) % 1.0 - 0.5) * n_bins * BIN_SECONDS
            shape += height * np.exp(-0.5 * (away / SHARP_SECONDS) ** 2)
        rows.append(shape - shape.mean())
    shapes = np.stack(rows)
    return np.conj(np.fft.rfft(shapes)), (shapes**2).mean(axis=1)


def folded(values: Floats, bpm: float) -> Floats:
    """Values [n], a hop apart, summed over the beats of a tempo: [bins].  [any]"""
    n_bins = max(16, round(60.0 / bpm / BIN_SECONDS))
    seconds = (np.arange(len(values)) * HOP_SAMPLES + CENTRE_SAMPLES) / RATE_HZ
    places = (seconds * bpm / 60.0 % 1.0) * n_bins
    lower = places.astype(np.int64)
    above = places - lower
    summed = np.bincount(lower % n_bins, values * (1.0 - above), n_bins)
    return np.asarray(summed + np.bincount((lower + 1) % n_bins, values * above, n_bins))


def fits(centred: Floats, bpm: float) -> Floats:
    """Correlations [patterns, bins] of onsets around their mean [n] with each pattern at each phase.  [any]"""
    summed = folded(centred, bpm)
    spectra, powers = _shapes(len(summed))
    met = np.fft.irfft(np.fft.rfft(summed) * spectra, len(summed))
    scale = np.sqrt(float((centred**2).sum()) * len(centred) * powers + 1e-30)
    return np.asarray(met / scale[:, None])


def finer(centred: Floats, bpm: float) -> float:
    """The tempo near `bpm` at which a pattern fits best, interpolated between steps.  [any]"""
    step = float(np.clip(STEP_SECONDS / (len(centred) * HOP_SECONDS), STEP_LEAST, STEP_MOST))
    bpms = bpm * np.exp(step * np.arange(-round(NEAR / step), round(NEAR / step) + 1))
    tops = np.array([float(fits(centred, float(each)).max()) for each in bpms])
    best = int(tops.argmax())
    if not 0 < best < len(tops) - 1:
        return float(bpms[best])
    before, here, after = tops[best - 1 : best + 2]
    bend = before - 2 * here + after
    return float(bpms[best] * np.exp(step * (0.5 * (before - after) / bend if bend < 0 else 0.0)))


class Alike:
    """Likeness of onsets [bands, n] to themselves some seconds later: 1 the same, 0 unrelated.  [any]"""

    def __init__(self, banded: Floats, most_seconds: float = 4 * 60.0 / SLOWEST_BPM + 0.1) -> None:
        n = banded.shape[1]
        size = 1 << (2 * n).bit_length()
        kernel = np.exp(-0.5 * (np.arange(-6, 7) / BLUR_HOPS) ** 2)
        blurred = np.stack([np.convolve(row, kernel / kernel.sum(), "same") for row in banded])
        blurred -= blurred.mean(axis=1, keepdims=True)
        power = np.abs(np.fft.rfft(blurred, size)) ** 2
        self.lags = min(n - 1, round(most_seconds / HOP_SECONDS))
        sums = np.fft.irfft(power, size)[:, : self.lags + 1]
        left = n - np.arange(self.lags + 1)
        self.rows = sums / sums[:, :1].clip(1e-12) * n / left
        self.rows[:, left < 0.2 * n] = 0.0

    def at(self, seconds: Floats) -> Floats:
        """Likeness [bands, lags] at these lags in seconds; 0 if the region is too short."""
        hops = np.asarray(seconds) / HOP_SECONDS
        lower = np.minimum(hops.astype(np.int64), self.lags - 1)
        part = hops - lower
        found = self.rows[:, lower] * (1 - part) + self.rows[:, lower + 1] * part
        return np.where(hops > self.lags - 1, 0.0, found)


def periods(alike: Alike) -> list[float]:
    """Tempos of the autocorrelation's strongest periods, strongest first.  [any]"""
    seconds = np.arange(60.0 / FASTEST_BPM, 60.0 / SLOWEST_BPM, HOP_SECONDS / 2)
    multiples = np.stack([alike.at(seconds * k)[0] for k in (1, 2, 3, 4)])
    salience = multiples.mean(axis=0)
    inner = salience[1:-1]
    tops = 1 + np.flatnonzero((inner > salience[:-2]) & (inner >= salience[2:]))
    order = tops[np.argsort(salience[tops])[::-1]][:PERIODS]
    return [60.0 / float(seconds[top]) for top in order]


def candidates(
    banded: Floats, seconds: float, beats_per_bar: float, near_bpm: tuple[float, ...] = ()
) -> list[Candidate]:
    """Candidate tempos of a region of `seconds` with onset strengths [4, n]; also tries `near_bpm`.  [any]"""
    alike = Alike(banded)
    centred = banded[0] - banded[0].mean()
    found: list[float] = []
    for bpm in (*near_bpm, *periods(alike)):
        exact = finer(centred, bpm)
        for ratio in RATIOS:
            tempo = exact * ratio
            if SLOWEST_BPM < tempo < FASTEST_BPM and not any(abs(tempo / other - 1) < SAME for other in found):
                found.append(tempo)
    begins = len(begun(banded[0]))
    return [_candidate(alike, banded, centred, bpm, begins, seconds, beats_per_bar) for bpm in found]


def begun(strengths: Floats) -> NDArray[np.int64]:
    """The hops of onsets: peaks of onset strengths [n] that stand out.  [any]"""
    inner = strengths[1:-1]
    least = STANDS_OUT * np.percentile(strengths, 99.5)
    return 1 + np.flatnonzero((inner > strengths[:-2]) & (inner >= strengths[2:]) & (inner > least))


def explained(strengths: Floats, bpm: float) -> float:
    """Share of onsets on the grid of a tempo, in sixteenths, triplets or swung: 1 all, 0 as many as by chance.

    The grid has the phase that explains most.  [any]
    """
    tops = begun(strengths)
    only = np.zeros(len(strengths))
    only[tops] = strengths[tops]
    summed = folded(only, bpm)
    n_bins = len(summed)
    at = np.arange(n_bins) / n_bins
    best = 0.0
    for grid in GRIDS:
        away = np.abs((at[:, None] - np.array(grid) + 0.5) % 1.0 - 0.5).min(axis=1)
        mask = (away * 60.0 / bpm <= ON_GRID_SECONDS).astype(np.float64)
        met = np.fft.irfft(np.fft.rfft(summed) * np.conj(np.fft.rfft(mask)), n_bins).max() / (summed.sum() + 1e-12)
        chance = float(mask.mean())
        best = max(best, (float(met) - chance) / (1.0 - chance)) if chance < 0.9 else best
    return best


def _candidate(
    alike: Alike, banded: Floats, centred: Floats, bpm: float, begins: int, seconds: float, beats_per_bar: float
) -> Candidate:
    beat = 60.0 / bpm
    met = fits(centred, bpm)
    at = np.arange(met.shape[1]) / met.shape[1]
    early = met * (1.0 - FAR_COST * np.minimum(at, 1.0 - at))
    row, column = np.unravel_index(int(early.argmax()), early.shape)
    first = float(at[column])
    likeness = alike.at(beat * np.array(LAGS))
    kinds = [early[0].max(), early[1].max(), early[2:].max()]
    inside = [_inside(band, bpm, first) for band in banded]
    per_beat = np.log2(max(begins, 1) * beat / seconds)
    octaves = np.log2(bpm / 110.0)
    compound = float(beats_per_bar in (1.5, 3.0, 6.0))
    figures = np.concatenate(
        [
            likeness.ravel(),
            kinds,
            [min(first, 1 - first)],
            *inside,
            [per_beat, per_beat**2, octaves, octaves**2, octaves**3],
            _whole(seconds, beat, beats_per_bar),
            compound * np.concatenate([likeness[0, [5, 7, 9]], likeness[1, [5, 7, 9]]]),
        ]
    )
    return Candidate(bpm, first * beat, float(met[row, column]), figures)


def _inside(strengths: Floats, bpm: float, first: float) -> Floats:
    """Log of the onset strength at each of the phases `PLACES` of the beat, relative to the beat's mean."""
    summed = folded(strengths, bpm)
    n_bins = len(summed)
    reach = max(1, round(0.015 / BIN_SECONDS))
    found = []
    for place in PLACES:
        bins = (round((first + place) * n_bins) + np.arange(-reach, reach + 1)) % n_bins
        found.append(float(summed[bins].mean()))
    return np.log((np.array(found) + 0.02 * summed.mean() + 1e-9) / (summed.mean() + 1e-9))


def _whole(seconds: float, beat: float, beats_per_bar: float) -> Floats:
    """Nearness of the region's length to whole beats, to bars, to one, two, four, ... bars, and to half notes."""

    def near(count: float, unit: float) -> float:
        return float(np.exp(-0.5 * ((seconds - count * unit) / WHOLE_SECONDS) ** 2))

    def whole(unit: float) -> float:
        return near(max(1, round(seconds / unit)), unit)

    bar = beat * beats_per_bar
    even = 2.0 ** round(np.log2(max(seconds / bar, 0.5)))
    return np.array([whole(beat), whole(bar), near(even, bar), whole(2 * beat)])
