"""Unit arithmetic: beats, seconds, samples, codec frames and bars, exact and in inverse pairs.

All values are `Fraction`s until `nearest`, the only rounding, makes sample numbers of them. Nothing drifts: bar 9,000
of a piece in 7/8 at 128 BPM is exact to the sample.

    bars  <->  beats  <->  seconds  <->  samples          (host's sample rate)
                               ^-------->  codec frames   (50 a second: 640 samples at 32 kHz)

No other file of the project multiplies by a sample rate or divides 60 by a tempo.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from numbers import Rational

Exact = int | float | Fraction

CODEC_RATE_HZ = 32_000
SAMPLES_PER_FRAME = 640
FRAMES_PER_SECOND = CODEC_RATE_HZ // SAMPLES_PER_FRAME
SECONDS_PER_MINUTE = 60


def exact(value: Exact) -> Fraction:
    """`value` as an exact fraction; a float stands for its shortest decimal.

    So 120.1 is 1201/10 on both sides of the wire and not the binary number next to it.
    Raises ValueError for NaN and infinity, TypeError for anything but a number.  [any]
    """
    if type(value) is Fraction:
        return value
    if isinstance(value, bool):
        raise TypeError(f"a number is needed, got {value!r}")
    if isinstance(value, Rational):
        return Fraction(value.numerator, value.denominator)
    if not isinstance(value, float):
        raise TypeError(f"a number is needed, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"a finite number is needed, got {value!r}")
    return _shortest(value)


@lru_cache(maxsize=4096)  # tempos and anchors of running transports are asked for at every look
def _shortest(value: float) -> Fraction:
    return Fraction(float.__repr__(value))


def shortest_float32(value: float) -> float:
    """The float with the shortest decimal that is the same 32-bit float as `value`.

    OSC floats have 32 bits: 120.1 arrives as 120.0999984741211, and this returns 120.1.
    ValueError for values that do not fit 32 bits.  [any]
    """
    try:
        wanted = struct.pack("<f", value)
    except OverflowError:
        raise ValueError(f"{value!r} does not fit a 32-bit float") from None
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == wanted:
            return short
    return value


def nearest(value: Fraction) -> int:
    """The nearest whole number, halves upwards: the only rounding of the project.  [any]"""
    return math.floor(value + Fraction(1, 2))


def positive(value: Exact, what: str) -> Fraction:
    """`value` exactly; ValueError names `what` if it is not above zero.  [any]"""
    number = exact(value)
    if number <= 0:
        raise ValueError(f"{what} must be above 0, got {value!r}")
    return number


@dataclass(frozen=True, slots=True)
class Signature:
    """Time signature: a bar has `numerator` notes of 1/`denominator`; a beat is a quarter note in any signature.

    Numerator 1..64, denominator a power of two up to 64; ValueError otherwise.
    """

    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= 64:
            raise ValueError(f"signature numerator must be 1..64, got {self.numerator}")
        if self.denominator not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError(f"signature denominator must be a power of two up to 64, got {self.denominator}")

    @property
    def beats_per_bar(self) -> Fraction:
        """Quarter notes in a bar: 7/2 for 7/8.  [any]"""
        return Fraction(4 * self.numerator, self.denominator)


# -- beats <-> seconds <-> samples --------------------------------------------------------------------


def beats_to_seconds(beats: Exact, tempo_bpm: Exact) -> Fraction:
    """Seconds that `beats` last at `tempo_bpm`.  [any]"""
    return exact(beats) * SECONDS_PER_MINUTE / positive(tempo_bpm, "tempo_bpm")


def seconds_to_beats(seconds: Exact, tempo_bpm: Exact) -> Fraction:
    """Beats that pass in `seconds`; inverse of `beats_to_seconds`.  [any]"""
    return exact(seconds) * positive(tempo_bpm, "tempo_bpm") / SECONDS_PER_MINUTE


def fitting_tempo(beats: Exact, seconds: Exact) -> Fraction:
    """Tempo in bpm at which `beats` last `seconds`.  [any]"""
    return exact(beats) * SECONDS_PER_MINUTE / positive(seconds, "seconds")


def seconds_to_samples(seconds: Exact, sample_rate_hz: int) -> Fraction:
    """Samples that pass in `seconds`, not rounded.  [any]"""
    return exact(seconds) * positive(sample_rate_hz, "sample_rate_hz")


def samples_to_seconds(samples: Exact, sample_rate_hz: int) -> Fraction:
    """Seconds that `samples` last; inverse of `seconds_to_samples`.  [any]"""
    return exact(samples) / positive(sample_rate_hz, "sample_rate_hz")


def beats_to_samples(beats: Exact, tempo_bpm: Exact, sample_rate_hz: int) -> Fraction:
    """Samples that `beats` last, not rounded; give it to `nearest` for a position.  [any]"""
    return seconds_to_samples(beats_to_seconds(beats, tempo_bpm), sample_rate_hz)


def samples_to_beats(samples: Exact, tempo_bpm: Exact, sample_rate_hz: int) -> Fraction:
    """Beats that `samples` last; inverse of `beats_to_samples`.  [any]"""
    return seconds_to_beats(samples_to_seconds(samples, sample_rate_hz), tempo_bpm)


def quick_beats(samples: float, tempo_bpm: float, sample_rate_hz: int) -> float:
    """`samples_to_beats` in floats, for display and for the audio thread; never for a position.  [audio]"""
    return samples * tempo_bpm / (SECONDS_PER_MINUTE * sample_rate_hz)


# -- codec frames -------------------------------------------------------------------------------------


def frames_to_seconds(frames: Exact) -> Fraction:
    """Seconds that codec frames last.  [any]"""
    return exact(frames) / FRAMES_PER_SECOND


def seconds_to_frames(seconds: Exact) -> Fraction:
    """Codec frames that pass in `seconds`, not rounded; inverse of `frames_to_seconds`.  [any]"""
    return exact(seconds) * FRAMES_PER_SECOND


def frames_to_samples(frames: int) -> int:
    """Samples of the codec (32 kHz) in whole frames.  [any]"""
    return frames * SAMPLES_PER_FRAME


def samples_to_frames(samples: int) -> int:
    """Whole frames that cover `samples` of the codec (32 kHz), the last padded.  [any]"""
    return -(-samples // SAMPLES_PER_FRAME)


def frames_to_beats(frames: Exact, tempo_bpm: Exact) -> Fraction:
    """Beats that codec frames last at `tempo_bpm`.  [any]"""
    return seconds_to_beats(frames_to_seconds(frames), tempo_bpm)


def beats_to_frames(beats: Exact, tempo_bpm: Exact) -> Fraction:
    """Codec frames that `beats` last, not rounded; inverse of `frames_to_beats`.  [any]"""
    return seconds_to_frames(beats_to_seconds(beats, tempo_bpm))


# -- bars ---------------------------------------------------------------------------------------------


def bar_start_beats(bar: int, signature: Signature) -> Fraction:
    """Beat on which `bar` begins; bars count from 0 and may be negative.  [any]"""
    return bar * signature.beats_per_bar


def bar_at_beats(beats: Exact, signature: Signature) -> int:
    """The bar of a beat; a bar owns its first beat and not the next bar's.  [any]"""
    return math.floor(exact(beats) / signature.beats_per_bar)


def phase_beats(beats: Exact, signature: Signature) -> Fraction:
    """Beats since the bar began: 0 <= phase < beats_per_bar.  [any]"""
    return exact(beats) - bar_start_beats(bar_at_beats(beats, signature), signature)
