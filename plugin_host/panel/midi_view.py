"""The MIDI map of `segue midi`, or of a host or jam with one, as states of the panel: its rows, and what is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.control.arguments import Message
from bridge.control.midi_rows import (
    MIDI_DEVICE,
    MIDI_LEARNED,
    MIDI_LEARNING,
    MIDI_LISTEN,
    MIDI_MAP,
    MIDI_MAPPED,
    MIDI_MOVED,
    MIDI_SAID,
)
from bridge.errors import NoAnswer, SegueError
from plugin_host.panel.ports import ProgramPort
from plugin_host.panel.state import PanelState

MIDI, LEARNING, MAPPED = "midi", "learning", "mapped"
EVENTS = {MIDI_LEARNED: "midi/learned", MIDI_MOVED: "midi/moved", MIDI_DEVICE: "midi/device", MIDI_SAID: "midi/said"}


class MidiView:
    """Asks the map's port for its rows, and keeps listening to it.  [any]"""

    def __init__(self, port: ProgramPort, state: PanelState) -> None:
        self._port, self._state = port, state
        self._rows: list[Mapping[str, Any]] = []

    def on_event(self, row: Message, values: Mapping[str, Any]) -> None:
        """A message of the map, on its port's thread."""
        if row is MIDI_MAPPED:
            self._rows.append(values)
        elif row is MIDI_LEARNING:
            self._state.put(LEARNING, {"to": values["to"] if values["on"] else ""})
        elif row in EVENTS:
            self._state.tell(EVENTS[row], values)

    def look(self, seconds: float) -> None:
        """Ask once; the rows of the map come before the answer."""
        try:
            self._port.ask(MIDI_LISTEN, {}, seconds)
            self._rows = []
            self._port.ask(MIDI_MAP, {}, seconds)
        except NoAnswer:
            self._state.drop("", MIDI, LEARNING)
            self._show([])
            return
        except SegueError:
            return
        self._state.put(MIDI, {"there": 1})
        self._show(self._rows)

    def _show(self, rows: list[Mapping[str, Any]]) -> None:
        for about in set(self._state.about(MAPPED)) - {row["midi"] for row in rows}:
            self._state.drop(about, MAPPED)
        for row in rows:
            self._state.put(MAPPED, row, row["midi"])
