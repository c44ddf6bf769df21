"""A MIDI foot switch: messages of a port to presses.

    momentary   127 (pressed)  0 (released)  127  0     a press at each value from 64 on
    latching    127 (pressed)  0 (pressed)   127  0     a press at each change

A program change is a press, a note is one when it begins. A continuous pedal presses once on its way up. The same
message within 30 ms came from a contact that bounces, or over a second cable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugin_host.jam.hands.switches import DEFAULT, Switch, Switches
from plugin_host.jam.state import Press
from plugin_host.sync.midi_ports import open_messages

BOUNCE_SECONDS = 0.03
DOWN = 64  # values of a control from here on are "on", as MIDI says
_NUMBERS = {"control_change": "control", "note_on": "note", "program_change": "program"}


class FootSwitch:
    """Calls `press` on the MIDI thread. `sample_at` gives the session sample of a monotonic second, None if unknown."""

    def __init__(
        self,
        press: Callable[[Press], None],
        sample_at: Callable[[float], int | None] = lambda seconds: None,
        switches: Switches = DEFAULT,
        latching: bool = False,
    ) -> None:
        self._press, self._sample_at = press, sample_at
        self._switches, self._latching = switches, latching
        self._values: dict[Switch, int] = {}
        self._pressed_at: dict[Switch, float] = {}

    def receive(self, message: Any, seconds: float) -> None:
        """A mido message that came at a monotonic second; all but those of the table are ignored.  [any]"""
        name = _NUMBERS.get(message.type)
        if name is None:
            return
        switch = Switch(message.type, getattr(message, name))
        meaning = self._switches.get(switch)
        if meaning is None or not self._is_press(switch, message):
            return
        before = self._pressed_at.get(switch)
        if before is not None and seconds - before < BOUNCE_SECONDS:
            return
        self._pressed_at[switch] = seconds
        self._press(Press(meaning.verb, meaning.bars, "midi", self._sample_at(seconds)))

    def _is_press(self, switch: Switch, message: Any) -> bool:
        if message.type == "program_change":
            return True
        if message.type == "note_on":
            return bool(message.velocity > 0)
        value, before = message.value, self._values.get(switch)
        self._values[switch] = value
        if self._latching and before is not None:
            return (value >= DOWN) != (before >= DOWN)
        return value >= DOWN and (before is None or before < DOWN or value == before)


def open_foot_switch(name: str, foot: FootSwitch) -> Callable[[], None]:
    """Receive from the MIDI port of this name, or of a part of it; "virtual:NAME" creates one for others to connect to.

    Returns a function that closes it. SourceError says which ports there are.  [main]
    """
    return open_messages(name, foot.receive)
