"""Where the iterations of phase reconstruction start, frame by frame: noise as noise, attacks as pulses.

    tones      continue the output so far
    noise      bins above 1 kHz outside peaks take the phases of white noise, which runs on from frame to frame
    attacks    bins that rise at once are tried with the phases of a pulse, at twelve times in the newest 30 ms

Without the first, noise gets the phases of tones and rings. Without the second, an attack is spread over the 40 ms of
its frame. All of it is a function of the magnitudes and of a frame's number in its stream.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW_SAMPLES = 1280
HOP_SAMPLES = 320
N_BINS = WINDOW_SAMPLES // 2 + 1
WINDOW = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)

FIRST_NOISE_BIN = 40  # 1 kHz
AROUND_BINS, LOBE_BINS = 10, 2  # of a peak on each side: what it stands out of, and what it covers
PEAK = np.float32(1.5)  # times the mean around it
NOISE_FRAMES = 409  # 4 seconds, then it repeats

FLOOR = np.float32(0.05)  # magnitude below which a rise is none
FIRST_RISING_BIN = 4
RISE = 0.3  # of a bin's log-magnitude over its last frame's
SUDDEN = 0.4  # mean rise of all bins' log-magnitudes
PULSES_AT = np.arange(680, 1600, 80)  # samples from the start of the earlier of two frames
PULSES_INSIDE = int(np.searchsorted(PULSES_AT, WINDOW_SAMPLES))  # how many are in the earlier frame

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Bins = NDArray[np.bool_]


class Frame(NamedTuple):
    """A frame's magnitudes [641]; its noise bins [601], from 1 kHz up; its rising bins [641]; whether most rise."""

    mags: Array
    noise: Bins
    rising: Bins
    sudden: bool


def frames_of(mags: Array, before: Array | None) -> list[Frame]:
    """The frames of magnitudes [n, 641] that follow a frame with magnitudes `before`, None: unknown.  [generate]"""
    levels = np.log(np.concatenate([mags[:1] if before is None else before[None], mags]) + FLOOR)
    rise = levels[1:] - levels[:-1]
    mean_rise = np.maximum(rise, 0.0)[:, FIRST_RISING_BIN:].mean(axis=1)
    noise, rising, sudden = ~in_peaks(mags)[:, FIRST_NOISE_BIN:], rise > RISE, mean_rise > SUDDEN
    return [Frame(mags[n], noise[n], rising[n], bool(sudden[n])) for n in range(len(mags))]


def in_peaks(mags: Array) -> Bins:
    """Which bins of magnitudes [n, 641] belong to a peak that stands out.  [any]"""
    wide = np.pad(mags, ((0, 0), (AROUND_BINS + 1, AROUND_BINS)), mode="edge")
    sums = np.cumsum(wide, axis=1)
    around = (sums[:, 2 * AROUND_BINS + 1 :] - sums[:, : -2 * AROUND_BINS - 1]) * (PEAK / (2 * AROUND_BINS + 1))
    peaks = np.zeros(mags.shape, bool)
    inner = mags[:, 1:-1]
    peaks[:, 1:-1] = (inner >= mags[:, :-2]) & (inner > mags[:, 2:]) & (inner > around[:, 1:-1])
    covered = peaks.copy()
    for distance in range(1, LOBE_BINS + 1):
        covered[:, distance:] |= peaks[:, :-distance]
        covered[:, :-distance] |= peaks[:, distance:]
    return covered


def noise_start(mags: Array) -> int:
    """Where in the noise a stream with these first magnitudes [641] begins: streams do not share theirs.  [generate]"""
    return zlib.crc32(mags.tobytes()) % NOISE_FRAMES


def _noise_phases() -> Spectra:
    """Phase factors [409, 601] of the frames of one white noise, which repeats without a seam."""
    noise = np.random.default_rng(7).standard_normal(NOISE_FRAMES * HOP_SAMPLES).astype(np.float32)
    joined = np.concatenate([noise, noise[: WINDOW_SAMPLES - HOP_SAMPLES]])
    frames = np.lib.stride_tricks.sliding_window_view(joined, WINDOW_SAMPLES)[::HOP_SAMPLES] * WINDOW
    spectra = np.fft.rfft(frames)[:, FIRST_NOISE_BIN:]
    return (spectra / np.abs(spectra)).astype(np.complex64)


def _pulse_phases() -> Spectra:
    """Phase factors [12, 2, 641] of two neighbouring frames with one pulse."""
    at = PULSES_AT[:, None] - np.array([0, HOP_SAMPLES])
    return np.exp(-2j * np.pi * at[..., None] * np.arange(N_BINS) / WINDOW_SAMPLES).astype(np.complex64)


NOISE_PHASES = _noise_phases()
PULSE_PHASES = _pulse_phases()


def with_pulses(phase: Spectra, earlier: Frame, later: Frame) -> Spectra:
    """Phases [2, 641] of two frames, and these with a pulse in the bins that rise, at each time: [13, 2, 641].

    The earlier frame's change only for pulses inside it.  [generate]
    """
    tried = np.repeat(phase[None], 1 + len(PULSES_AT), axis=0)
    inside = PULSE_PHASES[:PULSES_INSIDE, 0]
    np.copyto(tried[1 : 1 + PULSES_INSIDE, 0], inside, where=earlier.rising | later.rising)
    np.copyto(tried[1:, 1], PULSE_PHASES[:, 1], where=later.rising)
    return tried
