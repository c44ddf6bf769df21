"""Where a region lies on the time line, which bar its take begins on, and the file that the engine is given.

continue         |....region....| take      the region ends on a bar line: cut or filled up with silence to it
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
from bridge.region import check_form
from bridge.region_file import read_region
from bridge.transport import Grid
from bridge.units import (
    Exact,
    Signature,
    beats_to_samples,
    exact,
    nearest,
    samples_to_beats,
    seconds_to_beats,
)
from plugin_host.clip import fit, tempo_of
from plugin_host.plot import CHANNELS, shipped_regions
from plugin_host.takes import names
from plugin_host.takes.chunks import acid_tempo
from plugin_host.takes.errors import TakeError
from plugin_host.takes.recipe import UsedRegion
from plugin_host.takes.wave import read_chunks

CONTINUE = "continue"
SLACK_SECONDS = 0.02  # a cut, or an encoder, was not exact
CONTINUED_BARS = 8  # where nobody says how many


@dataclass(frozen=True)
class RegionWish:
    """A region as asked for; `own_bpm` None looks for its tempo, `start_beats` None lays it at the beginning."""

    path: Path
    role: str
    own_bpm: float | None = None
    start_beats: float | None = None


@dataclass(frozen=True)
class Placed:
    """A region as the engine gets it, tempo of the take, the bar it begins on and its bars unless told; in words."""

    region: UsedRegion
    bpm: float
    start_bar: int
    bars: int
    words: str


def own_tempo(path: Path, seconds: float, beats_per_bar: float) -> tuple[float, str]:
    """Tempo of a file and how it was found: from what it says itself, its name, or its length.  [any]"""
    try:
        told = acid_tempo(read_chunks(path, frozenset((b"acid",))).get(b"acid", b""))
    except TakeError:  # no WAV
        told = None
    return (told, "as the file says") if told else tempo_of(path, seconds, beats_per_bar)


def place(wish: RegionWish, bpm: float | None, signature: Signature, rate_hz: int) -> Placed:
    """Read a region and lay it on the time line of a take at `bpm`, or at its own tempo. Raises RegionError.  [any]"""
    path = shipped_regions().get(str(wish.path), wish.path.expanduser().absolute())
    region = read_region(str(path), wish.role, 120.0, 0.0)
    bar = signature.beats_per_bar
    own_bpm, how = (wish.own_bpm, "as given") if wish.own_bpm else own_tempo(path, region.seconds, float(bar))
    host_bpm = own_bpm if bpm is None else bpm
    said = [f"{path.name}, {region.seconds:.1f} s at {own_bpm:g} bpm ({how})", region.note]
    audio, region_rate = region.audio, region.rate_hz
    if wish.role == CONTINUE and own_bpm != host_bpm:
        audio = fit(audio, region_rate, own_bpm, Grid(rate_hz, host_bpm, signature), CHANNELS)
        region_rate, own_bpm = rate_hz, host_bpm
        said.append(f"played at {host_bpm:g} bpm, at its pitch")
    beats = samples_to_beats(len(audio), own_bpm, region_rate)
    slack = seconds_to_beats(SLACK_SECONDS, host_bpm)
    start = _start(wish, beats, bar, slack)
    end_bar = max(1, math.ceil((start + beats - slack) / bar))
    if wish.role == CONTINUE:
        audio, silent = _to_length(audio, end_bar * bar - start, own_bpm, region_rate)
        if silent > slack:
            said.append(f"{float(silent):.2f} beats of silence up to the bar line")
        start_bar, bars = end_bar, CONTINUED_BARS
    else:
        start_bar = max(0, math.floor((start + slack) / bar))
        bars = max(1, end_bar - start_bar)
    flac, note = _flac(audio, region_rate)
    sha256 = hashlib.sha256(flac).hexdigest()
    used = UsedRegion(wish.role, own_bpm, float(start), sha256, flac, name=names.words(path.stem))
    return Placed(used, host_bpm, start_bar, bars, "; ".join(word for word in [*said, note] if word))


def _start(wish: RegionWish, beats: Fraction, bar: Fraction, slack: Fraction) -> Fraction:
    """Beat on which a region begins: as given, else so that it ends, or begins, on a bar line."""
    if wish.start_beats is not None:
        return exact(wish.start_beats)
    if wish.role != CONTINUE:
        return Fraction(0)
    start = max(1, math.ceil((beats - slack) / bar)) * bar - beats
    return Fraction(0) if start <= slack else start


def _to_length(audio: np.ndarray, beats: Exact, bpm: float, rate_hz: int) -> tuple[np.ndarray, Fraction]:
    """Audio cut, or filled up with silence, to so many beats; how many beats of it are silence."""
    n_samples = nearest(beats_to_samples(beats, bpm, rate_hz))
    if n_samples > len(audio):
        try:  # a start far before the time line, or a bar of minutes
            check_form(n_samples, audio.shape[1], rate_hz)
        except RegionTooLong as fault:
            raise RegionTooLong(f"with silence up to its bar line {fault}") from None
    missing = max(0, n_samples - len(audio))
    return np.pad(audio[:n_samples], ((0, missing), (0, 0))), samples_to_beats(missing, bpm, rate_hz)


def _flac(audio: np.ndarray, rate_hz: int) -> tuple[bytes, str]:
    """24-bit FLAC: the engine hears what is in the recipe, bit for bit."""
    import soundfile

    peak = float(np.abs(audio).max())
    note = f"peak of {20 * math.log10(peak):+.1f} dB scaled down to 0 dB" if peak > 1 else ""
    memory = io.BytesIO()
    try:
        soundfile.write(memory, audio / max(peak, 1.0), rate_hz, "PCM_24", format="FLAC")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise RegionUnreadable(f"the region cannot be kept as FLAC: {error}") from None
    return memory.getvalue(), note
