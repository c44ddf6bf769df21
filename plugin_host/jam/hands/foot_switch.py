"""A MIDI foot switch: messages of a port to presses, by the rule of `plugin_host.midi.contact`.

A program change is a press, a note is one when it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugin_host.jam.hands.switches import DEFAULT, Switch, Switches
from plugin_host.jam.state import Press
from plugin_host.midi.contact import Contact
from plugin_host.sync.midi_ports import open_messages

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
        self._contacts: dict[Switch, Contact] = {}

    def receive(self, message: Any, seconds: float) -> None:
        """A mido message that came at a monotonic second; all but those of the table are ignored.  [any]"""
        name = _NUMBERS.get(message.type)
        if name is None:
            return
        switch = Switch(message.type, getattr(message, name))
        meaning = self._switches.get(switch)
        if meaning is None:
            return
        contact = self._contacts.setdefault(switch, Contact(self._latching))
        if _is_press(contact, message) and contact.counts(seconds):
            self._press(Press(meaning.verb, meaning.bars, "midi", self._sample_at(seconds)))


def _is_press(contact: Contact, message: Any) -> bool:
    if message.type == "program_change":
        return True
    if message.type == "note_on":
        return bool(message.velocity > 0)
    return bool(contact.goes(message.value, DOWN))


def open_foot_switch(name: str, foot: FootSwitch) -> Callable[[], None]:
    """Receive from the MIDI port of this name, or of a part of it; "virtual:NAME" creates one for others to connect to.

    Returns a function that closes it. SourceError says which ports there are.  [main]
    """
    return open_messages(name, foot.receive)
