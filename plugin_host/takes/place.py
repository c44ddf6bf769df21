"""The position of a region on the timeline, the first bar of its take, and the file for the engine.

continue         |....region....|~ take     the region ends on a bar line: a tail is cut, a gap is filled with silence
melody, style    |....region....|
                 |.....take.....|           on the bar in which the region begins
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from bridge.errors import RegionTooLong, RegionUnreadable
from bridge.region.region import check_form
from bridge.region.tail import length_of, tail_words
from bridge.time.transport import Grid
from bridge.time.units import (
    Exact,
    Signature,
    beats_to_samples,
    exact,
    nearest,
    samples_to_beats,
    seconds_to_beats,
)
from plugin_host.host.clip import fit
from plugin_host.run.region_layout import CHANNELS, shipped_regions
from plugin_host.run.region_tempo import Detector, no_detector, read_requested
from plugin_host.takes import names
from plugin_host.takes.recipe import TEMPO_MAX, UsedRegion

CONTINUE = "continue"
SLACK_SECONDS = 0.02  # error of a cut or an encoder
CONTINUED_BARS = 8  # by default


@dataclass(frozen=True)
class TakeRegionRequest:
    """The options of a region; `own_bpm` None finds its tempo, `start_beats` None places it at the beginning."""

    path: Path
    role: str
    own_bpm: float | None = None
    start_beats: float | None = None


@dataclass(frozen=True)
class RegionPlacement:
    """The engine's region, the take's tempo, first bar and default number of bars; and a description."""

    region: UsedRegion
    bpm: float
    start_bar: int
    bars: int
    words: str


def place(
    request: TakeRegionRequest, bpm: float | None, signature: Signature, rate_hz: int, detect: Detector = no_detector
) -> RegionPlacement:
    """Read a region and place it on the timeline of a take at the song's `bpm`, or at its own tempo, which is detected
    if nothing else gives it. Raises RegionError.  [main]
    """
    path = shipped_regions().get(str(request.path), request.path.expanduser().absolute())
    read = read_requested(path, request.role, signature, bpm, request.own_bpm).with_tempo(detect)
    bar, goes_on, said = signature.beats_per_bar, request.role == CONTINUE, read.words
    own_bpm, host_bpm = read.counted_bpm, read.bpm
    audio, region_rate = read.region.audio, read.region.rate_hz
    if goes_on and own_bpm != host_bpm:
        audio = fit(audio, region_rate, own_bpm, Grid(rate_hz, host_bpm, signature), CHANNELS)
        region_rate, own_bpm = rate_hz, host_bpm
    length = length_of(audio, region_rate, own_bpm, bar, request.start_beats or 0.0)
    said.append(tail_words(length, own_bpm, "cut" if goes_on else "left out" if length.beats % bar == 0 else "kept"))
    start = _start(request, length.beats, bar)
    end_bar = max(1, math.ceil((start + length.beats) / bar))
    if goes_on:
        audio, silent = _to_length(audio, end_bar * bar - start, own_bpm, region_rate)
        if silent > seconds_to_beats(SLACK_SECONDS, host_bpm):
            said.append(f"{float(silent):.2f} beats of silence up to the bar line")
        start_bar, bars = end_bar, CONTINUED_BARS
    else:
        start_bar = max(0, math.floor(start / bar))
        bars = max(1, end_bar - start_bar)
    flac, note = _flac(audio, region_rate)
    sha256 = hashlib.sha256(flac).hexdigest()
    used = UsedRegion(
        request.role,
        own_bpm,
        float(start),
        sha256,
        flac,
        name=names.words(path.stem),
        tempo=read.tempo.words[:TEMPO_MAX],
    )
    return RegionPlacement(used, host_bpm, start_bar, bars, "; ".join(word for word in [*said, note] if word))


def _start(request: TakeRegionRequest, beats: Fraction, bar: Fraction) -> Fraction:
    """Beat on which a region begins: as requested, else so that its music ends, or begins, on a bar line."""
    if request.start_beats is not None:
        return exact(request.start_beats)
    return max(1, math.ceil(beats / bar)) * bar - beats if request.role == CONTINUE else Fraction(0)


def _to_length(audio: np.ndarray, beats: Exact, bpm: float, rate_hz: int) -> tuple[np.ndarray, Fraction]:
    """Audio cut, or extended with silence, to `beats`; and the beats of silence."""
    n_samples = nearest(beats_to_samples(beats, bpm, rate_hz))
    if n_samples > len(audio):
        try:  # a start far before the timeline, or a bar of minutes
            check_form(n_samples, audio.shape[1], rate_hz)
        except RegionTooLong as fault:
            raise RegionTooLong(f"with silence up to its bar line {fault}") from None
    missing = max(0, n_samples - len(audio))
    return np.pad(audio[:n_samples], ((0, missing), (0, 0))), samples_to_beats(missing, bpm, rate_hz)


def _flac(audio: np.ndarray, rate_hz: int) -> tuple[bytes, str]:
    """24-bit FLAC: the engine reads the recipe's audio, bit for bit."""
    import soundfile

    peak = float(np.abs(audio).max())
    note = f"peak of {20 * math.log10(peak):+.1f} dB scaled down to 0 dB" if peak > 1 else ""
    memory = io.BytesIO()
    try:
        soundfile.write(memory, audio / max(peak, 1.0), rate_hz, "PCM_24", format="FLAC")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise RegionUnreadable(f"the region cannot be kept as FLAC: {error}") from None
    return memory.getvalue(), note
