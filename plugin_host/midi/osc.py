"""The map's own UDP port on this machine: learning, the rows of the map, and events for those who listen.

The same thread does what is due a hundred times a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bridge.control.answering_port import AnsweringPort, Source
from bridge.control.arguments import Message, Value
from bridge.control.clients import PORT_MIN
from bridge.control.midi_rows import MIDI_ERROR, MIDI_LISTEN, MIDI_OK, MIDI_REQUESTS
from bridge.control.packet import Packet
from bridge.errors import Busy, OutOfRange, SegueError, UnknownAddress

WAIT_SECONDS = 0.01
LISTENERS_MAX = 16
TEXT_MAX = 900
_ROWS = {row.address: row for row in MIDI_REQUESTS}


class MidiPort(AnsweringPort):
    """Passes each request to `handle` and answers it, on a thread of its own; also a context manager. PortInUse.

    `handle` gets the row and its values, and returns the values of the answer or raises a SegueError; `turn` is called
    a hundred times a second. Port 0 takes a free one, see `port`.
    """

    def __init__(
        self,
        port: int,
        handle: Callable[[Message, Mapping[str, Value]], Sequence[object]],
        turn: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(port, "segue-midi-osc", WAIT_SECONDS)
        self._handle, self._due = handle, turn
        self._listeners: dict[Source, None] = {}
        self._asker: Source | None = None

    def tell(self, row: Message, *values: object) -> None:
        """Send an event to those who listen.  [any]"""
        if self._listeners:
            datagram = row.pack(*values)
            for source in list(self._listeners):
                self._send(datagram, source)

    def reply(self, row: Message, *values: object) -> None:
        """Send an event to the one whose request is being handled, before its answer.  [any: inside `handle`]"""
        if self._asker is not None:
            self._send(row.pack(*values), self._asker)

    def _turn(self) -> None:
        self._due()

    def _refuse(self, address: str, number: int, fault: SegueError, source: Source) -> None:
        self._send(MIDI_ERROR.pack(address, fault.code, str(fault)[:TEXT_MAX]), source)

    def _take(self, packet: Packet, source: Source) -> None:
        row = _ROWS.get(packet.address)
        try:
            if row is None:
                raise UnknownAddress(f"the MIDI map has no {packet.address[:80]!r}; it has {', '.join(_ROWS)}")
            values = row.check(packet.values)
            if row is MIDI_LISTEN:
                self._listen(source, int(str(values["port"])), values["on"] == 1)
                self._send(MIDI_OK.pack(row.address), source)
            else:
                self._asker = source
                answer = self._handle(row, values)
                self._send(MIDI_OK.pack(row.address, rest=row.reply_values(answer)), source)
        except SegueError as fault:
            self._refuse(packet.address[:200], 0, fault, source)
        finally:
            self._asker = None

    def _listen(self, source: Source, port: int, on: bool) -> None:
        where = (source[0], port or source[1])
        if where[1] < PORT_MIN:
            raise OutOfRange(f"port is {where[1]}, must be {PORT_MIN} to 65535")
        if not on:
            self._listeners.pop(where, None)
        elif where not in self._listeners and len(self._listeners) >= LISTENERS_MAX:
            raise Busy(f"{LISTENERS_MAX} listen already and there is room for no more")
        else:
            self._listeners[where] = None
