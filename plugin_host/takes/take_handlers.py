"""A UDP port on this machine where DAW scripts order takes by OSC, and where a session's history is asked.

Invalid messages get an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from bridge.control import messages
from bridge.control.arguments import Value
from bridge.control.history_rows import TAKES_HEAD
from bridge.control.packet import Packet, parse, salvage
from bridge.control.requests import error_datagram
from bridge.control.take_rows import TAKE
from bridge.control.udp_socket import open_socket
from bridge.errors import SegueError, UnknownAddress
from plugin_host.takes import history_handlers
from plugin_host.takes.stems.stems_handlers import ADDRESSES, Peer, StemsHandlers

_WAIT_SECONDS = 0.2
_OTHERS = TAKES_HEAD.address.removesuffix("head")


class TakeHandlers:
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
        self._put, self._session, self._stems = put, session, stems or StemsHandlers()
        self._socket = open_socket("127.0.0.1", port)
        self._stems.connect(self._socket.sendto)
        self.port = int(self._socket.getsockname()[1])
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-orders", daemon=True)

    def __enter__(self) -> TakeHandlers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        self._socket.settimeout(_WAIT_SECONDS)
        while not self._closing.is_set():
            try:
                datagram, source = self._socket.recvfrom(65535)
            except (TimeoutError, ConnectionResetError):
                continue
            for answer in self._answers(datagram, source):
                with suppress(OSError):  # who asked has gone
                    self._socket.sendto(answer, source)

    def _answers(self, datagram: bytes, source: Peer) -> Iterator[bytes]:
        try:
            packets = parse(datagram)
        except SegueError as fault:
            address, number = salvage(datagram)
            yield error_datagram(number, address[:200], fault)
            return
        for packet in packets:
            yield self._answer(packet, source)

    def _answer(self, packet: Packet, source: Peer) -> bytes:
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
