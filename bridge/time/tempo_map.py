"""A song's tempo map: steps and ramps of tempo, changes of signature, beats <-> seconds <-> bars.

    tempo  ....120______       ____ 90 ....        the first tempo holds before its point too, the last one after it
                        \\_____/                    a ramp is straight over beats: tempo(b) = T0 + k * (b - b0)
    bars   4/4 | | | | 7/8 | | | 5/4  |  |         a signature changes on a bar line; bars count through, from 0

Straight stretches are exact fractions. On a ramp, from integrating 60/tempo(b):

    seconds(b) = 60/k * ln(tempo(b)/T0),    b(seconds) = b0 + T0/k * (exp(k * seconds/60) - 1)

computed to 50 decimal digits (`decimal`, whose ln and exp are correctly rounded), so the error stays under 1e-40 s in
a piece of any length; one rounding remains, to the sample.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from bridge.time.units import (
    SECONDS_PER_MINUTE,
    Exact,
    Signature,
    bar_at_beats,
    bar_start_beats,
    beats_to_seconds,
    exact,
    seconds_to_beats,
)

TEMPO_MIN_BPM, TEMPO_MAX_BPM = 20, 400
_DIGITS = Context(prec=50)


@dataclass(frozen=True, slots=True)
class TempoPoint:
    """From `beats` on the tempo is `tempo_bpm`; with `ramp` it moves linearly to the next point's tempo."""

    beats: Exact
    tempo_bpm: Exact
    ramp: bool = False


@dataclass(frozen=True, slots=True)
class SignaturePoint:
    """From the first beat of `bar` on, bars have this signature."""

    bar: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment of the map: tempo at its start, slope in bpm per beat, and the second of its first beat."""

    beats: Fraction
    tempo_bpm: Fraction
    slope: Fraction
    seconds: Fraction

    def tempo_at(self, beats: Fraction) -> Fraction:
        return self.tempo_bpm + self.slope * (beats - self.beats)

    def seconds_at(self, beats: Fraction) -> Fraction:
        if not self.slope:
            return self.seconds + beats_to_seconds(beats - self.beats, self.tempo_bpm)
        passed = _DIGITS.ln(_decimal(self.tempo_at(beats) / self.tempo_bpm))
        return self.seconds + Fraction(passed) * SECONDS_PER_MINUTE / self.slope

    def beats_at(self, seconds: Fraction) -> Fraction:
        passed = seconds - self.seconds
        if not self.slope:
            return self.beats + seconds_to_beats(passed, self.tempo_bpm)
        grown = Fraction(_DIGITS.exp(_decimal(passed * self.slope / SECONDS_PER_MINUTE)))
        return self.beats + (grown - 1) * self.tempo_bpm / self.slope


def _decimal(value: Fraction) -> Decimal:
    return _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


class TempoMap:
    """Tempo and signatures of a whole song; beat 0 is second 0, and beats before it are negative.

    Immutable; may be shared between threads. ValueError for no tempo, a tempo outside 20..400 bpm, two
    points on one beat or bar, and a ramp with no point to go to.
    """

    def __init__(self, tempi: Iterable[TempoPoint], signatures: Iterable[SignaturePoint] = ()) -> None:
        self.tempi = tuple(sorted(tempi, key=lambda point: exact(point.beats)))
        self.signatures = tuple(sorted(signatures, key=lambda point: point.bar)) or (SignaturePoint(0, Signature()),)
        self._segments = _shifted(_segments(self.tempi))
        self._segment_beats = [segment.beats for segment in self._segments]
        self._segment_seconds = [segment.seconds for segment in self._segments]
        self._bars = [point.bar for point in self.signatures]
        if len(set(self._bars)) < len(self._bars):
            raise ValueError(f"one signature a bar, got changes at bars {self._bars}")
        self._bar_beats = self._starts()

    @staticmethod
    def steady(tempo_bpm: Exact, signature: Signature | None = None) -> TempoMap:
        """One tempo and one signature throughout.  [any]"""
        return TempoMap([TempoPoint(0, tempo_bpm)], [SignaturePoint(0, signature or Signature())])

    # -- beats <-> seconds ----------------------------------------------------------------------------

    def seconds_at(self, beats: Exact) -> Fraction:
        """Second at which a beat sounds.  [any]"""
        place = exact(beats)
        return self._segment_of_beats(place).seconds_at(place)

    def beats_at(self, seconds: Exact) -> Fraction:
        """Beat that sounds at a second; inverse of `seconds_at`.  [any]"""
        moment = exact(seconds)
        segment = self._segments[max(bisect_right(self._segment_seconds, moment) - 1, 0)]
        return segment.beats_at(moment)

    def tempo_at(self, beats: Exact) -> Fraction:
        """Quarter notes a minute at a beat; at a step, the new tempo.  [any]"""
        place = exact(beats)
        return self._segment_of_beats(place).tempo_at(place)

    def straight_at(self, beats: Exact) -> bool:
        """Whether the tempo is constant at a beat.  [any]"""
        return not self._segment_of_beats(exact(beats)).slope

    def next_tempo_change(self, beats: Exact) -> Fraction | None:
        """The first beat after `beats` on which another segment begins; None if there is none.  [any]"""
        index = bisect_right(self._segment_beats, exact(beats))
        index = max(index, 1)  # before the first point the tempo is that after it
        return self._segment_beats[index] if index < len(self._segment_beats) else None

    def tempo_since(self, beats: Exact) -> Fraction:
        """The beat on which the segment around `beats` begins; the map's first point for all beats before it.  [any]"""
        return self._segment_of_beats(exact(beats)).beats

    def _segment_of_beats(self, beats: Fraction) -> _Segment:
        return self._segments[max(bisect_right(self._segment_beats, beats) - 1, 0)]

    # -- bars -----------------------------------------------------------------------------------------

    def signature_at(self, beats: Exact) -> Signature:
        """Signature of the bar that owns a beat.  [any]"""
        return self.signatures[self._section(exact(beats))].signature

    def bar_start_beats(self, bar: int) -> Fraction:
        """Beat on which a bar begins; bars count from 0 and may be negative.  [any]"""
        section = max(bisect_right(self._bars, bar) - 1, 0)
        return self._origin(section) + bar_start_beats(bar, self.signatures[section].signature)

    def bar_at_beats(self, beats: Exact) -> int:
        """Bar that owns a beat.  [any]"""
        place = exact(beats)
        section = self._section(place)
        return bar_at_beats(place - self._origin(section), self.signatures[section].signature)

    def bar_origin_beats(self, beats: Exact) -> Fraction:
        """The beat on which bar 0 would begin if the signature at `beats` held from the start.  [any]"""
        return self._origin(self._section(exact(beats)))

    def next_signature_change(self, beats: Exact) -> Fraction | None:
        """The first beat after `beats` on which another signature begins; None if there is none.  [any]"""
        index = max(bisect_right(self._bar_beats, exact(beats)), 1)
        return self._bar_beats[index] if index < len(self._bar_beats) else None

    def _section(self, beats: Fraction) -> int:
        return max(bisect_right(self._bar_beats, beats) - 1, 0)

    def _origin(self, section: int) -> Fraction:
        point = self.signatures[section]
        return self._bar_beats[section] - bar_start_beats(point.bar, point.signature)

    def _starts(self) -> list[Fraction]:
        """The first beat of each signature; bar 0 begins on beat 0."""
        starts = [Fraction(0)]
        for point, following in zip(self.signatures, self.signatures[1:], strict=False):
            starts.append(starts[-1] + bar_start_beats(following.bar - point.bar, point.signature))
        section = max(bisect_right(self._bars, 0) - 1, 0)
        zero = self.signatures[section]
        shift = starts[section] - bar_start_beats(zero.bar, zero.signature)
        return [start - shift for start in starts]


def _segments(points: tuple[TempoPoint, ...]) -> list[_Segment]:
    """The segments of a map, with the first point at second 0; the tempo before it is constant."""
    if not points:
        raise ValueError("a tempo map needs a tempo, got none")
    segments: list[_Segment] = []
    seconds = Fraction(0)
    for index, point in enumerate(points):
        beats, tempo = exact(point.beats), exact(point.tempo_bpm)
        if not TEMPO_MIN_BPM <= tempo <= TEMPO_MAX_BPM:
            raise ValueError(f"tempo_bpm must be {TEMPO_MIN_BPM}..{TEMPO_MAX_BPM}, got {point.tempo_bpm}")
        if segments:
            if beats == segments[-1].beats:
                raise ValueError(f"one tempo a beat, got two at beat {point.beats}")
            seconds = segments[-1].seconds_at(beats)
        slope = _slope(point, points[index + 1]) if index + 1 < len(points) else Fraction(0)
        if point.ramp and index + 1 == len(points):
            raise ValueError(f"the ramp at beat {point.beats} has no tempo to go to")
        if not segments and slope:
            segments.append(_Segment(beats - 1, tempo, Fraction(0), -beats_to_seconds(1, tempo)))
        segments.append(_Segment(beats, tempo, slope, seconds))
    return segments


def _slope(point: TempoPoint, following: TempoPoint) -> Fraction:
    width = exact(following.beats) - exact(point.beats)
    if not point.ramp or not width:
        return Fraction(0)
    return (exact(following.tempo_bpm) - exact(point.tempo_bpm)) / width


def _shifted(segments: list[_Segment]) -> list[_Segment]:
    """The same segments, with beat 0 at second 0."""
    zero = segments[max(bisect_right([segment.beats for segment in segments], 0) - 1, 0)].seconds_at(Fraction(0))
    return [_Segment(segment.beats, segment.tempo_bpm, segment.slope, segment.seconds - zero) for segment in segments]
