"""What a source of time says, and how a source looks to the leader."""

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

    `signature` None: it did not say. `beats` None: it only has a tempo.
    """

    seconds: float
    playing: bool
    beats: float | None
    tempo_bpm: float
    signature: Signature | None = None

    def beats_at(self, seconds: float) -> float | None:
        """Its beat at another second, if it goes on like that.  [any]"""
        if self.beats is None or not self.playing:
            return self.beats
        return self.beats + (seconds - self.seconds) * self.tempo_bpm / SECONDS_PER_MINUTE


class Source(Protocol):
    """Something that knows the time. `name` is what people read."""

    name: str

    def reading(self, now_seconds: float) -> Reading | None:
        """Where it is; None while it says nothing, or nothing any more.  [main]"""
        ...

    def close(self) -> None:
        """Let go of ports and threads; twice is allowed.  [main]"""
        ...
