"""What is measured of a stem: beat, key, purity, level, silence and repeats. All of it [any].

A figure that a stem cannot have (the key of drums, anything of silence) is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bridge.ring.form import Audio
from bridge.time.units import beats_to_samples, nearest, seconds_to_samples
from plugin_host.jam.listening.features import chroma
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.stems.lanes import Lane
from plugin_host.takes.stems.purity import shares
from plugin_host.takes.stems.sound import HOPS_PER_SECOND, Floats, band_levels, energy

SILENT_DB = -60.0  # a quieter stem is silence
SILENT_BAR_DB = -45.0  # a bar so far below the loudest is silent
EDGE_HOPS = 2
SAME_DB = 1.0  # bars whose bands differ by less on average are the same
RANGE_DB = 50.0  # below the loudest band nothing is compared
SIXTEENTHS = 4  # of a quarter note
ONSET_HOP_SECONDS, ONSET_WINDOW_SECONDS = 0.002, 0.016
ONSET_BANDS_HZ = (0.0, 200.0, 800.0, 3000.0, 15_000.0)
RISE_HOPS = 4
EARLY_SECONDS = 0.004  # by which a rise is seen before its onset: measured on clicks


@dataclass(frozen=True)
class Figures:
    """One stem's figures.

    `late_ms`: its attacks behind the sixteenths of the beat, early is negative, and `clarity` from 0 to 1, how clearly
    they lie there. `key`: the share of the eleven transpositions that fit the region worse. `purity`: the share of its
    energy that is of its kind of instrument, by `purity.py`. `level_db`: as loud as it is heard. `silence`: share of
    silent bars. `repeats`: share of bars that equal an earlier bar.
    """

    late_ms: float
    clarity: float
    key: float
    purity: float
    level_db: float
    silence: float
    repeats: float


def measure_stem(audio: Audio, recipe: Recipe, lane: Lane, region_classes: Floats | None) -> Figures:
    """Figures of a stem's audio [n, channels]; `region_classes` are its region's `pitch_classes`."""
    levels = band_levels(audio, recipe.rate_hz)
    level = level_db(levels)
    if level < SILENT_DB:
        return Figures(np.nan, np.nan, np.nan, np.nan, level, 1.0, np.nan)
    late, clarity = beat_phase(audio, recipe.rate_hz, recipe.bpm)
    fits = np.nan
    if lane.tonal and region_classes is not None:
        fits = key_agreement(pitch_classes(audio, recipe.rate_hz), region_classes)
    bars = _bars(levels, recipe)
    return Figures(late, clarity, fits, shares(levels)[lane.kind], level, silence(bars), repeats(bars))


def level_db(levels: Floats) -> float:
    """How loud band levels [T, 72] are, in dB; a sine of full scale has about -3."""
    return float(10 * np.log10(energy(levels).mean() + 1e-12))


def pitch_classes(audio: Audio, rate_hz: int) -> Floats:
    """How much of each pitch class there is [12], A first, as a vector of length 1; zeros for silence."""
    total = chroma(audio, rate_hz).mean(axis=0)
    total = total - total.min()
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float64)


def key_agreement(classes: Floats, region: Floats) -> float:
    """Share of the eleven transpositions of a stem that fit its region worse than it does itself; 0.5 is chance."""
    if not classes.any() or not region.any():
        return float("nan")
    fits = np.array([float(np.roll(classes, by) @ region) for by in range(12)])
    return float(np.mean(fits[1:] < fits[0]))


def beat_phase(audio: Audio, rate_hz: int, bpm: float) -> tuple[float, float]:
    """How late attacks are behind the sixteenths, in ms, and how clearly they lie there, 0 to 1; NaN without any.

    The stem begins on a bar line.
    """
    rising = _rises(audio.mean(axis=1, dtype=np.float64), rate_hz)
    if not rising.sum() > 0:
        return float("nan"), float("nan")
    seconds = np.arange(len(rising)) * ONSET_HOP_SECONDS + EARLY_SECONDS
    arrow = complex((rising * np.exp(2j * np.pi * SIXTEENTHS * seconds * bpm / 60.0)).sum()) / float(rising.sum())
    return float(np.angle(arrow)) / (2 * np.pi * SIXTEENTHS) * 60_000.0 / bpm, abs(arrow)


def _rises(mono: Floats, rate_hz: int) -> Floats:
    """How much louder four bands get within 8 ms, every 2 ms [T]; small rises don't count."""
    size, hop = round(ONSET_WINDOW_SECONDS * rate_hz), nearest(seconds_to_samples(ONSET_HOP_SECONDS, rate_hz))
    count = max(len(mono) // hop, 1)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, (size // 2, size)), size)[: count * hop : hop]
    hz, window, total = np.fft.rfftfreq(size, 1.0 / rate_hz), np.hanning(size), np.zeros(count)
    spectra = np.concatenate([
        np.abs(np.fft.rfft(part * window, axis=1)) ** 2 for part in np.array_split(frames, max(count // 4096, 1))
    ])  # fmt: skip
    for low, high in pairwise(ONSET_BANDS_HZ):
        power = spectra[:, (hz >= low) & (hz < high)].sum(axis=1)
        level = np.log1p(100.0 * power / (power.max() + 1e-12))
        total[RISE_HOPS // 2 : -RISE_HOPS // 2] += np.maximum(level[RISE_HOPS:] - level[:-RISE_HOPS], 0.0)
    return np.asarray(np.maximum(total - 2 * np.median(total) - 0.1 * total.max(), 0.0), np.float64)


def _bars(levels: Floats, recipe: Recipe) -> Floats:
    """Levels bar by bar [bars, hops, 72], cut to bars of equal length."""
    bar = float(beats_to_samples(recipe.signature.beats_per_bar, recipe.bpm, recipe.rate_hz)) / recipe.rate_hz
    hops = max(int(bar * HOPS_PER_SECOND), 1)
    starts = [round(number * bar * HOPS_PER_SECOND) for number in range(recipe.bars)]
    return np.stack([np.resize(levels[at : at + hops], (hops, levels.shape[1])) for at in starts if at < len(levels)])


def silence(bars: Floats) -> float:
    """Share of bars [bars, hops, bands] that are silent beside the loudest."""
    edge = min(EDGE_HOPS, (bars.shape[1] - 1) // 2)  # where the next bar's sound is still within the window
    loud = np.array([level_db(bar[edge : bars.shape[1] - edge]) for bar in bars])
    return float(np.mean(loud < loud.max() + SILENT_BAR_DB))


def repeats(bars: Floats) -> float:
    """Share of bars, but the first, that sound like an earlier one [bars, hops, bands]; NaN for one bar."""
    heard = np.maximum(bars, bars.max() - RANGE_DB)
    same = [min(float(np.abs(heard[at] - heard[back]).mean()) for back in range(at)) < SAME_DB
            for at in range(1, len(heard))]  # fmt: skip
    return float(np.mean(same)) if same else float("nan")
