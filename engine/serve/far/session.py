"""One relay's session: its clients, and the rings of its lanes. It outlives a lost connection by GRACE_SECONDS.

connected --no frame for two seconds--> cut off --the same session again--> connected, from the block it has
                                           +------60 s------> ended: its clients leave, its lanes close
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from bridge.control import messages
from bridge.control.packet import Packet, Wire
from bridge.control.requests import error_datagram
from bridge.errors import NotAllowed, RegionTransfer, SegueError
from bridge.far import frames, osc
from bridge.far.frames import FrameError, Kind
from bridge.far.ring_source import HostWords, RingSource
from engine.serve.far.client_socket import ClientSocket
from engine.serve.far.shift import shifted
from engine.serve.screen import say

GRACE_SECONDS = 60.0
PING_SECONDS = 5.0  # for clients out of reach
CLIENTS_MAX = 64
FILE_BYTES_MAX = 2**28  # of one file
FILES_MAX = 32  # the oldest is removed
WAITING_HOST = -1.0  # buffer of a host that waits for its music


class Pipe(Protocol):
    """The connection, as a session uses it."""

    def send(self, data: bytes) -> None:
        """Send frames.  [main]"""

    def room(self) -> bool:
        """Whether more audio should be sent now.  [main]"""


class Session:
    """All of it [main], the thread of asyncio."""

    def __init__(self, port: int, secret: str) -> None:
        self._port, self._secret = port, secret
        self._pipe: Pipe | None = None
        self._clients: dict[int, ClientSocket] = {}
        self._rings: dict[int, RingSource] = {}
        self._waits: dict[tuple[int, int], bool] = {}  # of lane/open, by client and id
        self._waiting: set[int] = set()  # lanes whose host waits for its music
        self._files: dict[int, Path] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="segue-far-")
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut_off_seconds = self._pinged_seconds = time.monotonic()

    # -- the connection -----------------------------------------------------------------------------------

    def connect(self, pipe: Pipe, rings: dict[str, Any]) -> int:
        """Take a new connection; `rings` are those that the relay has. Returns how many lanes go on.  [main]"""
        known = {number: rings.get(str(number)) for number in self._rings}
        going_on = {
            number: said for number, said in known.items()
            if isinstance(said, dict) and said.get("ring") == self._ring_words(number)
        }  # fmt: skip
        self._pipe = pipe
        pipe.send(frames.words(Kind.WELCOME, version=frames.VERSION, lanes=sorted(going_on)))
        for number, ring in self._rings.items():
            ring.resume(int(going_on[number].get("blocks", 0)) if number in going_on else 0)
            if number not in going_on:
                self._send(self._lane_words(number))
        return len(going_on)

    def cut_off(self, pipe: Pipe) -> None:
        """The connection is gone; a newer one stays.  [main]"""
        if self._pipe is pipe:
            self._pipe, self._cut_off_seconds = None, time.monotonic()

    @property
    def connected(self) -> bool:
        """Whether a relay is there.  [main]"""
        return self._pipe is not None

    def over(self, now_seconds: float) -> bool:
        """Whether the relay was away for too long.  [main]"""
        return self._pipe is None and now_seconds - self._cut_off_seconds > GRACE_SECONDS

    def _send(self, data: bytes) -> None:
        if self._pipe is not None:
            self._pipe.send(data)

    # -- frames of the relay ------------------------------------------------------------------------------

    def take(self, kind: Kind, payload: bytes) -> None:
        """Take a frame; FrameError for one that a relay does not send.  [main]"""
        if kind is Kind.DATAGRAM:
            self._from_client(*frames.datagram_of(payload))
        elif kind is Kind.HOST:
            self._take_host(HostWords.of(payload))
        elif kind is Kind.PING:
            self._send(frames.pong(payload, time.monotonic_ns()))
        elif kind is Kind.FILE:
            self._take_file(*frames.file_part_of(payload))
        elif kind is Kind.GONE:
            client = self._clients.pop(frames.datagram_of(payload)[0], None)
            if client is not None:
                client.close()
        else:
            raise FrameError(f"a relay does not send {kind.name}")

    def _take_host(self, host: HostWords) -> None:
        ring = self._rings.get(host.lane)
        if ring is not None:
            waits = host.lane in self._waiting
            ring.take(host, lambda transport, written_ns, buffer_seconds: shifted(
                transport, written_ns, WAITING_HOST if waits else buffer_seconds, time.monotonic_ns()
            ))  # fmt: skip

    def _take_file(self, number: int, last: bool, data: bytes) -> None:
        path = self._files.get(number)
        if path is None:
            path = self._files[number] = Path(self._folder.name) / str(number)
            while len(self._files) > FILES_MAX:
                self._files.pop(next(iter(self._files))).unlink(missing_ok=True)
        with path.open("ab") as file:
            if file.tell() + len(data) > FILE_BYTES_MAX:
                raise FrameError(f"a file of more than {FILE_BYTES_MAX} bytes")
            file.write(data)

    # -- clients ------------------------------------------------------------------------------------------

    def _from_client(self, number: int, datagram: bytes) -> None:
        packets = [osc.resolved(packet) for packet in osc.packets_of(datagram)]
        if not any(row is not None and (row.local or row in _LOOKED_AT) for row, _ in packets):
            self._client(number).send(datagram)
            return
        for row, packet in packets:
            try:
                if row is not None:
                    packet = self._passed(row, number, packet)
                self._client(number).send(osc.bytes_of(packet))
            except SegueError as fault:
                self._send(frames.datagram(number, error_datagram(_id(packet), packet.address, fault)))

    def _passed(self, row: messages.Message, number: int, packet: Packet) -> Packet:
        """The message for the engine; NotAllowed for what only the engine's machine may ask."""
        if row in osc.BY_PATH:
            at = [argument.name for argument in row.arguments].index("path")
            return osc.with_value(packet, at, self._path_of(packet.values[at : at + 1]))
        if row.local:
            raise NotAllowed(f"{row.address} is taken only from the engine's own machine")
        if row is messages.HELLO:
            self._client(number).register()
            name = str(packet.values[2]) if len(packet.values) > 2 else ""
            return Packet(packet.address, (_id(packet), 0, name, self._secret))
        if row is messages.LANE_OPEN:
            waits = len(packet.values) > 4 and packet.values[4] == 1
            self._waits[number, _id(packet)] = waits
        return packet

    def _path_of(self, said: tuple[Wire, ...]) -> str:
        text = str(said[0]) if said else ""
        number = text.removeprefix(osc.FILE_PREFIX)
        path = self._files.get(int(number)) if text != number and number.isdecimal() else None
        if path is None:
            raise RegionTransfer("the file did not arrive at the engine's machine; send it again")
        return str(path)

    def _client(self, number: int) -> ClientSocket:
        if number not in self._clients:
            while len(self._clients) >= CLIENTS_MAX:
                self._clients.pop(next(iter(self._clients))).close()
            made = self._clients[number] = ClientSocket(lambda data: self._to_client(number, data))
            task = asyncio.get_running_loop().create_task(made.open(self._port))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._clients[number]

    def _to_client(self, number: int, datagram: bytes) -> None:
        if _OPENED in datagram:
            self._look_at_lane(number, *osc.answer_of(datagram))
        self._send(frames.datagram(number, datagram))

    # -- rings --------------------------------------------------------------------------------------------

    def _look_at_lane(self, client: int, address: str, values: tuple[Wire, ...]) -> None:
        """Attach the ring of a lane that was opened; without it the relay says that there is none."""
        if address != messages.OK.address or len(values) != 4 or values[1] != messages.LANE_OPEN.address:
            return
        lane, name = int(str(values[2])), str(values[3])
        waits = self._waits.pop((client, int(str(values[0]))), lane in self._waiting)
        (self._waiting.add if waits else self._waiting.discard)(lane)
        known = self._rings.get(lane)
        if known is not None and known.name == name and not known.closed:
            return
        if known is not None:
            known.close()
        try:
            self._rings[lane] = RingSource(name)
        except SegueError as fault:
            self._rings.pop(lane, None)
            say(f"far: lane {lane}: {fault}")
            return
        self._send(self._lane_words(lane))

    def _lane_words(self, lane: int) -> bytes:
        return frames.words(Kind.LANE, ring=self._ring_words(lane), form=asdict(self._rings[lane].form))

    def _ring_words(self, lane: int) -> list[object]:
        ring = self._rings[lane]
        return [ring.name, *ring.identity]

    def turn(self) -> None:
        """Send what is new in the rings, as far as the connection takes it.  [main]"""
        pipe = self._pipe
        for ring in self._rings.values() if pipe is not None else ():
            while pipe is not None and pipe.room() and (payload := ring.update()):
                pipe.send(frames.frame(Kind.RING, payload))

    def look(self, now_seconds: float) -> None:
        """Notice closed rings; keep clients and lanes while the relay is out of reach. Several times a second.

        [main]
        """
        for lane, ring in list(self._rings.items()):
            if ring.closed:
                ring.close()
                del self._rings[lane]
                self._send(frames.words(Kind.CLOSED, lane=lane))
            elif self._pipe is None:
                ring.still_played(time.monotonic_ns())
        if self._pipe is None and now_seconds - self._pinged_seconds > PING_SECONDS:
            self._pinged_seconds = now_seconds
            for client in self._clients.values():
                client.ping()

    def close(self) -> None:
        """End the session: its clients leave, so the engine frees its lanes.  [main]"""
        self._pipe = None
        for client in self._clients.values():
            client.close()
        for ring in self._rings.values():
            ring.close()
        self._clients, self._rings = {}, {}
        with suppress(OSError):
            self._folder.cleanup()


_LOOKED_AT = (messages.HELLO, messages.LANE_OPEN)
_OPENED = messages.LANE_OPEN.address.encode()


def _id(packet: Packet) -> int:
    first = packet.values[0] if packet.values else 0
    return first if isinstance(first, int) else 0
