"""Listens for relays: TLS 1.3, then one session for each.  All of it [main], the thread of asyncio."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress

from bridge.errors import Busy, EndpointError, SegueError
from bridge.far import certificates, frames
from bridge.far.frames import Deframer, FrameError, Kind
from engine.serve.far.session import Session
from engine.serve.screen import say

TURN_SECONDS = 0.004
LOOK_SECONDS = 0.25
SILENT_SECONDS = 2.0  # without a frame of the relay, which pings 20 times a second
HANDSHAKE_SECONDS = 5.0
HELD_BYTES = 2**15  # not sent yet, beyond which audio waits in the ring: what is urgent does not queue behind it
SESSIONS_MAX = 64  # as many as an engine may have lanes
READ_BYTES = 2**16


class Connection:
    """One relay's connection, see `Pipe`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send frames.  [main]"""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    def room(self) -> bool:
        """Whether little enough waits to be sent.  [main]"""
        return self._writer.transport.get_write_buffer_size() < HELD_BYTES

    def close(self) -> None:
        """Close at once.  [main]"""
        self._writer.transport.abort()


class Listener:
    """The sessions of one engine."""

    def __init__(self, engine_port: int, secret: str, engine_secret: str) -> None:
        """`engine_secret`: what the engine's own OSC port asks of its clients, empty for nothing."""
        self._engine_port, self._secret, self._engine_secret = engine_port, secret, engine_secret
        self._sessions: dict[str, Session] = {}
        self._context = certificates.context_for(certificates.ENGINE, secret)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. EndpointError.  [main]"""
        try:
            self._server = await asyncio.start_server(
                self._relay, host, port, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError as error:
            raise EndpointError(f"--listen {host}:{port}: {error.strerror or error}") from None
        return int(self._server.sockets[0].getsockname()[1])

    async def run(self) -> None:
        """Serve until cancelled.  [main]"""
        looked = 0.0
        try:
            while True:
                await asyncio.sleep(TURN_SECONDS)
                now = time.monotonic()
                for session in self._sessions.values():
                    session.turn()
                if now - looked >= LOOK_SECONDS:
                    looked = now
                    self._look(now)
        finally:
            self.close()

    def _look(self, now: float) -> None:
        for token, session in list(self._sessions.items()):
            session.look(now)
            if session.over(now):
                self._end(token, "did not come back")

    def _end(self, token: str, why: str) -> None:
        self._sessions.pop(token).close()
        say(f"far: a relay {why}: its lanes are closed")

    def close(self) -> None:
        """End all sessions.  [main]"""
        if self._server is not None:
            self._server.close()
        for session in self._sessions.values():
            session.close()
        self._sessions = {}

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(writer)
        where = writer.get_extra_info("peername")
        tls = writer.get_extra_info("ssl_object")
        if not certificates.is_other(certificates.ENGINE, self._secret, tls.getpeercert(True)):
            connection.close()
            return
        set_up(writer.get_extra_info("socket"))
        try:
            await self._converse(reader, connection, f"{where[0]}:{where[1]}")
        except SegueError as fault:
            say(f"far: {where[0]}: {fault}")
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):  # or the engine ends
            pass
        finally:
            connection.close()

    async def _converse(self, reader: asyncio.StreamReader, connection: Connection, where: str) -> None:
        deframer, session, token = Deframer(), None, ""
        try:
            while data := await asyncio.wait_for(reader.read(READ_BYTES), SILENT_SECONDS):
                for kind, payload in deframer.feed(data):
                    if kind is Kind.BYE and session is not None:
                        self._end(token, f"at {where} has left")
                        session = None
                        return
                    if session is None:
                        token, session = self._greeted(kind, payload, connection, where)
                    else:
                        session.take(kind, payload)
        finally:
            if session is not None:
                session.cut_off(connection)
                with suppress(OSError):
                    say(f"far: the relay at {where} is out of reach; its lanes wait for it")

    def _greeted(self, kind: Kind, payload: bytes, connection: Connection, where: str) -> tuple[str, Session]:
        """The session that the first frame asks for; FrameError, Busy."""
        said = frames.words_of(payload) if kind is Kind.HELLO else {}
        token, rings = said.get("session"), said.get("rings")
        if said.get("version") != frames.VERSION or not isinstance(token, str) or not isinstance(rings, dict):
            raise FrameError(f"the relay speaks version {said.get('version')}, this engine {frames.VERSION}")
        session = self._sessions.get(token)
        if session is None:
            if len(self._sessions) >= SESSIONS_MAX:
                raise Busy(f"{SESSIONS_MAX} relays are connected and there is room for no more")
            session = self._sessions[token] = Session(self._engine_port, self._engine_secret)
        going_on = session.connect(connection, rings)
        say(f"far: a relay at {where} is connected" + (f", {going_on} lanes go on" if going_on else ""))
        return token, session


def set_up(connected: socket.socket) -> None:
    """No waiting for more to send; and where the system has it, a pace that one lost packet does not halve.  [any]"""
    with suppress(OSError):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError, AttributeError):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, HELD_BYTES)
    with suppress(OSError, AttributeError):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"bbr")
