"""The host's timeline: a grid (samples <-> beats <-> bars) and a snapshot of the host's transport.

A position is a number of host samples. The grid converts it to a beat, from an anchor that stays fixed as long as the
tempo does, so that errors do not add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from bridge.time.units import (
    Exact,
    Signature,
    bar_at_beats,
    bar_start_beats,
    beats_to_samples,
    exact,
    nearest,
    positive,
    samples_to_beats,
)

COMMON_TIME = Signature(4, 4)


@dataclass(frozen=True, slots=True)
class Grid:
    """A straight line between samples and beats: `anchor_beats` sounds at sample `anchor_samples`.

    `bar_origin_beats` is a beat on which a bar begins, 0 unless the signature changed before; it is bar 0 for
    the functions here. Floats stand for their shortest decimal, so that both sides of the wire agree to the
    sample. ValueError for a tempo or rate that is not above 0.
    """

    sample_rate_hz: int
    tempo_bpm: float = 120.0
    signature: Signature = COMMON_TIME
    anchor_samples: int = 0
    anchor_beats: float = 0.0
    bar_origin_beats: float = 0.0

    def __post_init__(self) -> None:
        positive(self.tempo_bpm, "tempo_bpm")
        positive(self.sample_rate_hz, "sample_rate_hz")
        exact(self.anchor_beats)
        exact(self.bar_origin_beats)

    def beats_at(self, position_samples: int) -> Fraction:
        """Beat that sounds at a sample, exactly.  [any]"""
        passed = position_samples - self.anchor_samples
        return exact(self.anchor_beats) + samples_to_beats(passed, self.tempo_bpm, self.sample_rate_hz)

    def sample_at(self, beats: Exact) -> int:
        """Sample on which a beat sounds, rounded once.  [any]"""
        passed = exact(beats) - exact(self.anchor_beats)
        return self.anchor_samples + nearest(beats_to_samples(passed, self.tempo_bpm, self.sample_rate_hz))

    def bar_start(self, bar: int) -> int:
        """First sample of a bar.  [any]"""
        return self.sample_at(self.bar_start_beats(bar))

    def bar_start_beats(self, bar: int) -> Fraction:
        """Beat on which a bar begins.  [any]"""
        return exact(self.bar_origin_beats) + bar_start_beats(bar, self.signature)

    def bar_at(self, position_samples: int) -> int:
        """Bar that owns a sample: bar_start(bar) <= position < bar_start(bar + 1).  [any]"""
        beats = self.beats_at(position_samples) - exact(self.bar_origin_beats)
        bar = bar_at_beats(beats, self.signature)
        return bar + 1 if self.bar_start(bar + 1) <= position_samples else bar

    def next_bar(self, position_samples: int) -> int:
        """First bar whose first sample is at `position_samples` or after it.  [any]"""
        bar = self.bar_at(position_samples)
        return bar if self.bar_start(bar) == position_samples else bar + 1

    def next_beat_start(self, position_samples: int) -> int:
        """The first sample, at `position_samples` or after it, on which a whole beat sounds.  [any]"""
        beat = math.floor(self.beats_at(position_samples))
        start = self.sample_at(beat)
        return start if start >= position_samples else self.sample_at(beat + 1)

    def retuned(self, position_samples: int, tempo_bpm: float) -> Grid:
        """The grid with another tempo from a sample on, where the beat stays the same.  [any]"""
        beats = float(self.beats_at(position_samples))
        return replace(self, tempo_bpm=tempo_bpm, anchor_samples=position_samples, anchor_beats=beats)

    def resigned(self, position_samples: int, signature: Signature) -> Grid:
        """The grid with another signature; a new bar begins at that sample.  [any]"""
        return replace(self, signature=signature, bar_origin_beats=float(self.beats_at(position_samples)))

    def moved(self, position_samples: int, beats: float) -> Grid:
        """The grid with the same tempo and `beats` at that sample: for hosts that report both.  [any]"""
        return replace(self, anchor_samples=position_samples, anchor_beats=float(beats))


@dataclass(frozen=True, slots=True)
class Transport:
    """A snapshot of the host, valid for the block whose first sample is `position_samples`.

    `loop_beats` is (start, end) if the host loops, else None. `seek_id` numbers the stretches of host time
    between jumps: the host's processor adds one at each jump and each loop pass, which distinguishes the same
    position in two passes. It is 0 if nothing counts.
    """

    playing: bool
    position_samples: int
    grid: Grid
    loop_beats: tuple[float, float] | None = None
    seek_id: int = 0

    def __post_init__(self) -> None:
        if self.loop_beats is not None and not self.loop_beats[0] < self.loop_beats[1]:
            raise ValueError(f"a loop must end after it starts, got {self.loop_beats}")

    @property
    def position_beats(self) -> float:
        """Beat of the first sample of the block.  [any]"""
        return float(self.grid.beats_at(self.position_samples))

    @property
    def tempo_bpm(self) -> float:
        """Quarter notes a minute.  [any]"""
        return self.grid.tempo_bpm

    @property
    def signature(self) -> Signature:
        """Time signature of the present bar.  [any]"""
        return self.grid.signature

    @property
    def sample_rate_hz(self) -> int:
        """The host's sample rate.  [any]"""
        return self.grid.sample_rate_hz

    def advanced(self, n_samples: int) -> Transport:
        """The snapshot `n_samples` later on the same stretch; unchanged if the host is stopped.  [any]"""
        return replace(self, position_samples=self.position_samples + n_samples) if self.playing else self
