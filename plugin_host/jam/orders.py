"""Orders of a plan for a coming bar, to the engine, the deck and the input: values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Stretch:
    """A stretch of the timeline, in beats."""

    begin: Fraction
    end: Fraction


@dataclass(frozen=True)
class Answer:
    """Segue plays from `bar` on for `bars` (0: until it is stopped), going on from `heard`, which both played."""

    bar: int
    bars: int
    heard: Stretch


@dataclass(frozen=True)
class Accompany:
    """Segue plays from `bar` on until it is stopped, beside the player; `heard` is its melody or style."""

    bar: int
    heard: Stretch


@dataclass(frozen=True)
class Relisten:
    """From `bar` on the playing music follows `heard`, looped in time."""

    bar: int
    heard: Stretch


@dataclass(frozen=True)
class Vary:
    """From `bar` on Segue varies a loop: its stretch is the melody, and what is gone on from."""

    bar: int
    loop: Stretch
    own: bool  # the loop is Segue's own music, not the player's


@dataclass(frozen=True)
class Stop:
    """Segue's music ends with the bar line of `bar`."""

    bar: int


@dataclass(frozen=True)
class Repeat:
    """From `bar` on music is repeated for `bars`, with 0 until `Release`; `own`: Segue's, else the player's."""

    bar: int
    bars: int
    music: Stretch
    own: bool = True


@dataclass(frozen=True)
class Release:
    """A repeat ends with the bar line of `bar`."""

    bar: int


Order = Answer | Accompany | Relisten | Vary | Stop | Repeat | Release
