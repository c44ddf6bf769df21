"""What a lane's music turns out to be while it is made: how far off the beat, which part of a style. All [generate]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.serve.lane.lane import Lane

if TYPE_CHECKING:
    from engine.model import HeardExcerpt

BEAT_SECONDS = 1.0  # between two tellings of how far off the beat is


class Findings:
    """One lane's; `tell` tells what is new since it was told last."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.excerpt_seconds: tuple[float, float] | None = None  # of the style region: where it begins, how long
        self.beat = (0.0, 0.0, 0.0)  # how far off made music is, in beats and ms, and how sure that is
        self._beat_seconds = 0.0
        self._new_excerpt = self._new_beat = False

    def note_excerpt(self, heard: HeardExcerpt | None, rate_hz: int) -> None:
        """A window listens to this part of the style region."""
        place = None if heard is None else (heard.start_samples / rate_hz, heard.count_samples / rate_hz)
        if place != self.excerpt_seconds:
            self.excerpt_seconds, self._new_excerpt = place, place is not None

    def note_beat(self, off_beats: float, off_ms: float, sure: float) -> None:
        """Made music is so far off the host's beat; looked at once a second at most."""
        now = self._lane.time.now_seconds()
        if now - self._beat_seconds >= BEAT_SECONDS:
            self._beat_seconds, self._new_beat, self.beat = now, True, (off_beats, off_ms, sure)

    def tell(self) -> None:
        """Tell the lane's events what is new."""
        if self._new_excerpt and self.excerpt_seconds is not None:
            self._lane.events.excerpt_chosen(self._lane, *self.excerpt_seconds)
        if self._new_beat:
            self._lane.events.beat_measured(self._lane, *self.beat)
        self._new_excerpt = self._new_beat = False
