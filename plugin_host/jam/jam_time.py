"""Where a jam is: session samples, host positions, beats; and the lines that say so."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.jam.deck import JamDeck
from plugin_host.jam.orders import Stretch


class Recorder(Protocol):
    """Takes what the player and Segue played at the same samples, and lines of the journal."""

    def add(self, sample: int, captured: Audio, played: Audio) -> None:
        """The blocks of both from a session sample on.  [audio]"""
        ...

    def note(self, kind: str, sample: int, beat: float, **values: Any) -> None:
        """A line of the journal.  [any]"""
        ...


class JamTime:
    """The timeline of a jam in session samples; `shift` is a session sample minus its host position, once it runs."""

    def __init__(self, deck: JamDeck) -> None:
        self._deck = deck
        self.shift: int | None = None

    @property
    def begun(self) -> bool:
        """Whether the timeline runs, or ran.  [any]"""
        return self.shift is not None

    @property
    def rate_hz(self) -> int:
        """The session's sample rate.  [any]"""
        return self._deck.processor.sample_rate_hz

    @property
    def grid(self) -> Grid:
        """The timeline's grid, now.  [any]"""
        return self._deck.timeline.now.grid

    @property
    def per_bar(self) -> Fraction:
        """Beats in a bar.  [any]"""
        return self.grid.signature.beats_per_bar

    @property
    def beats(self) -> Fraction:
        """The beat that is rendered next; negative in the count-in.  [any]"""
        return self.beats_of(self._deck.sample)

    def beats_of(self, sample: int) -> Fraction:
        """The beat of a session sample; in the count-in negative.  [any]"""
        begins = self._deck.starts_at if self.shift is None else self.shift
        return self.grid.beats_at(sample - begins)

    def sample_of(self, beats: Fraction) -> int:
        """The session sample of a beat.  [any]"""
        return self.grid.sample_at(beats) + (self.shift or 0)

    def sample_at(self, seconds: float) -> int:
        """The session sample that is rendered at a second of the monotonic clock.  [any]"""
        stamp = self._deck.timeline.stamp
        return stamp.rendered_samples + round((seconds - stamp.seconds) * self.rate_hz)


class Notes:
    """The lines of a jam: the last one for the player, and the journal."""

    def __init__(self, recorder: Recorder, time: JamTime) -> None:
        self._recorder, self._time = recorder, time
        self.message = ""

    def tell(self, text: str, beats: Fraction) -> None:
        """A line for the player.  [main]"""
        self.message = text
        self.note("said", beats, text=text)

    def note(self, kind: str, beats: Fraction, **values: Any) -> None:
        """A line of the journal at a beat.  [main]"""
        self._recorder.note(kind, self._time.sample_of(beats), round(float(beats), 4), **values)


def beats_of(stretch: Stretch) -> list[float]:
    """A stretch for the journal.  [any]"""
    return [float(stretch.begin), float(stretch.end)]
