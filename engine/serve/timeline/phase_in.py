"""How a stream begins in phase: where in its bar the given music ends, and what follows up to the first heard sample.

    given music   |....bar....|....bar....|..      ends a little behind a bar line: the rest is cut off
                                          ^ goes on from here
    given music   |....bar....|....bar....|.......  ends short of the next one: what is missing is made, and
                                                 ~~ thrown away, so that the music is in phase when the bar comes

A play need not begin on a bar line: what counts is that the music before it ends at the same place in the bar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from bridge.time import units
from bridge.time.transport import Grid
from bridge.time.units import exact
from engine.serve.lane_settings import ReferenceAudio

SHORTEST_SECONDS = 1.0  # of given music that is left after a cut
ROUNDED_SAMPLES = 1  # a length in whole samples, at another rate, is so inexact: that is the bar line
LONGEST_AHEAD_SECONDS = 1.0  # of music that is made and thrown away, where a cut would do as well


@dataclass(frozen=True)
class PhaseIn:
    """The music to go on from, cut, and the beats that are made and thrown away after it.  [any]"""

    region: ReferenceAudio | None = None
    ahead_beats: Fraction = Fraction(0)


def begin_after(region: ReferenceAudio | None, start_beats: Fraction, grid: Grid) -> PhaseIn:
    """How to go on from a region so that `start_beats` of the host's grid comes in phase.

    Cuts whichever is less, music off the end or music still to be made; a cut leaves a second at least.  [any]
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
    """How much music is made and thrown away before `start_beats` comes in phase.  [any]"""
    ahead_beats = begin_after(region, start_beats, grid).ahead_beats
    return float(units.beats_to_seconds(ahead_beats, grid.tempo_bpm))


def _beats(region: ReferenceAudio, n_samples: int) -> Fraction:
    return units.samples_to_beats(n_samples, region.bpm, region.rate_hz)


def _samples(region: ReferenceAudio, beats: Fraction) -> int:
    return units.nearest(units.beats_to_samples(beats, region.bpm, region.rate_hz))
