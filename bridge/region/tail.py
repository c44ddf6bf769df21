"""Where the music of a region ends: on a bar line or a beat; the rest is a tail.

    |....bar....|....bar....|~~        up to a beat after the last whole bar: reverb, padding of an encoder or a block
    |....bar....|.beat.beat.|~         else after its last whole beat

A tail does not move the region's start, which stays on the beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bridge.region.region import Samples
from bridge.time.units import (
    Exact,
    beats_to_samples,
    beats_to_seconds,
    exact,
    nearest,
    samples_to_beats,
    seconds_to_beats,
)

SHORT_SECONDS = 0.03  # by which a cut or an encoder may shorten the music
QUIET = 0.25  # of the level before: a last beat below it is a tail, not music


@dataclass(frozen=True)
class Length:
    """Beats of a region that are music (whole bars, or whole beats), and beats of the tail after them.

    `missing`: beats that an inexact cut removed from the end.  [any]
    """

    beats: Fraction
    tail: Fraction = Fraction(0)
    missing: Fraction = Fraction(0)


def length_in(
    beats: Exact, bpm: Exact, beats_per_bar: Exact, start_beats: Exact = 0, beat_is_tail: bool = False
) -> Length:
    """How much of `beats` from `start_beats` on is music.

    A whole beat after a bar line is music, unless `beat_is_tail`. Less than a beat in all is music.  [any]
    """
    bar, start, short = exact(beats_per_bar), exact(start_beats), seconds_to_beats(exact(SHORT_SECONDS), bpm)
    length = exact(beats)
    end = start + length
    line = (end + short) // bar * bar
    over = end - line
    if line - start >= min(bar, Fraction(1)) and (over < 1 - short or (over <= 1 + short and beat_is_tail)):
        return _length(line - start, over)
    whole = Fraction(math.floor(length + short))
    return _length(whole, length - whole) if whole >= 1 else Length(length)


def _length(beats: Fraction, over: Fraction) -> Length:
    return Length(beats, max(over, Fraction(0)), max(-over, Fraction(0)))


def length_of(audio: Samples, rate_hz: int, bpm: float, beats_per_bar: Exact, start_beats: Exact = 0) -> Length:
    """How much of samples [n, channels] from `start_beats` on is music; a quiet last beat counts as a tail.  [any]"""
    beats = samples_to_beats(len(audio), bpm, rate_hz)
    return length_in(beats, bpm, beats_per_bar, start_beats, _ends_quietly(audio, rate_hz, bpm))


def _ends_quietly(audio: Samples, rate_hz: int, bpm: float) -> bool:
    """Whether the last beat is far below the level before."""
    beat = nearest(beats_to_samples(1, bpm, rate_hz))
    if len(audio) < 2 * beat:
        return False
    before, last = (float(np.sqrt(np.mean(np.square(part)))) for part in (audio[:-beat], audio[-beat:]))
    return last < QUIET * before


def tail_words(length: Length, bpm: float, what: str) -> str:
    """A tail in words, with what is done with it; empty if it is no longer than an inexact cut.  [any]"""
    seconds = float(beats_to_seconds(length.tail, bpm))
    if seconds <= SHORT_SECONDS:
        return ""
    return f"the last {seconds:.2f} s, behind {float(length.beats):g} beats, are a tail: {what}"
