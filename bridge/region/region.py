"""Region: a piece of the user's music with its position on the timeline, and its checks.

The checks raise a RegionError that says what was got and what is allowed; see `bridge.errors`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.errors import RegionFormat, RegionNotFinite, RegionSilent, RegionTooLong, RegionTooShort
from bridge.time.units import Signature, exact, samples_to_beats, samples_to_seconds, seconds_to_samples

SECONDS_MIN = 0.5
SECONDS_MAX = 600
PEAK_NOTED = 1.06  # +0.5 dBFS: below it a lossy file's overshoot is not reported
SAMPLES_MAX = 2 * 600 * 48_000  # of all channels: 10 minutes of stereo at 48 kHz, 2.5 at 192 kHz
CHANNELS_MAX = 8
RATE_MIN_HZ, RATE_MAX_HZ = 8_000, 192_000
_PART_SAMPLES = 1 << 18
SILENCE_DBFS = -70.0  # RMS at or below this counts as silence
PEAK_MAX = 4.0  # +12 dBFS; above it the file was scaled wrongly (16-bit numbers as floats)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The user's music: `audio` float32 [n_samples, 1 or 2 channels], finite, not silent.

    Its first sample belongs on beat `start_beats` of the host's timeline; its own tempo is `bpm`. `role` is
    one of messages.ROLES; `note` says what was changed in it.
    """

    audio: Samples
    rate_hz: int
    role: str
    bpm: float
    start_beats: float
    note: str = ""

    @property
    def seconds(self) -> float:
        """Its length.  [any]"""
        return float(samples_to_seconds(len(self.audio), self.rate_hz))

    @property
    def beats(self) -> Fraction:
        """Its length in beats at its own tempo.  [any]"""
        return samples_to_beats(len(self.audio), self.bpm, self.rate_hz)

    @property
    def end_beats(self) -> Fraction:
        """The beat on which it ends.  [any]"""
        return exact(self.start_beats) + self.beats

    def understood(self, signature: Signature) -> tuple[object, ...]:
        """The values of the engine's answer: seconds, channels, rate_hz, bars, note.  [any]"""
        bars = float(self.beats / signature.beats_per_bar)
        return self.seconds, self.audio.shape[1], self.rate_hz, bars, self.note


def make_region(audio: Samples, rate_hz: int, role: str, bpm: float, start_beats: float) -> Region:
    """A region from interleaved samples [n_samples, channels], checked; more than 2 channels are mixed.

    Its note says what was changed, and reports a peak above full scale, which files and sound cards clip.

    Raises a RegionError.  [any]
    """
    check_form(len(audio), audio.shape[1], rate_hz)
    _check_finite(audio, rate_hz)
    mixed, mix_note = mix_down(audio)
    scaled, scale_note = _scale_down(mixed)
    level = level_dbfs(scaled)
    if level <= SILENCE_DBFS:
        raise RegionSilent(f"the region is silent ({level:.0f} dBFS; it must be above {SILENCE_DBFS:.0f} dBFS)")
    note = "; ".join(part for part in (mix_note, scale_note) if part)
    return Region(np.ascontiguousarray(scaled), rate_hz, role, bpm, start_beats, note)


def check_form(n_samples: int, channels: int, rate_hz: int) -> None:
    """Raise a RegionError for unsupported lengths, channels and rates, before anything is read.  [any]"""
    if not 1 <= channels <= CHANNELS_MAX:
        raise RegionFormat(f"the region has {channels} channels, may have 1 to {CHANNELS_MAX}")
    if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
        raise RegionFormat(f"the region has {rate_hz} Hz, may have {RATE_MIN_HZ} to {RATE_MAX_HZ} Hz")
    if n_samples == 0:
        raise RegionTooShort("the region is empty")
    if n_samples < seconds_to_samples(SECONDS_MIN, rate_hz):
        raise RegionTooShort(f"the region lasts {n_samples / rate_hz:.4f} s, must last {SECONDS_MIN} s")
    most = samples_max(channels, rate_hz)
    if n_samples > most:
        got, allowed = _minutes(n_samples, rate_hz), _minutes(most, rate_hz)
        form = f"{channels} channel{'s' * (channels > 1)} at {rate_hz} Hz"
        raise RegionTooLong(f"the region lasts {got}, may last {allowed} ({form}); choose a shorter one")


def samples_max(channels: int, rate_hz: int) -> int:
    """The most samples per channel that a region may have.  [any]"""
    return min(int(seconds_to_samples(SECONDS_MAX, rate_hz)), SAMPLES_MAX // max(2, channels))


def mix_down(audio: Samples) -> tuple[Samples, str]:
    """At most two channels, and a note if there were more: odd ones to the left, even to the right.  [any]"""
    channels = audio.shape[1]
    if channels <= 2:
        return audio, ""
    left = audio[:, 0::2].mean(axis=1, dtype=np.float32)
    right = audio[:, 1::2].mean(axis=1, dtype=np.float32)
    odd, even = ("+".join(str(n + 1) for n in range(first, channels, 2)) for first in (0, 1))
    return np.stack([left, right], axis=1), f"{channels} channels mixed to stereo: {odd} left, {even} right"


def level_dbfs(audio: Samples) -> float:
    """RMS level of all channels together; -inf for zeros.  [any]"""
    power = sum(float(np.square(part, dtype=np.float64).sum()) for part in _parts(audio)) / max(1, audio.size)
    return 10 * math.log10(power) if power > 0 else -math.inf


def _parts(audio: Samples) -> Iterator[Samples]:
    """Long audio in pieces, so that calculations need little memory."""
    return (audio[begin : begin + _PART_SAMPLES] for begin in range(0, len(audio), _PART_SAMPLES))


def _check_finite(audio: Samples, rate_hz: int) -> None:
    if all(np.isfinite(part).all() for part in _parts(audio)):
        return
    bad = ~np.isfinite(audio)
    sample, channel = divmod(int(np.argmax(bad)), audio.shape[1])
    at = float(samples_to_seconds(sample, rate_hz))
    what = "NaN" if np.isnan(audio[sample, channel]) else "infinity"
    raise RegionNotFinite(
        f"the region holds {what} at {at:.3f} s (sample {sample}, channel {channel + 1}), "
        f"{int(bad.sum())} such values in all"
    )


def _scale_down(audio: Samples) -> tuple[Samples, str]:
    peak = max(float(audio.max()), -float(audio.min()))
    if peak <= PEAK_MAX:
        over = peak > PEAK_NOTED
        return audio, f"it peaks at {20 * math.log10(peak):+.1f} dBFS, above full scale" if over else ""
    return audio / np.float32(peak), f"peak of {20 * math.log10(peak):+.0f} dBFS scaled down to 0 dBFS"


def _minutes(n_samples: int, rate_hz: int) -> str:
    seconds = n_samples // rate_hz
    return f"{seconds // 60}:{seconds % 60:02d} min"
