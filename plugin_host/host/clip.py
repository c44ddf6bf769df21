"""A clip: the user's own music on the host's timeline, at the host's rate and tempo.

The bridge's reader reads it, so it passes the same checks as the engine's regions. A clip of another tempo is stretched
at its pitch, as a whole, before anything plays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.region.region import check_form
from bridge.region.tail import length_of
from bridge.region.tempo import own_tempo
from bridge.ring.form import Audio
from bridge.time.transport import Grid
from bridge.time.units import exact, nearest, seconds_to_samples

_TAPS = 32
STRETCH_LEAST, STRETCH_MOST = 0.5, 2.0  # times as fast
_FADE_SECONDS = 0.005
_AROUND_SECONDS = 0.2  # of audio around a stretch, more than its window


@dataclass(frozen=True)
class Clip:
    """Audio float32 [n, channels] whose first sample belongs at `start_samples` of the host."""

    audio: Audio
    start_samples: int

    @property
    def end_samples(self) -> int:
        """The position right after its last sample.  [any]"""
        return self.start_samples + len(self.audio)

    def add_to(self, out: Audio, position_samples: int) -> None:
        """Add its part of the block at that position.  [audio]"""
        begin = max(self.start_samples, position_samples)
        end = min(self.end_samples, position_samples + len(out))
        if begin < end:
            source = self.audio[begin - self.start_samples : end - self.start_samples]
            out[begin - position_samples : end - position_samples] += source


def tempo_of(path: Path, seconds: float, beats_per_bar: float = 4.0) -> tuple[float, str]:
    """Tempo of a file in bpm without detection, and its source; see `bridge.region.tempo`.  [main]"""
    found = own_tempo(str(path), seconds, beats_per_bar)
    return found.bpm, found.how


def resample(audio: Audio, ratio: float) -> Audio:
    """Audio [n, channels] with `ratio` output samples for each input sample: Kaiser-windowed sinc, 32 taps.

    The cutoff is the lower of the two Nyquists. Whole, not streamed: for clips, before they play.  [main]
    """
    if ratio == 1.0:
        return audio
    cutoff = min(1.0, ratio) * 0.95
    reach = math.ceil(_TAPS / 2 / min(1.0, ratio))
    n_out = math.ceil(len(audio) * ratio - 1e-9)
    padded = np.pad(audio.astype(np.float64), ((reach, reach), (0, 0)))
    out = np.empty((n_out, audio.shape[1]), np.float32)
    offsets = np.arange(-reach + 1, reach + 1)
    for begin in range(0, n_out, 16384):
        at = np.arange(begin, min(begin + 16384, n_out)) / ratio
        whole = np.floor(at).astype(np.int64)
        distance = offsets[None, :] - (at - whole)[:, None]
        window = np.i0(9.0 * np.sqrt(np.maximum(1 - (distance / reach) ** 2, 0))) / np.i0(9.0)
        kernel = cutoff * np.sinc(cutoff * distance) * window
        taken = padded[whole[:, None] + offsets[None, :] + reach]
        out[begin : begin + len(at)] = np.einsum("tk,tkc->tc", kernel, taken)
    return out


def stretch(audio: Audio, rate_hz: int, speed: float) -> Audio:
    """Audio [n, channels] `speed` times as fast at its pitch, by Signalsmith Stretch: [round(n / speed), channels].

    The audio is repeated around itself, since the stretcher fades beginning and end: a loop stays a loop, and an audio
    prompt keeps its last sample. More than twice as fast or slow it is resampled with its pitch, since a stretch would
    smear.  [main]
    """
    if not STRETCH_LEAST <= speed <= STRETCH_MOST:
        return resample(audio, 1.0 / speed)
    from python_stretch.Signalsmith import Stretch

    stretcher = Stretch()
    stretcher.preset(audio.shape[1], rate_hz)
    stretcher.timeFactor = speed
    around = round(_AROUND_SECONDS * rate_hz)  # of the output
    reach, length = round(around * speed), round(len(audio) / speed)
    led = audio[np.arange(-reach, len(audio) + reach) % len(audio)]
    out = np.asarray(stretcher.process(np.ascontiguousarray(led.T, np.float32)), np.float32).T
    return out[around : around + length]


def fit(audio: Audio, rate_hz: int, bpm: float, grid: Grid, channels: int) -> Audio:
    """Audio at the host's rate, tempo and channels; the same array if nothing changes.

    RegionTooLong if the result would be.  [main]
    """
    if audio.shape[1] == 1 and channels == 2:
        audio = np.repeat(audio, 2, axis=1)
    elif audio.shape[1] > channels:
        audio = audio.mean(axis=1, keepdims=True, dtype=np.float32)
    if bpm != grid.tempo_bpm:
        speed = float(exact(grid.tempo_bpm) / exact(bpm))
        longer = max(round(len(audio) / speed), rate_hz)  # fifty times as slow is hours; short clips may be
        check_form(longer, audio.shape[1], rate_hz)
        audio = stretch(audio, rate_hz, speed)
    return np.ascontiguousarray(resample(audio, float(exact(grid.sample_rate_hz) / rate_hz)), np.float32)


def place_before_bar(audio: Audio, grid: Grid, fade_out: bool = False) -> tuple[Clip, int]:
    """The clip, placed so that its music begins on a beat and ends on the first possible bar line; and that bar.

    The part after its last whole bar or beat is a tail: it is cut, or with `fade_out`, if nothing continues its last
    sample, rings on.  [main]
    """
    rate, bpm, per_bar = grid.sample_rate_hz, grid.tempo_bpm, grid.signature.beats_per_bar
    length = length_of(audio, rate, bpm, per_bar)
    bar = max(1, math.ceil(length.beats / per_bar))
    start_beats = bar * per_bar - length.beats
    end, start = grid.bar_start(bar), grid.sample_at(start_beats)
    if length.beats < 1:  # less than a beat: its end is on the bar line
        start = max(0, end - len(audio))
    missing = max(0, end - start - len(audio))
    audio = np.pad(audio, ((0, missing), (0, 0)))
    if not fade_out:
        return Clip(audio[: end - start], start), bar
    n = min(nearest(seconds_to_samples(_FADE_SECONDS, rate)), len(audio))
    audio = audio.copy()
    audio[len(audio) - n :] *= np.cos(np.linspace(0, np.pi / 2, n, dtype=np.float32))[:, None]
    return Clip(audio, start), bar
