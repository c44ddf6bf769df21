"""One client of a relay, as the engine sees it: a UDP socket of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from bridge.control import messages
from bridge.control.packet import encode


class ClientSocket(asyncio.DatagramProtocol):
    """Sends a client's datagrams to the engine, and gives what comes back to `on_answer`.  [main]"""

    def __init__(self, on_answer: Callable[[bytes], None]) -> None:
        self._on_answer = on_answer
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[bytes] | None = []
        self._registered = False

    def register(self) -> None:
        """The client says hello: it wants to be kept, and leaves with bye.  [main]"""
        self._registered = True

    async def open(self, port: int) -> None:
        """Connect to the engine's port on this machine; what was sent before goes first.  [main]"""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, remote_addr=("127.0.0.1", port))
        waiting, self._waiting = self._waiting or [], None
        for datagram in waiting:
            self.send(datagram)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's call.  [main]"""
        self._transport = cast(asyncio.DatagramTransport, transport)  # Python 3.11's is not its subclass

    def datagram_received(self, data: bytes, addr: object) -> None:
        """asyncio's call.  [main]"""
        self._on_answer(data)

    def error_received(self, exc: Exception) -> None:
        """asyncio's call: no engine at the port, which the client notices itself.  [main]"""

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the engine.  [main]"""
        if self._waiting is not None:
            self._waiting.append(datagram)
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(datagram)

    def ping(self) -> None:
        """Stay registered while the client is out of reach.  [main]"""
        if self._registered:
            self.send(encode(messages.PING.address, [0]))

    def close(self) -> None:
        """Say bye for the client.  [main]"""
        if self._registered:
            self.send(encode(messages.BYE.address, [0]))
        if self._transport is not None:
            with suppress(OSError):
                self._transport.close()
