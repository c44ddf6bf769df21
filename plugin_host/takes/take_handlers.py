"""A UDP port on this machine where DAW scripts order takes by OSC, and where a session's history is asked.

Invalid messages get an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.control import messages
from bridge.control.answering_port import AnsweringPort, Source
from bridge.control.arguments import Value
from bridge.control.history_rows import TAKES_HEAD
from bridge.control.packet import Packet
from bridge.control.requests import error_datagram
from bridge.control.take_rows import TAKE
from bridge.errors import SegueError, UnknownAddress
from plugin_host.takes import history_handlers
from plugin_host.takes.stems.stems_handlers import ADDRESSES, StemsHandlers

_WAIT_SECONDS = 0.2
_OTHERS = TAKES_HEAD.address.removesuffix("head")


class TakeHandlers(AnsweringPort):
    """Passes each valid order to `put`, on its own thread; also a context manager. PortInUse.

    Port 0 takes a free one, see `port`. With a `session` it answers messages about its history.
    """

    def __init__(
        self,
        port: int,
        put: Callable[[Mapping[str, Value]], None],
        session: Path | None = None,
        stems: StemsHandlers | None = None,
    ) -> None:
        super().__init__(port, "segue-orders", _WAIT_SECONDS)
        self._put, self._session, self._stems = put, session, stems or StemsHandlers()
        self._stems.connect(self._socket.sendto)

    def _take(self, packet: Packet, source: Source) -> None:
        self._send(self._answer(packet, source), source)

    def _refuse(self, address: str, number: int, fault: SegueError, source: Source) -> None:
        self._send(error_datagram(number, address, fault), source)

    def _answer(self, packet: Packet, source: Source) -> bytes:
        """Accept an order, or answer with its error."""
        first = packet.values[0] if packet.values else 0
        number = int(first) if isinstance(first, (int, float)) and 0 <= first < 2**24 else 0
        try:
            row = history_handlers.ROWS.get(packet.address)
            if row is not None and self._session is not None:
                found = history_handlers.answer(self._session, row, row.check(packet.values), self._put)
                return messages.OK.pack(number, packet.address, rest=row.reply_values(found))
            if packet.address in ADDRESSES:
                return self._stems.answer(packet, source, self._put)
            if packet.address != TAKE.address:
                others = ", ".join((TAKE.address, *ADDRESSES))
                raise UnknownAddress(f"{packet.address[:80]!r} is not taken here; {others} and {_OTHERS}... are")
            values = TAKE.check(packet.values)
            if not Path(str(values["path"])).is_absolute():
                raise UnknownAddress(f"{values['path']!r} is not a full path")
        except SegueError as fault:
            return error_datagram(number, packet.address[:200], fault)
        self._put(values)
        return messages.OK.pack(number, packet.address)
