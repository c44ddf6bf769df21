"""Measurements of a lane's music while it is made: its distance from the beat, the style excerpt. All [generate]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.serve.lane.lane import Lane

if TYPE_CHECKING:
    from engine.model import ExcerptRange

BEAT_SECONDS = 1.0  # between two beat events


class Findings:
    """One lane's findings; `send_new` sends events for those that are new."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.excerpt_seconds: tuple[float, float] | None = None  # of the style region: start, length
        self.beat = (0.0, 0.0, 0.0)  # how far made music is off the beat, in beats and ms; confidence
        self._beat_seconds = 0.0
        self._new_excerpt = self._new_beat = False

    def note_excerpt(self, excerpt: ExcerptRange | None, rate_hz: int) -> None:
        """Record the excerpt of the style region that a window is conditioned on."""
        place = None if excerpt is None else (excerpt.start_samples / rate_hz, excerpt.count_samples / rate_hz)
        if place != self.excerpt_seconds:
            self.excerpt_seconds, self._new_excerpt = place, place is not None

    def note_beat(self, off_beats: float, off_ms: float, sure: float) -> None:
        """Record how far made music is off the host's beat, at most once a second."""
        now = self._lane.time.now_seconds()
        if now - self._beat_seconds >= BEAT_SECONDS:
            self._beat_seconds, self._new_beat, self.beat = now, True, (off_beats, off_ms, sure)

    def send_new(self) -> None:
        """Send the lane's events for what is new."""
        if self._new_excerpt and self.excerpt_seconds is not None:
            self._lane.events.excerpt_chosen(self._lane, *self.excerpt_seconds)
        if self._new_beat:
            self._lane.events.beat_measured(self._lane, *self.beat)
        self._new_excerpt = self._new_beat = False
