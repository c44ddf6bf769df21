"""Begins a stream in phase with its audio prompt: cuts the prompt, or makes unheard music up to the first heard sample.

    prompt   |....bar....|....bar....|..      ends a little behind a bar line: the rest is cut off
                                     ^ the stream continues here
    prompt   |....bar....|....bar....|.......  ends short of the next one: the missing music is made and
                                            ~~ discarded, so that the stream is in phase when the bar comes

A play need not begin on a bar line: the music before it must only end at its position in the bar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from bridge.time import units
from bridge.time.transport import Grid
from bridge.time.units import exact
from engine.serve.lane_settings import ReferenceAudio

SHORTEST_SECONDS = 1.0  # of the prompt that is left after a cut
ROUNDED_SAMPLES = 1  # rounding error of a length at another rate: within it, the end is on the bar line
LONGEST_AHEAD_SECONDS = 1.0  # of unheard music, when a cut is possible


@dataclass(frozen=True)
class PhaseIn:
    """The audio prompt, cut, and the beats of unheard music after it.  [any]"""

    region: ReferenceAudio | None = None
    ahead_beats: Fraction = Fraction(0)


def begin_after(region: ReferenceAudio | None, start_beats: Fraction, grid: Grid) -> PhaseIn:
    """How to continue a region so that `start_beats` of the host's grid is in phase.

    Takes the shorter of a cut off the end and unheard music; a cut leaves at least a second.  [any]
    """
    if region is None:
        return PhaseIn()
    length = region.audio.shape[-1]
    end = exact(region.start_beats) + _beats(region, length)
    bar = grid.signature.beats_per_bar
    over = (end - start_beats) % bar
    under = (bar - over) % bar
    if min(_samples(region, over), _samples(region, under)) <= ROUNDED_SAMPLES:
        return PhaseIn(region)
    cut, ahead_seconds = _samples(region, over), units.beats_to_seconds(under, grid.tempo_bpm)
    left = units.samples_to_seconds(length - cut, region.rate_hz)
    nearer = over <= under or ahead_seconds > LONGEST_AHEAD_SECONDS
    if nearer and left >= SHORTEST_SECONDS:
        kept, rest = region.audio.split([length - cut, cut], dim=1)
        return PhaseIn(replace(region, audio=kept, ahead=rest))
    return PhaseIn(region, under)


def unheard_seconds(region: ReferenceAudio | None, start_beats: Fraction, grid: Grid) -> float:
    """Seconds of unheard music that bring `start_beats` in phase.  [any]"""
    ahead_beats = begin_after(region, start_beats, grid).ahead_beats
    return float(units.beats_to_seconds(ahead_beats, grid.tempo_bpm))


def _beats(region: ReferenceAudio, n_samples: int) -> Fraction:
    return units.samples_to_beats(n_samples, region.bpm, region.rate_hz)


def _samples(region: ReferenceAudio, beats: Fraction) -> int:
    return units.nearest(units.beats_to_samples(beats, region.bpm, region.rate_hz))
