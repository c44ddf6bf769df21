"""The controls of a MIDI device, as a map names them.

    cc 21           a knob, fader, pedal or button            0 to 127
    cc14 7          a pair of two, number and number + 32     0 to 16383
    nrpn 300        by CC 99, 98, 6 and 38                    0 to 16383
    note 36         a pad or key, by its velocity             0 to 127
    program 3       a switch that chooses this program; `program` alone: the program's number
    bend            the pitch wheel, or a fader as Mackie's   0 to 16383
    aftertouch      of all keys                               0 to 127
    keytouch 36     of one key                                0 to 127

`ch 2` before it: only on that channel, 1 to 16.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plugin_host.midi.errors import MidiMapError

SEVEN, FOURTEEN = 127, 16_383  # highest values
HIGHEST = {  # highest value of each kind, and of its number; -1: it has none
    "cc": (SEVEN, 119), "cc14": (FOURTEEN, 31), "nrpn": (FOURTEEN, FOURTEEN), "note": (SEVEN, 127),
    "program": (SEVEN, 127), "bend": (FOURTEEN, -1), "aftertouch": (SEVEN, -1), "keytouch": (SEVEN, 127),
}  # fmt: skip
SWITCHES = ("note", "program")  # pressed, not turned
_FORM = re.compile(r"(?:ch\s*(\d{1,2})\s+)?([a-z]+(?:14)?)\s*(\d{1,5})?")
HELP = (
    "'cc 21', 'cc14 7', 'nrpn 300', 'note 36', 'program 3', 'bend', 'aftertouch' or 'keytouch 36', with 'ch 2' before"
)


@dataclass(frozen=True)
class Control:
    """One control; `number` -1: the kind has none, or any; `channel` 0 to 15, None: any."""

    kind: str
    number: int = -1
    channel: int | None = None

    @property
    def highest(self) -> int:
        """Its highest value.  [any]"""
        return HIGHEST[self.kind][0]

    @property
    def any_channel(self) -> Control:
        """The same control on any channel.  [any]"""
        return Control(self.kind, self.number)

    @property
    def name(self) -> str:
        """As a map names it.  [any]"""
        words = [] if self.channel is None else [f"ch {self.channel + 1}"]
        return " ".join([*words, self.kind, *([] if self.number < 0 else [str(self.number)])])


def parse_control(text: str) -> Control:
    """The control that a text names; MidiMapError says what is allowed.  [any]"""
    found = _FORM.fullmatch(text.strip().lower())
    kind = found[2] if found else ""
    if not found or kind not in HIGHEST:
        raise MidiMapError(f"a control is {HELP}; got {text!r}")
    channel, number, most = found[1], found[3], HIGHEST[kind][1]
    if channel is not None and not 1 <= int(channel) <= 16:
        raise MidiMapError(f"{text!r}: channels are 1 to 16")
    if most < 0 and number is not None:
        raise MidiMapError(f"{text!r}: {kind} has no number")
    if number is None and most >= 0 and kind != "program":
        raise MidiMapError(f"{text!r}: {kind} needs a number, 0 to {most}")
    if number is not None and int(number) > most:
        raise MidiMapError(f"{text!r}: {kind} has numbers 0 to {most}")
    return Control(kind, -1 if number is None else int(number), None if channel is None else int(channel) - 1)
