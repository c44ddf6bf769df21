"""Which MIDI message means which verb: the built-in table, and the player's own lines.

    take_over=cc80  play_stop=note60  record:4=program5

The built-in table knows what foot controllers send as they come, on any channel:

    CC 64                  the sustain pedal of keyboards and of single switches
    CC 66, 67              sostenuto and soft: the other two of a unit with three pedals
    CC 80..87              "general purpose" switches: the first to the eighth switch of a foot controller
    program change 0..7    controllers that choose presets: the first to the eighth switch (many count from 1)
    notes 36..43           pads, the lowest one first
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from plugin_host.jam.state import VERBS, Verb

KINDS = {"cc": "control_change", "note": "note_on", "program": "program_change"}  # as written, and as mido names them
_LINE = re.compile(r"([a-z_]+)(?::(\d+))?=(cc|note|program)(\d+)")
BARS_MAX = 64


@dataclass(frozen=True)
class Switch:
    """A control of a MIDI device: mido's message type, and the number of the control, note or program."""

    kind: str
    number: int


@dataclass(frozen=True)
class Meaning:
    """What it asks for; `bars` is for `record`."""

    verb: Verb
    bars: int | None = None


Switches = Mapping[Switch, Meaning]
_ROWS = (("cc", 80), ("program", 0), ("note", 36))  # eight each, in the order of VERBS
DEFAULT: Switches = {
    **{
        Switch(KINDS[kind], first + place): Meaning(verb)
        for kind, first in _ROWS
        for place, verb in enumerate(VERBS)
    },
    Switch(KINDS["cc"], 64): Meaning("play_stop"),
    Switch(KINDS["cc"], 66): Meaning("take_over"),
    Switch(KINDS["cc"], 67): Meaning("cancel"),
}  # fmt: skip


def parse_switches(text: str) -> Switches:
    """A table of lines like `take_over=cc80`, separated by commas or spaces; "" is the built-in one.

    ValueError says what was given and what is allowed.  [main]
    """
    words = text.replace(",", " ").split()
    return dict(map(_parsed, words)) if words else DEFAULT


def _parsed(word: str) -> tuple[Switch, Meaning]:
    found = _LINE.fullmatch(word.lower())
    if not found or found[1] not in VERBS or int(found[4]) > 127:
        raise ValueError(
            f"a switch is VERB=cc64, VERB=note60 or VERB=program0 with a number up to 127, got {word!r}; "
            f"verbs are {', '.join(VERBS)}"
        )
    bars = int(found[2]) if found[2] else None
    if bars is not None and (found[1] != "record" or not 1 <= bars <= BARS_MAX):
        raise ValueError(f"only record takes a number of bars, 1 to {BARS_MAX}, as record:4=cc80; got {word!r}")
    verb = next(each for each in VERBS if each == found[1])
    return Switch(KINDS[found[3]], int(found[4])), Meaning(verb, bars)
