"""The relay's side of the connection: connect, pin, greet; frames in and out. All of it [main]."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from bridge.errors import NotAllowed
from bridge.far import certificates, frames
from bridge.far.frames import Deframer, FrameError, Kind

CONNECT_SECONDS = 3.0
SILENT_SECONDS = 2.0  # the engine's machine answers pings 20 times a second
READ_BYTES = 2**18


class FarConnection:
    """One connection, from `open` to `close`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, host: str, port: int, secret: str) -> FarConnection:
        """Connect. OSError and TimeoutError if it is out of reach, NotAllowed if it has another secret.  [main]"""
        context = certificates.context_for(certificates.RELAY, secret)
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(host, port, ssl=context, server_hostname=""), CONNECT_SECONDS
            )
        except ssl.SSLCertVerificationError:
            raise NotAllowed(f"the engine at {host}:{port} has another secret") from None
        connected = cls(reader, writer)
        shown = writer.get_extra_info("ssl_object").getpeercert(True)
        if not certificates.is_other(certificates.RELAY, secret, shown):
            connected.close()
            raise NotAllowed(f"the engine at {host}:{port} has another secret")
        with suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def greet(self, session: str, rings: dict[str, Any]) -> None:
        """Ask for a session: the same one again after a loss.  [main]"""
        self.send(frames.words(Kind.HELLO, version=frames.VERSION, session=session, rings=rings))

    def send(self, data: bytes) -> None:
        """Send frames.  [main]"""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    async def incoming(self) -> AsyncIterator[tuple[Kind, bytes]]:
        """The frames that come; TimeoutError after two silent seconds, OSError or FrameError if it breaks.  [main]"""
        deframer = Deframer()
        while data := await asyncio.wait_for(self._reader.read(READ_BYTES), SILENT_SECONDS):
            for each in deframer.feed(data):
                yield each
        raise FrameError("the engine's machine closed the connection")

    async def leave(self) -> None:
        """Say bye, and close once it is sent.  [main]"""
        self.send(frames.frame(Kind.BYE))
        with suppress(OSError, TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(self._writer.drain(), 0.5)
        self._writer.close()

    def close(self) -> None:
        """Close at once. May be called twice.  [main]"""
        self._writer.transport.abort()
