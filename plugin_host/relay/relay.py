"""The relay: local clients, copies of rings, and the connection, which comes and goes. All of it [main], one thread.

away --connected, greeted--> connected --silence, a fault--> away, tried again each half second
   rings stay, hosts repeat their bar in phase; the engine's side waits a minute
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from bridge.control import far_rows
from bridge.control.arguments import Message
from bridge.control.packet import Wire
from bridge.errors import Busy, NotAllowed, SegueError
from bridge.far import frames
from bridge.far.frames import FrameError, Kind
from bridge.far.ring_copy import RingCopy
from bridge.ring.form import RingForm
from bridge.time.units import SECONDS_PER_MINUTE
from plugin_host.relay.connection import FarConnection
from plugin_host.relay.jitter_buffer import BufferChoice, JitterBuffer
from plugin_host.relay.link_clock import LinkClock
from plugin_host.relay.local_port import LocalPort
from plugin_host.relay.requests import Requests

TURN_SECONDS = 0.005
PING_SECONDS = 0.05
LOOK_SECONDS = 1.0
RETRY_SECONDS = 0.5
TEMPO_BPM = 120.0  # without a host


class Placed(Exception):
    """A farm's door says where to play."""

    def __init__(self, where: tuple[str, int]) -> None:
        super().__init__()
        self.where = where


class Relay:
    """One engine elsewhere, as one here."""

    def __init__(self, where: tuple[str, int], secret: str, choice: BufferChoice, say: Callable[[str], None]) -> None:
        self._where, self._secret, self._say = where, secret, say
        self._session = secrets.token_hex(16)
        self._connection: FarConnection | None = None
        self._copies: dict[int, tuple[RingCopy, list[object]]] = {}  # and the ring that it is one of
        self.clock = LinkClock()
        self.buffer = JitterBuffer(self.clock, choice)
        self.port = LocalPort(self._from_client, self._client_gone)
        self._requests = Requests(self.port, self, self._later)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._quit = asyncio.Event()
        self._away_since = time.monotonic()
        self._reason = "not connected yet"
        self.losses = 0

    # -- life -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Relay until `quit`; NotAllowed if the engine has another secret.  [main]"""
        turning = asyncio.ensure_future(self._turns())
        linking = asyncio.ensure_future(self._links())
        quitting = asyncio.ensure_future(self._quit.wait())
        try:
            done, _ = await asyncio.wait((turning, linking, quitting), return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in (turning, linking, quitting):
                each.cancel()
            await self._close()

    def quit(self) -> None:
        """End the relay.  [main]"""
        self._quit.set()

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.leave()
        self.port.close()
        for copy, _ in self._copies.values():
            copy.close()
        self._copies = {}

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the connection ---------------------------------------------------------------------------------

    async def _links(self) -> None:
        target = self._where
        while True:
            to, target = target, self._where
            try:
                self._connection = None
                await self._link(await FarConnection.open(*to, self._secret))
            except NotAllowed:
                raise
            except Placed as placed:  # by a farm's door
                target, self._requests.numbers.apart = placed.where, True
                continue
            except (OSError, EOFError, TimeoutError, SegueError) as fault:
                self._lost(str(fault) or ("it is silent" if isinstance(fault, TimeoutError) else type(fault).__name__))
            await asyncio.sleep(RETRY_SECONDS)

    async def _link(self, connection: FarConnection) -> None:
        try:
            self.clock.forget()
            rings = {str(lane): {"ring": ring, "blocks": copy.blocks_written}
                     for lane, (copy, ring) in self._copies.items()}  # fmt: skip
            connection.greet(self._session, rings)
            async for kind, payload in connection.incoming():
                if kind is Kind.PLACE:
                    raise _placed(frames.words_of(payload))
                if kind is Kind.WELCOME:
                    self._welcomed(connection, frames.words_of(payload))
                elif self._connection is not None:
                    self._take(kind, payload)
        finally:
            connection.close()

    def _welcomed(self, connection: FarConnection, said: dict[str, Any]) -> None:
        going_on, numbers = set(said.get("lanes", [])), self._requests.numbers
        self._requests.journals.lost_but({numbers.number_here(lane) for lane in going_on})
        for lane in self._copies.keys() - going_on:
            self._copies.pop(lane)[0].close()
            numbers.closed(lane)
        numbers.moved()
        away_seconds = time.monotonic() - self._away_since
        self._connection, self._reason = connection, ""
        self.buffer.connected(time.monotonic())
        host, port = self._where
        self._say(f"connected to {host}:{port}" + (f" again after {away_seconds:.1f} s" if self.losses else ""))

    def _lost(self, reason: str) -> None:
        if not self._reason:
            self.losses += 1
            self._away_since = time.monotonic()
            self._say(f"connection lost ({reason}); hosts repeat their bar until it is back")
        self._connection, self._reason = None, reason

    def _take(self, kind: Kind, payload: bytes) -> None:
        """Take a frame of the engine's machine."""
        if kind is Kind.DATAGRAM:
            self._requests.from_engine(*frames.datagram_of(payload))
        elif kind is Kind.RING:
            found = self._copies.get(payload[0]) if payload else None
            if found is not None:
                found[0].take(payload)
        elif kind is Kind.PONG:
            self.clock.answered(*frames.pong_of(payload), time.monotonic_ns())
        elif kind is Kind.LANE:
            self._open(frames.words_of(payload))
        elif kind is Kind.CLOSED:
            lane = frames.words_of(payload).get("lane", -1)
            closed, here = self._copies.pop(lane, None), self._requests.numbers.number_here(lane)
            if closed is not None:
                closed[0].close()
            if here is not None:
                self._requests.journals.lost(here)
                self._requests.numbers.closed(lane)
        else:
            raise FrameError(f"an engine does not send {kind.name}")

    def _open(self, said: dict[str, Any]) -> None:
        """A lane was opened: make the copy of its ring."""
        try:
            form, ring = RingForm(**said["form"]), list(said["ring"])
        except (KeyError, TypeError, ValueError) as fault:
            raise FrameError(f"a ring that cannot be: {fault}") from None
        known = self._copies.pop(form.lane, None)
        if known is not None:
            known[0].close()
        self._copies[form.lane] = RingCopy(form), ring

    # -- what the relay does all the time ---------------------------------------------------------------

    async def _turns(self) -> None:
        pinged = looked = 0.0
        while True:
            await asyncio.sleep(TURN_SECONDS)
            now = time.monotonic()
            if now - pinged >= PING_SECONDS:
                pinged = now
                self.send(frames.ping(time.monotonic_ns()))
            if now - looked >= LOOK_SECONDS:
                looked = now
                self.port.tidy()
            self._requests.look()
            for copy, _ in self._copies.values():
                copy.beat()
                copy.look()
                if self._connection is not None and self.clock.known:
                    buffer = self.buffer.seconds(_tempo(copy), now)
                    self.send(frames.frame(Kind.HOST, copy.host(self.clock.ahead_ns, buffer)))

    def _from_client(self, number: int, datagram: bytes) -> None:
        self._requests.from_client(number, datagram)

    def _client_gone(self, number: int) -> None:
        self._requests.journals.gone(number)
        self.send(frames.gone(number))

    def send(self, data: bytes) -> None:
        """Send frames, if there is a connection.  [main]"""
        if self._connection is not None:
            self._connection.send(data)

    # -- what others ask --------------------------------------------------------------------------------

    @property
    def away_text(self) -> str:
        """Why the engine is out of reach; empty if it is not.  [main]"""
        if not self._reason:
            return ""
        host, port = self._where
        return f"the engine at {host}:{port} is out of reach for {self.away_seconds:.1f} s ({self._reason})"

    @property
    def away_seconds(self) -> float:
        """How long the connection has been down; 0: it is up.  [main]"""
        return time.monotonic() - self._away_since if self._reason else 0.0

    def position_beats(self, lane: int) -> float:
        """Where a lane's host is, by the lane's number here; without a host after everything.  [main]"""
        found = self._copies.get(self._requests.numbers.number_there(lane))
        transport = found[0].transport() if found else None
        return float("inf") if transport is None else transport.position_beats

    def say(self, text: str) -> None:
        """A line for the musician.  [main]"""
        self._say(text)

    def ring_here(self, far_name: str) -> str:
        """The name of a ring's copy on this machine; empty if there is none.  [main]"""
        return next((copy.name for copy, ring in self._copies.values() if ring[0] == far_name), "")

    def own(self, row: Message, values: dict[str, object]) -> tuple[Wire, ...]:
        """The answers to `far` and `far/buffer`; OutOfRange.  [main]"""
        if row is far_rows.FAR_BUFFER:
            choice = BufferChoice(str(values["mode"]), float(str(values["value"])))
            self.buffer.choose(choice, time.monotonic())
            return self._buffer_now()
        host, port = self._where
        ways = self.clock.rtt_seconds * 1000, self.clock.jitter_seconds * 1000
        state = "away" if self._reason else "connected"
        return state, f"{host}:{port}", *ways, *self._buffer_now(), self.ready_seconds, self.losses, self.away_seconds

    def _buffer_now(self) -> tuple[str, float, float]:
        tempo = max((_tempo(copy) for copy, _ in self._copies.values()), default=TEMPO_BPM)
        seconds = self.buffer.seconds(tempo, time.monotonic())
        return self.buffer.choice.mode, seconds * 1000, seconds * tempo / SECONDS_PER_MINUTE

    @property
    def ready_seconds(self) -> float:
        """Music that is here, of the lane that has least.  [main]"""
        return min((copy.fill_seconds() for copy, _ in self._copies.values()), default=0.0)

    @property
    def buffer_ms(self) -> float:
        """The buffer's present length.  [main]"""
        return self._buffer_now()[1]

    @property
    def plays(self) -> bool:
        """Whether a lane is open.  [main]"""
        return bool(self._copies)

    def line(self) -> str:
        """The state in one line.  [main]"""
        if self._reason:
            return self.away_text
        mode, ms, beats = self._buffer_now()
        lanes = f"{len(self._copies)} lanes, {self.ready_seconds:.1f} s ready" if self._copies else "no lane"
        way = f"{self.clock.rtt_seconds * 1000:.1f} ms there and back, jitter {self.clock.jitter_seconds * 1000:.1f} ms"
        return f"{way}, buffer {ms:.0f} ms = {beats:.2f} beats ({mode}); {lanes}"


def _placed(said: dict[str, Any]) -> Exception:
    """Where a farm's door sends a relay, or Busy with its reason; FrameError."""
    if "at" not in said:
        return Busy(str(said.get("text", "the farm is full")))
    try:
        return Placed(frames.address_of(str(said["at"])))
    except ValueError as fault:
        return FrameError(str(fault))


def _tempo(copy: RingCopy) -> float:
    transport = copy.transport()
    return TEMPO_BPM if transport is None else transport.tempo_bpm
