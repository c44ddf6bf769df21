"""The relay's OSC port on this machine: who sends from where, and where answers go. All of it [main]."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import cast

from bridge.control.clients import Clients, Source
from bridge.control.packet import Packet
from bridge.control.udp_socket import open_socket

CLIENTS_MAX = 64

OnDatagram = Callable[[int, bytes], None]


class LocalPort(asyncio.DatagramProtocol):
    """Numbers the senders; a hello's reply port is kept here, as the engine's answers come to the relay."""

    def __init__(self, on_datagram: OnDatagram, on_gone: Callable[[int], None]) -> None:
        self._on_datagram, self._on_gone = on_datagram, on_gone
        self._numbers: OrderedDict[Source, int] = OrderedDict()
        self._sources: dict[int, Source] = {}
        self._register = Clients()
        self._next = 1
        self._transport: asyncio.DatagramTransport | None = None
        self.port = 0

    async def open(self, port: int) -> None:
        """Bind; PortInUse.  [main]"""
        bound = open_socket("127.0.0.1", port)
        bound.setblocking(False)
        self.port = int(bound.getsockname()[1])
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's call.  [main]"""
        self._transport = cast(asyncio.DatagramTransport, transport)  # Python 3.11's is not its subclass

    def datagram_received(self, data: bytes, addr: Source) -> None:
        """asyncio's call.  [main]"""
        number = self._numbers.get(addr)
        if number is None:
            number = self._numbers[addr] = self._next
            self._sources[number], self._next = addr, self._next + 1
            while len(self._numbers) > CLIENTS_MAX:
                _, gone = self._numbers.popitem(last=False)
                del self._sources[gone]
                self._on_gone(gone)
        self._numbers.move_to_end(addr)
        self._on_datagram(number, data)

    def error_received(self, exc: Exception) -> None:
        """asyncio's call: a client's port is closed.  [main]"""

    def hello(self, number: int, packet: Packet) -> None:
        """Keep the reply port of a hello; OutOfRange, Busy.  [main]"""
        port = packet.values[1] if len(packet.values) > 1 else 0
        name = str(packet.values[2]) if len(packet.values) > 2 else ""
        if isinstance(port, int) and 0 <= port < 65536:
            self._register.hello(self._sources[number], port, name, time.monotonic())

    def bye(self, number: int) -> None:
        """A client leaves.  [main]"""
        self._register.remove(self._register.of(self._sources[number], time.monotonic()))

    def tidy(self) -> None:
        """Forget the reply ports of clients that are silent for long, as the engine does.  [main]"""
        self._register.expire(time.monotonic())

    def answer(self, number: int, datagram: bytes) -> None:
        """Send an answer or event to where a client wants it.  [main]"""
        source = self._sources.get(number)
        if source is not None and self._transport is not None:
            self._transport.sendto(datagram, self._register.of(source, time.monotonic()).address)

    def close(self) -> None:
        """Free the port.  [main]"""
        if self._transport is not None:
            self._transport.close()
