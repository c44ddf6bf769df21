"""The host's musical time at its sample rate: a tempo map, a loop range, and the positions of playing on.

Beat 0 sounds at sample 0; positions before it are negative. `grid_at` returns a straight line: on a straight stretch
the exact `bridge.time.transport.Grid`, with the map's bar numbers; on a ramp the tangent at a sample, as a DAW reports
it to plugins once a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from bridge.time.tempo_map import TempoMap
from bridge.time.transport import Grid
from bridge.time.units import Exact, exact, nearest, positive, samples_to_seconds, seconds_to_samples


@dataclass(frozen=True, slots=True)
class CourseStretch:
    """`n_samples` of continuous host time from `position_samples` on; `passes` counts returns of the loop."""

    position_samples: int
    n_samples: int
    passes: int


@dataclass(frozen=True)
class Course:
    """A tempo map at a sample rate, with an optional loop range in beats.

    Positions are samples, rounded once from exact beats: no drift. ValueError for a rate not above 0 and for
    a loop that ends before it starts or lasts less than a sample.
    """

    tempo_map: TempoMap
    sample_rate_hz: int
    loop_beats: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        positive(self.sample_rate_hz, "sample_rate_hz")
        bounds = self.loop_samples
        if bounds is not None and not bounds[0] < bounds[1]:
            raise ValueError(f"a loop must end after it starts, got {self.loop_beats}")

    # -- beats, bars <-> samples ----------------------------------------------------------------------

    def sample_at(self, beats: Exact) -> int:
        """Sample on which a beat sounds.  [any]"""
        return nearest(seconds_to_samples(self.tempo_map.seconds_at(beats), self.sample_rate_hz))

    def beats_at(self, position_samples: int) -> Fraction:
        """Beat that sounds at a sample.  [any]"""
        return self.tempo_map.beats_at(samples_to_seconds(position_samples, self.sample_rate_hz))

    def bar_start(self, bar: int) -> int:
        """First sample of a bar.  [any]"""
        return self.sample_at(self.tempo_map.bar_start_beats(bar))

    def bar_at(self, position_samples: int) -> int:
        """Bar that owns a sample: bar_start(bar) <= position < bar_start(bar + 1).  [any]"""
        bar = self.tempo_map.bar_at_beats(self.beats_at(position_samples))
        if self.bar_start(bar + 1) <= position_samples:
            return bar + 1
        return bar if self.bar_start(bar) <= position_samples else bar - 1

    def next_bar(self, position_samples: int) -> int:
        """First bar whose first sample is at `position_samples` or after it.  [any]"""
        bar = self.bar_at(position_samples)
        return bar if self.bar_start(bar) == position_samples else bar + 1

    def grid_at(self, position_samples: int) -> Grid:
        """The straight line through a sample: valid until `grid_ends`, on a ramp it is the tangent.

        Exact, or within half a sample if the stretch begins between two samples. Two samples of one straight
        stretch get equal grids. Bars have the map's numbers.  [any]
        """
        place, tempi = self.beats_at(position_samples), self.tempo_map
        beats = self._settled(place, position_samples)
        anchor = position_samples
        if tempi.straight_at(beats):
            anchor = self.sample_at(tempi.tempo_since(beats))
            place = self.beats_at(anchor)
        return Grid(
            self.sample_rate_hz, float(tempi.tempo_at(beats)), tempi.signature_at(beats),
            anchor, float(place), float(tempi.bar_origin_beats(beats)),
        )  # fmt: skip

    def grid_ends(self, position_samples: int) -> int | None:
        """The first sample at which `grid_at` changes; None if it never does.

        On a ramp that is the next sample.  [any]
        """
        beats = self._settled(self.beats_at(position_samples), position_samples)
        if not self.tempo_map.straight_at(beats):
            return position_samples + 1
        ends = (self.tempo_map.next_tempo_change(beats), self.tempo_map.next_signature_change(beats))
        return min((self.sample_at(end) for end in ends if end is not None), default=None)

    def _settled(self, beats: Fraction, position_samples: int) -> Fraction:
        """`beats`, or the change after it that was rounded onto this sample."""
        ends = (self.tempo_map.next_tempo_change(beats), self.tempo_map.next_signature_change(beats))
        return max((end for end in ends if end is not None and self.sample_at(end) <= position_samples), default=beats)

    # -- playing on -----------------------------------------------------------------------------------

    @property
    def loop_samples(self) -> tuple[int, int] | None:
        """The first sample of the loop, and the first after it.  [any]"""
        if self.loop_beats is None:
            return None
        return self.sample_at(exact(self.loop_beats[0])), self.sample_at(exact(self.loop_beats[1]))

    def after(self, position_samples: int, n_samples: int) -> int:
        """The position after playing `n_samples`, through the loop if its end is reached from before.  [any]"""
        bounds = self.loop_samples
        position = position_samples + n_samples
        if bounds is None or position_samples >= bounds[1] or position < bounds[1]:
            return position
        return bounds[0] + (position - bounds[1]) % (bounds[1] - bounds[0])

    def stretches(self, position_samples: int, n_samples: int) -> Iterator[CourseStretch]:
        """The next `n_samples` of playing, split where the loop returns.  [any]"""
        bounds, passes = self.loop_samples, 0
        while n_samples > 0:
            inside = bounds is not None and position_samples < bounds[1]
            part = min(n_samples, bounds[1] - position_samples) if bounds and inside else n_samples
            yield CourseStretch(position_samples, part, passes)
            position_samples = self.after(position_samples, part)
            n_samples, passes = n_samples - part, passes + 1
