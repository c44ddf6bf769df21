"""Predicts a host's tempo: a DAW sends its plugins only the tempo of each block, the tangent of its curve.

sent      .  .  . ' ' ' " "      tempo over beats: no change is straight, three changes in one direction
predicted              " ^ '     within a moment are a ramp, and one change is a step
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from bridge.time.transport import Grid, Transport
from bridge.time.units import samples_to_seconds
from engine.serve.timeline.samples import HostSample
from engine.serve.timeline.tempo_curve import TempoCurve

LOOK_BACK_SECONDS = 0.6  # tempo changes closer together are one movement
CHANGES = 3  # changes in one direction that make a ramp
MOST_UNEVEN = 3.0  # a change steeper than the whole by this factor is a step, not part of a ramp
STILL_SECONDS = 0.12  # without a change, then a ramp is over


@dataclass(frozen=True, slots=True)
class _Seen:
    """A new tempo, and where it was seen."""

    seconds: float
    beats: float
    tempo_bpm: float


class TempoPredictor:
    """Reads one host's snapshots in order; all [generate]."""

    def __init__(self) -> None:
        self._changes: deque[_Seen] = deque(maxlen=64)
        self._newest: tuple[Transport, TempoCurve] | None = None
        self._changed_seconds = 0.0

    @property
    def straight(self) -> bool:
        """Whether the tempo stood at the last snapshot."""
        return self._newest is None or len(self._newest[1].segments) == 1

    def curve(self, transport: Transport) -> TempoCurve:
        """The host's predicted tempo curve; the same object while nothing changes."""
        if self._newest is not None and self._newest[0] is transport:
            return self._newest[1]
        slope = self._slope(transport)
        curve = (
            TempoCurve.ramp(transport.grid, HostSample(transport.position_samples), slope)
            if slope
            else self._straight(transport.grid)
        )
        self._newest = transport, curve
        return curve

    def _straight(self, grid: Grid) -> TempoCurve:
        known = self._newest
        if known is not None and len(known[1].segments) == 1 and known[1].segments[0].grid == grid:
            return known[1]
        return TempoCurve.straight(grid)

    def _slope(self, transport: Transport) -> float:
        """Change of tempo in bpm per beat; 0 if it stands or steps."""
        before = self._newest[0] if self._newest is not None else None
        seconds = float(samples_to_seconds(transport.position_samples, transport.sample_rate_hz))
        here = _Seen(seconds, transport.position_beats, transport.tempo_bpm)
        if before is None or before.seek_id != transport.seek_id or not transport.playing:
            self._changes.clear()
            self._changes.append(here)
            return 0.0
        if here.tempo_bpm != before.tempo_bpm:
            if seconds - self._changed_seconds > LOOK_BACK_SECONDS:  # it stood until the snapshot before this one
                self._changes.clear()
                at = float(samples_to_seconds(before.position_samples, before.sample_rate_hz))
                self._changes.append(_Seen(at, before.position_beats, before.tempo_bpm))
            self._changes.append(here)
            self._changed_seconds = seconds
        while len(self._changes) > 1 and seconds - self._changes[1].seconds > LOOK_BACK_SECONDS:
            self._changes.popleft()
        return self._steady_slope() if seconds - self._changed_seconds <= self._patience() else 0.0

    def _patience(self) -> float:
        """How long after its last change a ramp still counts: longer if the host changes in wide steps."""
        seen = self._changes
        gap = (seen[-1].seconds - seen[0].seconds) / max(1, len(seen) - 1)
        return max(STILL_SECONDS, 1.5 * gap)

    def _steady_slope(self) -> float:
        seen = list(self._changes)
        slopes = [
            (late.tempo_bpm - early.tempo_bpm) / (late.beats - early.beats)
            for early, late in pairwise(seen)
            if late.beats > early.beats
        ]
        if len(slopes) < CHANGES or (min(slopes) < 0 < max(slopes)):
            return 0.0
        whole = (seen[-1].tempo_bpm - seen[0].tempo_bpm) / (seen[-1].beats - seen[0].beats)
        newest = slopes[-2:]
        if max(map(abs, slopes)) > MOST_UNEVEN * abs(whole):
            return 0.0
        return sum(newest) / len(newest) if _alike(newest) else whole


def _alike(slopes: list[float]) -> bool:
    return max(map(abs, slopes)) <= 1.2 * min(map(abs, slopes))
