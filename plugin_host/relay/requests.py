"""What the relay does with a client's datagram: pass it on, send a file with it, or answer it. All of it [main].

region/file, region/listen, region/capture    the music goes along, as a file
quit                                          ends the relay
model/load and others of the engine's machine are refused: several musicians may share it
far, far/buffer                               are the relay's own
lane/play on another engine                   goes after the lane's journal
ping, while the connection is down            the relay answers, so that clients wait; others get `not_ready`
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import soundfile

from bridge.control import far_rows, messages
from bridge.control.arguments import Message
from bridge.control.packet import Packet, Wire, encode
from bridge.control.requests import error_datagram
from bridge.errors import NotAllowed, NotReady, SegmentMissing, SegueError
from bridge.far import frames, osc
from bridge.region.capture import read_capture
from bridge.region.region_file import open_plain
from plugin_host.relay.journals import OWN_CLIENT, Journals
from plugin_host.relay.lane_numbers import LaneNumbers
from plugin_host.relay.local_port import LocalPort

OWN = {row.address: row for row in far_rows.FAR_REQUESTS}
OWN_SHORT = {messages.short(row): row for row in far_rows.FAR_REQUESTS}
WAIT_SECONDS = 3.0
WAITING_MAX = 256  # messages
RENAMED_MAX = 256  # captures whose answers are awaited
_CAPTURE, _FILE = messages.REGION_CAPTURE.address, messages.REGION_FILE.address
_RINGS = {messages.LANE_OPEN.address: 3, messages.LANE_RING.address: 2}  # where an ok answer has a ring's name


class Link(Protocol):
    """The relay, as its requests use it."""

    def send(self, data: bytes) -> None:
        """Send frames, if there is a connection.  [main]"""

    @property
    def away_text(self) -> str:
        """Why the engine is out of reach; empty if it is not.  [main]"""

    @property
    def away_seconds(self) -> float:
        """How long it has been out of reach.  [main]"""

    def position_beats(self, lane: int) -> float:
        """Where a lane's host is, by the lane's number here.  [main]"""

    def say(self, text: str) -> None:
        """A line for the musician.  [main]"""

    def ring_here(self, far_name: str) -> str:
        """The name of a ring's copy on this machine; empty if there is none.  [main]"""

    def own(self, row: Message, values: dict[str, object]) -> tuple[Wire, ...]:
        """The answer to one of the relay's own requests; SegueError.  [main]"""

    def quit(self) -> None:
        """End the relay.  [main]"""


class Requests:
    """Between the local port and the link."""

    def __init__(self, port: LocalPort, link: Link, later: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """`later` runs a coroutine."""
        self._port, self._link, self._later = port, link, later
        self.journals = Journals(link, self._to_engine)
        self.numbers = LaneNumbers(self.journals.waiting)
        self._held: set[tuple[int, int]] = set()  # plays that wait for their lane's journal
        self._renamed: OrderedDict[tuple[int, int], str] = OrderedDict()  # by client and id
        self._files = 0
        self._waiting: list[tuple[int, Message | None, Packet]] = []  # while the connection is down
        self._born_seconds: float | None = None  # the engine's start, on this clock

    # -- to the engine ------------------------------------------------------------------------------------

    def from_client(self, number: int, datagram: bytes) -> None:
        """A datagram of a client on this machine."""
        packets = osc.packets_of(datagram)
        whole = [self._row_of(packet) for packet in packets]
        plain = not self.numbers.apart and not self._link.away_text
        if plain and not any(row is not None and self._special(row, number, packet) for row, packet in whole):
            for row, packet in whole:
                if row is not None:
                    self.journals.asked(number, row, packet)
            self._link.send(frames.datagram(number, datagram))
            return
        for row, packet in whole:
            self._try(number, row, packet)

    def _row_of(self, packet: Packet) -> tuple[Message | None, Packet]:
        own = OWN.get(packet.address)
        if own is None and (own := OWN_SHORT.get(packet.address)):
            return own, Packet(own.address, (0, *packet.values))
        return (own, packet) if own is not None else osc.resolved(packet)

    def _take(self, number: int, row: Message | None, packet: Packet) -> None:
        if row is not None and row.address in OWN:
            values = self._link.own(row, dict(row.check(packet.values)))
            self._port.answer(number, messages.OK.pack(_id(packet), row.address, rest=list(values)))
        elif row is messages.QUIT:
            self._port.answer(number, messages.OK.pack(_id(packet), row.address, rest=[]))
            self._link.quit()
        elif self._link.away_text:
            self._while_away(number, row, packet)
        elif row in osc.BY_PATH or row is messages.REGION_CAPTURE:
            assert row is not None
            self._later(self._send_music(number, row, packet))
        elif row is not None and row.local:
            raise NotAllowed(f"{row.address} is taken only on the engine's own machine; this one has a relay to it")
        else:
            if row is messages.HELLO:
                self._port.hello(number, packet)
            elif row is messages.BYE:
                self._port.bye(number)
                self.journals.gone(number)
            self._pass_on(number, row, packet)

    def _pass_on(self, number: int, row: Message | None, packet: Packet) -> None:
        """Send a request to the engine; a lane's first play on another engine waits for the lane's journal."""
        if row is None:
            self._link.send(frames.datagram(number, osc.bytes_of(packet)))
            return
        if (number, _id(packet)) in self._held:
            return
        lane = self.journals.holds(number, row, packet)
        if lane >= 0:
            self._held.add((number, _id(packet)))
            self._later(self._after_journal(lane, number, row, packet))
            return
        datagram = self._to_engine(number, row, packet)
        self.journals.asked(number, row, packet)
        self._link.send(datagram)

    async def _after_journal(self, lane: int, number: int, row: Message, packet: Packet) -> None:
        try:
            if told := await self.journals.restore(lane):
                self._link.say(told)
        except SegueError as fault:
            self._link.say(f"lane {lane}: its journal did not reach the engine: {fault}")
        self._held.discard((number, _id(packet)))
        self._try(number, row, packet)

    def _to_engine(self, number: int, row: Message, packet: Packet) -> bytes:
        return frames.datagram(number, osc.bytes_of(self.numbers.there(row, number, packet)))

    def _special(self, row: Message, number: int, packet: Packet) -> bool:
        ours = row.local or row in (messages.HELLO, messages.BYE) or row.address in OWN
        return ours or self.journals.holds(number, row, packet) >= 0

    def _while_away(self, number: int, row: Message | None, packet: Packet) -> None:
        if row is not messages.PING:
            if self._link.away_seconds > WAIT_SECONDS or len(self._waiting) >= WAITING_MAX:
                raise NotReady(self._link.away_text)
            self._waiting.append((number, row, packet))
        elif self._born_seconds is not None:
            uptime_seconds = time.monotonic() - self._born_seconds
            self._port.answer(number, messages.OK.pack(_id(packet), row.address, rest=[uptime_seconds]))

    def look(self) -> None:
        """Pass on what waited for the connection, or refuse it if that takes too long. Several times a second."""
        if self._waiting and (not self._link.away_text or self._link.away_seconds > WAIT_SECONDS):
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                self._try(*each)

    def _try(self, number: int, row: Message | None, packet: Packet) -> None:
        try:
            self._take(number, row, packet)
        except SegueError as fault:
            self._refuse(number, packet, fault)

    async def _send_music(self, number: int, row: Message, packet: Packet) -> None:
        """Send a file, or a capture as a file, before the message that names it."""
        try:
            values = row.check(packet.values)
            captured = row is messages.REGION_CAPTURE
            read, name = (_capture_bytes, values["name"]) if captured else (_file_bytes, values["path"])
            data, *placed = await asyncio.to_thread(read, str(name))
        except SegueError as fault:
            self._refuse(number, packet, fault)
            return
        self._files += 1
        for part in frames.file_parts(self._files, data):
            self._link.send(part)
            await asyncio.sleep(0)
        path = f"{osc.FILE_PREFIX}{self._files}"
        if captured:
            _, lane, role, _, *at = packet.values
            self._renamed[number, _id(packet)] = row.address
            while len(self._renamed) > RENAMED_MAX:
                self._renamed.popitem(last=False)
            packet = Packet(_FILE, (_id(packet), lane, role, path, *placed, *at))
        else:
            index = [argument.name for argument in row.arguments].index("path")
            packet = osc.with_value(packet, index, path)
        try:
            datagram = self._to_engine(number, messages.REGION_FILE if captured else row, packet)
        except SegueError as fault:
            self._refuse(number, packet, fault)
            return
        if row is not messages.REGION_LISTEN:
            self.journals.asked(number, messages.REGION_FILE, packet, data)
        self._link.send(datagram)

    def _refuse(self, number: int, packet: Packet, fault: SegueError) -> None:
        self._port.answer(number, error_datagram(_id(packet), packet.address, fault))

    # -- from the engine ----------------------------------------------------------------------------------

    def from_engine(self, number: int, datagram: bytes) -> None:
        """An answer or event for a client: rings by their names here, captures by their own address."""
        passed = self.numbers.here(number, datagram)
        if passed is None:  # about somebody else's lane
            return
        datagram = passed
        address, values = osc.answer_of(datagram)
        self.journals.answered(number, address, values)
        if number == OWN_CLIENT:
            return
        if address in osc.ANSWERED and len(values) > 1:
            datagram = self._answer(number, address, values, datagram)
        elif address == messages.EVENT_HEARD.address and len(values) > 2 and values[2] == _FILE:
            renamed = self._renamed.get((number, int(str(values[1]))))
            if renamed is not None:
                datagram = encode(address, (*values[:2], renamed, *values[3:]))
        self._port.answer(number, datagram)

    def _answer(self, number: int, address: str, values: tuple[Wire, ...], datagram: bytes) -> bytes:
        id, asked = int(str(values[0])), str(values[1])
        if address == messages.OK.address and asked == messages.PING.address and len(values) == 3:
            self._born_seconds = time.monotonic() - float(values[2])
        elif address == messages.OK.address and asked in _RINGS and len(values) > _RINGS[asked]:
            at = _RINGS[asked]
            here = self._link.ring_here(str(values[at]))
            if not here:
                fault = SegmentMissing("this lane's ring is on the engine's machine, and was opened by somebody else")
                return error_datagram(id, asked, fault)
            return encode(address, (*values[:at], here, *values[at + 1 :]))
        elif asked == _FILE and (renamed := self._renamed.get((number, id))):
            return encode(address, (id, renamed, *values[2:]))
        return datagram


Music = tuple[Any, ...]  # a file's bytes; of a capture also its tempo and its beat


def _file_bytes(path: str) -> Music:
    """A file's bytes; RegionError as the engine would give it."""
    descriptor = open_plain(os.path.expanduser(path))
    with open(descriptor, "rb") as file:
        return (file.read(),)


def _capture_bytes(name: str) -> Music:
    """A capture as a WAV file, its tempo and its beat; errors as `read_capture`."""
    found = read_capture(name)
    out = io.BytesIO()
    soundfile.write(out, found.audio, found.rate_hz, format="WAV", subtype="FLOAT")
    return out.getvalue(), found.bpm, found.start_beats


def _id(packet: Packet) -> int:
    first = packet.values[0] if packet.values else 0
    return first if isinstance(first, int) and not isinstance(first, bool) and first >= 0 else 0
