"""The door: relays ask it where to play, `segue farm` how the farm is. TLS as everywhere; all of it [main]."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bridge.errors import EndpointError, OutOfRange, SegueError
from bridge.far import certificates, frames
from bridge.far.frames import Deframer, FrameError, Kind
from plugin_host.farm.placement import Full, Placement

HELLO_SECONDS = 5.0
READ_BYTES = 2**16

Act = Callable[[str, str, bool], Awaitable[None]]  # what to do: drain, undrain or down; to which place; at once


class Door:
    """Answers one frame for each connection, and closes it."""

    def __init__(self, placement: Placement, secret: str, act: Act) -> None:
        self._placement, self._secret, self._act = placement, secret, act
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; returns the port. EndpointError.  [main]"""
        context = certificates.context_for(certificates.ENGINE, self._secret)
        try:
            self._server = await asyncio.start_server(self._ask, host, port, ssl=context)
        except OSError as error:
            raise EndpointError(f"--listen {host}:{port}: {error.strerror or error}") from None
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Listen no more.  [main]"""
        if self._server is not None:
            self._server.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("ssl_object").getpeercert(True)
        try:
            if certificates.is_other(certificates.ENGINE, self._secret, shown):
                writer.write(await self._answer(*await _first(reader)))
                await writer.drain()
                await asyncio.wait_for(reader.read(1), HELLO_SECONDS)  # until the other side has it
        except (OSError, EOFError, TimeoutError, SegueError, asyncio.CancelledError):  # or the farm ends
            pass
        finally:
            writer.close()

    async def _answer(self, kind: Kind, payload: bytes) -> bytes:
        said = frames.words_of(payload)
        if kind is Kind.ASK:
            try:
                return frames.words(Kind.ASK, **await self._told(said))
            except SegueError as fault:
                return frames.words(Kind.ASK, error=str(fault))
        token = said.get("session")
        if kind is not Kind.HELLO or said.get("version") != frames.VERSION or not isinstance(token, str):
            raise FrameError("neither a relay of this version nor a question")
        lanes = len(said["rings"]) if isinstance(said.get("rings"), dict) else 0
        found = self._placement.place(token, time.monotonic(), lanes)
        if isinstance(found, Full):
            return frames.words(Kind.PLACE, text=found.text, turn=found.turn)
        return frames.words(Kind.PLACE, at=found.address)

    async def _told(self, said: dict[str, Any]) -> dict[str, Any]:
        """What `segue farm` asks: the state, after doing what it says; OutOfRange for a place that there is not."""
        placement, act, name = self._placement, str(said.get("act", "")), str(said.get("place", ""))
        if act in ("drain", "undrain") and name not in {place.name for place in placement.places}:
            names = ", ".join(place.name for place in placement.places)
            raise OutOfRange(f"there is no place {name!r}; there are {names}")
        if act:
            await self._act(act, name, bool(said.get("now")))
        places = [
            {"name": each.name, "address": each.address, "lanes": each.lanes, "lanes_max": each.lanes_max,
             "draining": each.draining, "sessions": placement.sessions_at(each.name)}
            for each in placement.places
        ]  # fmt: skip
        return {"places": places, "waiting": placement.waiting}


async def _first(reader: asyncio.StreamReader) -> tuple[Kind, bytes]:
    """The first frame that comes."""
    deframer = Deframer()
    while data := await asyncio.wait_for(reader.read(READ_BYTES), HELLO_SECONDS):
        for each in deframer.feed(data):
            return each
    raise EOFError


async def ask(where: tuple[str, int], secret: str, **words: Any) -> dict[str, Any]:
    """Ask a door: `act` drain, undrain or down, `place`, `now`; or nothing, for the state. SegueError.  [main]"""
    from plugin_host.relay.connection import FarConnection

    host, port = where
    try:
        connection = await FarConnection.open(host, port, secret)
        connection.send(frames.words(Kind.ASK, **words))
        async for kind, payload in connection.incoming():
            connection.close()
            found = frames.words_of(payload) if kind is Kind.ASK else {"error": "an engine is there, and no farm"}
            if "error" in found:
                raise OutOfRange(str(found["error"]))
            return found
    except (OSError, TimeoutError) as fault:
        raise EndpointError(f"no farm at {host}:{port}: {fault or 'it is silent'}") from None
    raise EndpointError(f"the farm at {host}:{port} did not answer")
