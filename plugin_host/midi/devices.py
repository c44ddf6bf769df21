"""A MIDI device that may go and come back: its ports are looked for once a second, by a part of their name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from plugin_host.sync.jack_midi import JackMidi
from plugin_host.sync.midi_ports import VIRTUAL, named, opened, watched_backend
from plugin_host.sync.reading import SourceError

LOOK_SECONDS = 1.0


class MidiDevice:
    """The input of this name, and its output for lights if it has one; "virtual:NAME" creates both.

    `receive` gets mido messages with their second, on the MIDI thread; `told` gets the port's name and whether it is
    here. SourceError if there is no such input at the start.
    """

    def __init__(
        self,
        name: str,
        receive: Callable[[Any, float], None],
        told: Callable[[str, bool], None],
        out_name: str = "",
    ) -> None:
        self._name, self._out_name = name, out_name or name
        self._lights_wanted = bool(out_name)
        self._receive, self._told = receive, told
        self._midi = watched_backend()
        self._lock = threading.Lock()  # of the output
        self._input: tuple[str, Any] | None = None
        self._output: tuple[str, Any] | None = None
        self._looked_at = time.monotonic()
        try:
            self._input = self._open_input()
            self._output = self._open_output(self._lights_wanted)
        except SourceError:
            self.close()
            raise

    def look(self, seconds: float) -> None:
        """Look whether it has gone or is back, once a second.  [main: one thread]"""
        if seconds - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = seconds
        with suppress(SourceError):
            if not self._out_name.startswith(VIRTUAL):
                self._look_for_output()
            if not self._name.startswith(VIRTUAL):
                self._look_for_input()

    def _look_for_input(self) -> None:
        names = list(self._midi.get_input_names())
        if self._input is not None and self._input[0] not in names:
            gone, self._input = self._input, None
            _close(gone[1])
            self._told(gone[0], False)
        if self._input is None and named(names, self._name):
            self._input = self._open_input()
            self._told(self._input[0], True)

    def _look_for_output(self) -> None:
        names = list(self._midi.get_output_names())
        if self._output is not None and self._output[0] not in names:
            with self._lock:
                gone, self._output = self._output, None
            _close(gone[1])
        if self._output is None and named(names, self._out_name):
            opened = self._open_output(True)
            with self._lock:
                self._output = opened

    def send(self, messages: list[Any]) -> None:
        """Send to the output, if it is here.  [any]"""
        with self._lock:
            if self._output is not None:
                for message in messages:
                    with suppress(Exception):  # rtmidi's own errors: it has just gone
                        self._output[1].send(message)

    @property
    def has_lights(self) -> bool:
        """Whether something can be sent to it.  [any]"""
        return self._output is not None

    def close(self) -> None:
        """Close both. May be called twice.  [main]"""
        with self._lock:
            ports, self._input, self._output = (self._input, self._output), None, None
        for port in ports:
            if port is not None:
                _close(port[1])
        if isinstance(self._midi, JackMidi):
            self._midi.close()

    def _open_input(self) -> tuple[str, Any]:
        def received(message: Any, at_seconds: float | None = None) -> None:
            self._receive(message, time.monotonic() if at_seconds is None else at_seconds)

        return opened(self._midi.open_input, self._midi.get_input_names, self._name, callback=received)

    def _open_output(self, must: bool) -> tuple[str, Any] | None:
        there = self._out_name.startswith(VIRTUAL) or named(self._midi.get_output_names(), self._out_name)
        if not must and not there:
            return None
        return opened(self._midi.open_output, self._midi.get_output_names, self._out_name)


def _close(port: Any) -> None:
    with suppress(Exception):  # rtmidi's own errors, of a device that has gone
        port.close()
