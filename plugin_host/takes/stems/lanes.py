"""The lanes of stems: their names, the words that ask for them, and the kind of sound that purity is measured for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.control.arguments import Argument
from bridge.errors import SegueError
from plugin_host.takes.errors import TakeError

LANES_MAX = 8
KINDS = ("drums", "bass", "other")  # of sound, as separators have them; "other": every other instrument with tones
WORDS = {
    "drums": "drums, beat",
    "bass": "electric bass, no drums",
    "keys": "piano, no drums",
    "guitar": "acoustic guitar, no drums",
    "strings": "strings, no drums",
    "winds": "flute, no drums",
    "lead": "synth lead, no drums",
    "pads": "warm pad, no drums",
}
NAMES = tuple(WORDS)
MIX = "mix"
_WORDS = Argument("words", "s", "", max_length=200)


@dataclass(frozen=True)
class Lane:
    """One lane: its name, which is also its file's, and the words that ask the model for it."""

    name: str
    words: str

    @property
    def kind(self) -> str:
        """The kind of sound that the stem should be, one of KINDS.  [any]"""
        return self.name if self.name in KINDS else "other"

    @property
    def tonal(self) -> bool:
        """Whether it has a harmony.  [any]"""
        return self.name != "drums"


def read_lanes(text: str) -> tuple[Lane, ...]:
    """Lanes from a text like "drums,bass,keys=electric piano"; TakeError says what is wrong and allowed.  [any]"""
    lanes: list[Lane] = []
    for part in text.split(","):
        name, equals, words = (each.strip() for each in part.partition("="))
        if name not in NAMES:
            raise TakeError(f"lanes: there is no {name[:32]!r}; there is {', '.join(NAMES)}")
        if name in [lane.name for lane in lanes]:
            raise TakeError(f"lanes: {name} is there twice; each lane is one stem")
        try:
            lanes.append(Lane(name, str(_WORDS.check(words)) if equals and words else WORDS[name]))
        except SegueError as fault:
            raise TakeError(f"lanes: {name}: {fault}") from None
    return tuple(lanes)


def lanes_text(lanes: Sequence[Lane]) -> str:
    """The text that `read_lanes` reads.  [any]"""
    return ",".join(lane.name if lane.words == WORDS[lane.name] else f"{lane.name}={lane.words}" for lane in lanes)
