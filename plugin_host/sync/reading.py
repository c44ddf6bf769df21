"""Readings of time sources, and the sources' interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.errors import SegueError
from bridge.time.units import SECONDS_PER_MINUTE, Signature


class SourceError(SegueError):
    """A source of time cannot be used; the message says what to install or start."""

    code = "time_source"


@dataclass(frozen=True, slots=True)
class Reading:
    """At `seconds` of the monotonic clock the leader is at `beats` and plays or not, at `tempo_bpm`.

    `signature` None: unknown. `beats` None: it only has a tempo.
    """

    seconds: float
    playing: bool
    beats: float | None
    tempo_bpm: float
    signature: Signature | None = None

    def beats_at(self, seconds: float) -> float | None:
        """Its beat at another second, if nothing changes.  [any]"""
        if self.beats is None or not self.playing:
            return self.beats
        return self.beats + (seconds - self.seconds) * self.tempo_bpm / SECONDS_PER_MINUTE


class Source(Protocol):
    """A source of time. `name` is its name in messages."""

    name: str

    def reading(self, now_seconds: float) -> Reading | None:
        """Its reading; None while it is silent.  [main]"""
        ...

    def close(self) -> None:
        """Release ports and threads. May be called twice.  [main]"""
        ...
