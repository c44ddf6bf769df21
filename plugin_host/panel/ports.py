"""Programs with a port of their own, `segue watch`, `jam` and `midi`: one socket for each, which gets their events."""

from __future__ import annotations

import itertools
import random
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from bridge.control import jam_rows, messages, midi_rows
from bridge.control.arguments import Message, Value
from bridge.control.packet import Packet, parse
from bridge.control.take_rows import STEMS_PROGRESS
from bridge.errors import NoAnswer, SegueError, from_wire
from plugin_host.panel.table import numbered

ANSWER_SECONDS = 2.0
OnEvent = Callable[[Message, Mapping[str, Value]], None]
_OKS = (messages.OK.address, jam_rows.JAM_OK.address, midi_rows.MIDI_OK.address)
_ERRORS = (messages.ERROR.address, jam_rows.JAM_ERROR.address, midi_rows.MIDI_ERROR.address)
_TOLD = (row for row in midi_rows.MIDI_ANSWERS if row.address not in (*_OKS, *_ERRORS))
_EVENTS = {row.address: row for row in (STEMS_PROGRESS, jam_rows.JAM_STATE, jam_rows.JAM_PRESS, *_TOLD)}


class ProgramPort:
    """Asks a program at a port of this machine, each request once: an order or a press that comes twice is two."""

    def __init__(self, port: int, name: str, on_event: OnEvent) -> None:
        self.port, self._name, self._on_event = port, name, on_event
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._ids = itertools.count(random.randrange(1, 2**23))
        self._asking = threading.Lock()
        self._answer: Packet | None = None
        self._wanted = (-1, "")
        self._came = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"segue-{name}-port", daemon=True)
        self._thread.start()

    def ask(self, row: Message, values: Mapping[str, Any], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """The values of a request's answer, by name; NoAnswer, or the program's error.  [any]"""
        with self._asking:
            id = next(self._ids) % 2**24
            own = row.arguments[1:] if numbered(row) else row.arguments
            given = [values.get(each.name, each.default) for each in own]
            datagram = row.pack(*([id, *given] if numbered(row) else given))
            self._came.clear()
            self._answer, self._wanted = None, (id if numbered(row) else -1, row.address)
            with suppress(OSError):
                self._socket.sendto(datagram, ("127.0.0.1", self.port))
                if self._came.wait(seconds):
                    return self._read(row, id)
        raise NoAnswer(f"segue {self._name} does not answer at port {self.port}; start it")

    def _read(self, row: Message, id: int) -> dict[str, Any]:
        answer = self._answer
        if answer is None:
            raise NoAnswer(f"segue {self._name} is being closed")
        skip = 1 if answer.address == messages.OK.address else 0
        if answer.address in _ERRORS:
            code, text = answer.values[-2:]
            raise from_wire(str(code), str(text))
        said = dict(zip((column.name for column in row.reply), answer.values[1 + skip :], strict=False))
        return {**said, "id": id} if numbered(row) else said

    def close(self) -> None:
        """Stop receiving.  [main]"""
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                packets = parse(self._socket.recv(65535))
            except (TimeoutError, ConnectionError, SegueError):
                continue
            except OSError:
                return
            for packet in packets:
                with suppress(SegueError):
                    self._take(packet)

    def _take(self, packet: Packet) -> None:
        row = _EVENTS.get(packet.address)
        if row is not None:
            self._on_event(row, row.check(packet.values))
            return
        if packet.address not in (*_OKS, *_ERRORS) or not packet.values:
            return
        of_engine = packet.address in (messages.OK.address, messages.ERROR.address)
        head = packet.values[:2] if of_engine else (-1, packet.values[0])
        if tuple(head) == self._wanted:
            self._answer, self._wanted = packet, (-1, "")
            self._came.set()
