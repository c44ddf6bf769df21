"""Tempo curves: which beat sounds at which host sample, as far ahead as can be predicted.

    tempo          ____ 128           a segment holds from its first sample to the next one's; the first also
             _____/                   for everything before it, the last for everything behind it
    100 ____/
           |  ramp | straight         ramps are straight over beats, as in `bridge.time.tempo_map`

One straight segment is exactly `transport.Grid`. A ramp is computed in floats from its first sample, where it is
exact, and ends after a few seconds: errors do not add up, however long the piece is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from bridge.time import units
from bridge.time.tempo_map import TEMPO_MAX_BPM, TEMPO_MIN_BPM
from bridge.time.transport import Grid
from bridge.time.units import Exact, exact
from engine.serve.timeline.samples import HostSample

STRAIGHT_BPM_PER_BEAT = 1e-7  # a slope below this is straight
SAME_SECONDS = 1e-6  # curves nearer than this are equal
MOST_BEND = 0.04  # of the tempo, while a stream is led back to its host's tempo curve
SHORTEST_BEND_BEATS, LONGEST_BEND_BEATS = 0.25, 2.0
RAMP_SECONDS = 4.0  # how far ahead a ramp is extrapolated; straight from there on, until the host sends more


@dataclass(frozen=True, slots=True)
class TempoSegment:
    """From `from_samples` on: `grid` is the tangent there, and the tempo moves by `slope` bpm a beat.

    A ramp's grid is anchored on its first sample.  [any]
    """

    from_samples: HostSample
    grid: Grid
    slope: float = 0.0

    def passed_beats(self, samples: float) -> float:
        """Beats that pass in `samples` from a ramp's first sample, in floats.  [any]"""
        tempo, minutes = self.grid.tempo_bpm, samples / (units.SECONDS_PER_MINUTE * self.grid.sample_rate_hz)
        return tempo / self.slope * math.expm1(self.slope * minutes)

    def beats_at(self, position: Exact) -> Fraction:
        """Beat at a sample: exact if straight.  [any]"""
        if not self.slope:
            passed = units.samples_to_beats(
                exact(position) - self.grid.anchor_samples, self.grid.tempo_bpm, self.grid.sample_rate_hz
            )
            return exact(self.grid.anchor_beats) + passed
        return self.grid.beats_at(self.from_samples) + exact(self.passed_beats(float(position - self.from_samples)))

    def quick_beats(self, position: float) -> float:
        """`beats_at` in floats, good to a microsecond for weeks: for comparisons.  [any]"""
        grid = self.grid
        if self.slope:
            return grid.anchor_beats + self.passed_beats(position - self.from_samples)
        return grid.anchor_beats + units.quick_beats(
            position - grid.anchor_samples, grid.tempo_bpm, grid.sample_rate_hz
        )

    def sample_at(self, beats: Exact) -> HostSample:
        """Sample on which a beat sounds, rounded once; inverse of `beats_at` on this segment.  [any]"""
        if not self.slope:
            return HostSample(self.grid.sample_at(beats))
        passed = float(exact(beats) - self.grid.beats_at(self.from_samples))
        grown = max(passed * self.slope / self.grid.tempo_bpm, -1.0 + 1e-9)  # the limit of a falling ramp
        minutes = math.log1p(grown) / self.slope
        return HostSample(self.from_samples + round(minutes * units.SECONDS_PER_MINUTE * self.grid.sample_rate_hz))

    def tempo_at(self, position: float) -> float:
        """Quarter notes a minute at a sample.  [any]"""
        return self.grid.tempo_bpm + (self.slope * self.passed_beats(position - self.from_samples) if self.slope else 0)


@dataclass(frozen=True)
class TempoCurve:
    """Segments in order; ValueError for none, or for two that begin on one sample.  [any]"""

    segments: tuple[TempoSegment, ...]

    def __post_init__(self) -> None:
        starts = [segment.from_samples for segment in self.segments]
        if not starts or any(late <= early for early, late in pairwise(starts)):
            raise ValueError(
                f"a tempo curve needs segments one after the other, got some that begin at samples {starts}"
            )

    @staticmethod
    def straight(grid: Grid) -> TempoCurve:
        """One tempo throughout: exactly the grid.  [any]"""
        return TempoCurve((TempoSegment(HostSample(grid.anchor_samples), grid),))

    @staticmethod
    def ramp(grid: Grid, position_samples: HostSample, slope: float, seconds: float = RAMP_SECONDS) -> TempoCurve:
        """The tangent `grid` up to a sample, from there the tempo moves by `slope` bpm a beat.

        After `seconds`, or at the slowest or fastest tempo there is, it is straight.  [any]
        """
        if abs(slope) < STRAIGHT_BPM_PER_BEAT:
            return TempoCurve.straight(grid)
        here = _tangent(grid, position_samples, grid.beats_at(position_samples), grid.tempo_bpm)
        segment = TempoSegment(position_samples, here, slope)
        bound = TEMPO_MAX_BPM if slope > 0 else TEMPO_MIN_BPM
        most = max(0.0, math.log(bound / grid.tempo_bpm) / slope) * units.SECONDS_PER_MINUTE
        count = int(min(seconds, most) * grid.sample_rate_hz)
        if count < 1:
            return TempoCurve.straight(grid)
        end = HostSample(position_samples + count)
        after = _tangent(grid, end, segment.beats_at(end), segment.tempo_at(end))
        return TempoCurve((TempoSegment(HostSample(position_samples - 1), grid), segment, TempoSegment(end, after)))

    @property
    def grid(self) -> Grid:
        """The grid of the last segment: its rate, signature and bar lines are the curve's.  [any]"""
        return self.segments[-1].grid

    def segment_at(self, position: float) -> TempoSegment:
        """The segment that holds at a sample.  [any]"""
        found = self.segments[0]
        for segment in self.segments[1:]:
            if segment.from_samples > position:
                break
            found = segment
        return found

    def beats_at(self, position: Exact) -> Fraction:
        """Beat that sounds at a sample: exact where the curve is straight.  [any]"""
        return self.segment_at(float(position)).beats_at(position)

    def quick_beats(self, position: float) -> float:
        """`beats_at` in floats, for comparisons.  [any]"""
        return self.segment_at(position).quick_beats(position)

    def sample_at(self, beats: Exact) -> HostSample:
        """Sample on which a beat sounds, rounded once; inverse of `beats_at`.  [any]"""
        placement = exact(beats)
        found = self.segments[0]
        for segment in self.segments[1:]:
            if segment.beats_at(segment.from_samples) > placement:
                break
            found = segment
        return found.sample_at(placement)

    def tempo_at(self, position: float) -> float:
        """Quarter notes a minute at a sample.  [any]"""
        return self.segment_at(position).tempo_at(position)

    def off_seconds(self, other: TempoCurve, position: float) -> float:
        """How much later this curve's beat at a sample comes than on `other`; negative: earlier.  [any]"""
        beats = other.quick_beats(position) - self.quick_beats(position)
        return beats * units.SECONDS_PER_MINUTE / other.tempo_at(position)

    def reached(self, position_samples: HostSample, beats: Exact) -> TempoCurve:
        """This curve, reached from another beat at a sample: the tempo bends until they meet, the beat never jumps.

        By at most 4 %, unless that takes longer than two beats.  [any]
        """
        off = exact(beats) - self.beats_at(position_samples)
        tempo = self.tempo_at(position_samples)
        if abs(off) * units.SECONDS_PER_MINUTE < exact(SAME_SECONDS) * exact(tempo):
            return self
        spent = min(max(abs(float(off)) / MOST_BEND, SHORTEST_BEND_BEATS), LONGEST_BEND_BEATS)
        length = int(units.beats_to_samples(spent, tempo, self.grid.sample_rate_hz)) + 1
        end = HostSample(position_samples + length)
        there, at_end = self.segment_at(position_samples), self.segment_at(end)
        minutes = (end - position_samples) / (units.SECONDS_PER_MINUTE * self.grid.sample_rate_hz)
        passed, slope = float(self.beats_at(end) - exact(beats)), there.slope
        bent = passed * slope / math.expm1(slope * minutes) if slope else passed / minutes
        if not TEMPO_MIN_BPM / 2 <= bent <= TEMPO_MAX_BPM * 2:  # too far off to bend: a jump
            return self
        leading = TempoSegment(position_samples, _tangent(there.grid, position_samples, exact(beats), bent), slope)
        grid = at_end.grid
        if at_end.slope:
            grid = _tangent(grid, end, at_end.beats_at(end), at_end.tempo_at(end))
        rest = TempoSegment(end, grid, at_end.slope)
        return TempoCurve((leading, rest, *(segment for segment in self.segments if segment.from_samples > end)))

    # -- bars -----------------------------------------------------------------------------------------

    def bar_start(self, bar: int) -> HostSample:
        """First sample of a bar, in the host's present numbering.  [any]"""
        return self.sample_at(self.grid.bar_start_beats(bar))

    def bar_at(self, position_samples: HostSample) -> int:
        """Bar of a sample: bar_start(bar) <= position < bar_start(bar + 1).  [any]"""
        beats = self.beats_at(position_samples) - exact(self.grid.bar_origin_beats)
        bar = units.bar_at_beats(beats, self.grid.signature)
        return bar + 1 if self.bar_start(bar + 1) <= position_samples else bar

    def next_bar(self, position_samples: HostSample) -> int:
        """First bar whose first sample is at `position_samples` or after it.  [any]"""
        bar = self.bar_at(position_samples)
        return bar if self.bar_start(bar) == position_samples else bar + 1


def _tangent(grid: Grid, position_samples: HostSample, beats: Fraction, tempo_bpm: float) -> Grid:
    return replace(grid, tempo_bpm=tempo_bpm, anchor_samples=position_samples, anchor_beats=float(beats))
