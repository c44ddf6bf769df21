"""The journals of a relay's lanes, and their way to another engine. All of it [main].

client --lane/open--> another engine   client's settings -->   lane/play held   journal -->   lane/play -->
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.control import messages
from bridge.control.arguments import Message, Value
from bridge.control.packet import Packet, Wire
from bridge.errors import NoAnswer, SegueError, from_wire
from bridge.far import frames, osc
from plugin_host.relay.lane_journal import Chunks, Entry, LaneJournal, Music, is_change, packet_of

OWN_CLIENT = 0  # the relay itself; its clients count from 1
ANSWER_SECONDS = 20.0  # of the engine to one request; a region is read and heard through
UPLOADS_MAX = 8
ASKED_MAX = 1024


class Engine(Protocol):
    """Where the journals' requests go."""

    def send(self, data: bytes) -> None:
        """Send frames.  [main]"""

    def position_beats(self, lane: int) -> float:
        """Where a lane's host is, by the lane's number here.  [main]"""


class Journals:
    """One for each lane that is open, and for each that its client will open again."""

    def __init__(self, engine: Engine, to_engine: Callable[[int, Message, Packet], bytes]) -> None:
        """`to_engine`: a client's request as the frame that goes to the engine."""
        self._engine, self._to_engine = engine, to_engine
        self._lanes: dict[int, LaneJournal] = {}
        self._asked: OrderedDict[tuple[int, int, str], tuple[Message, int, Mapping[str, Value]]] = OrderedDict()
        self._uploads: OrderedDict[tuple[int, int], Chunks] = OrderedDict()
        self._answers: dict[int, asyncio.Future[tuple[Wire, ...]]] = {}
        self._ids, self._files = 0, 0

    # -- what clients ask -------------------------------------------------------------------------------

    def asked(self, client: int, row: Message, packet: Packet, music: Music = None) -> None:
        """A request goes to the engine; numbers of lanes are those here."""
        if row not in _WATCHED and not is_change(row):
            return
        try:
            values = row.check(packet.values)
        except SegueError:
            return  # the engine says what is wrong
        id = int(str(values["id"])) if "id" in values else 0
        if row is messages.REGION_BEGIN:
            self._uploads[client, int(str(values["transfer"]))] = Chunks(values)
            while len(self._uploads) > UPLOADS_MAX:
                self._uploads.popitem(last=False)
        elif row is messages.REGION_CHUNK:
            upload = self._uploads.get((client, int(str(values["transfer"]))))
            if upload is not None:
                upload.data[int(str(values["chunk"]))] = str(values["data"])
        elif row is messages.REGION_END:
            upload = self._uploads.get((client, int(str(values["transfer"]))))
            lane = int(str(upload.begin["lane"])) if upload else -1
            self._remember(client, id, row, lane, values)
            if upload:
                self._enter(Entry(row, values, client, id, upload), lane)
        else:
            lane = int(str(values["lane"]))
            if is_change(row) or row is messages.REGION_FILE:
                self._enter(Entry(row, values, client, id, music), lane)
            self._remember(client, id, row, lane, values)

    def _remember(self, client: int, id: int, row: Message, lane: int, values: Mapping[str, Value]) -> None:
        self._asked[client, id, row.address] = row, lane, values
        while len(self._asked) > ASKED_MAX:
            self._asked.popitem(last=False)

    def _enter(self, entry: Entry, lane: int) -> None:
        journal = self._lanes.get(lane)
        if journal is not None and (not entry.id or (entry.client, entry.id, entry.row) not in journal):
            journal.asked(entry, self._engine.position_beats(lane))

    # -- what the engine answers ----------------------------------------------------------------------

    def answered(self, client: int, address: str, values: tuple[Wire, ...]) -> None:
        """An answer of the engine; numbers of lanes are those here."""
        if client == OWN_CLIENT:
            self._own_answer(address, values)
            return
        if address not in (messages.OK.address, messages.ERROR.address) or len(values) < 2:
            return
        id = int(str(values[0]))
        row, lane, asked = self._asked.pop((client, id, str(values[1])), (None, -1, {}))
        if row is None:
            return
        if row is messages.LANE_OPEN:
            if address == messages.OK.address:
                self._opened(client, int(str(values[2])))
            return
        journal = self._lanes.get(lane)
        if journal is None:
            return
        if address == messages.ERROR.address:
            journal.refused(client, id, row)
        elif row is messages.LANE_CLOSE:
            del self._lanes[lane]
        elif row is messages.LANE_CANCEL:
            journal.cancelled(client, int(str(asked["which"])), self._engine.position_beats(lane))
        else:
            names = [each.name for each in row.reply]
            journal.placed(client, id, row, dict(zip(names, values[2:], strict=False)))

    def _opened(self, client: int, lane: int) -> None:
        journal = self._lanes.get(lane)
        if journal is None or journal.client != client:
            self._lanes[lane] = LaneJournal(client)
        elif journal.lost:
            journal.opened_again()

    def _own_answer(self, address: str, values: tuple[Wire, ...]) -> None:
        waiting = self._answers.get(int(str(values[0]))) if values and address in osc.ANSWERED else None
        if waiting is None or waiting.done() or address == messages.PROGRESS.address:
            return
        if address == messages.ERROR.address:
            waiting.set_exception(from_wire(str(values[2]), str(values[3])))
        else:
            waiting.set_result(values[2:])

    # -- another engine -----------------------------------------------------------------------------------

    def lost(self, lane: int) -> None:
        """A lane's engine is gone, or knows nothing of it any more."""
        if lane in self._lanes:
            self._lanes[lane].lost = True
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(NoAnswer("the engine is gone"))

    def lost_but(self, going_on: set[int | None]) -> None:
        """A new connection: only these lanes go on."""
        for lane in self._lanes.keys() - going_on:
            self.lost(lane)

    def gone(self, client: int) -> None:
        """A client has left: its lanes will not be opened again."""
        self._lanes = {lane: each for lane, each in self._lanes.items() if each.client != client}

    def waiting(self) -> set[int]:
        """Lanes that their clients will open again."""
        return {lane for lane, journal in self._lanes.items() if journal.lost}

    def holds(self, client: int, row: Message, packet: Packet) -> int:
        """The lane whose journal goes to the engine before this request; -1: none does."""
        if row is not messages.LANE_PLAY or len(packet.values) < 2 or not isinstance(packet.values[1], int):
            return -1
        journal = self._lanes.get(packet.values[1])
        return packet.values[1] if journal and journal.restoring and journal.client == client else -1

    async def restore(self, lane: int) -> str:
        """Tell the engine what the journal has, and return that in words; empty if there was nothing to tell."""
        journal = self._lanes[lane]
        entries = journal.to_send(self._engine.position_beats(lane))
        if not entries:
            return ""
        refused = list[str]()
        await self._ask(messages.HELLO, Packet(messages.HELLO.address, (0, 0, "segue relay")))
        for entry in entries:
            if journal.lost:
                return ""
            try:
                await self._send(entry, lane)
            except SegueError as fault:
                refused.append(str(fault))
        self._engine.send(frames.gone(OWN_CLIENT))
        told = f"lane {lane} goes on from its journal: {len(entries) - len(refused)} of {len(entries)} settings"
        return f"{told}{''.join(f'; {text}' for text in refused)}"

    async def _send(self, entry: Entry, lane: int) -> None:
        music, row = entry.music, entry.row
        if isinstance(music, Chunks):
            await self._ask(messages.REGION_BEGIN, packet_of(messages.REGION_BEGIN, music.begin, lane=lane))
            transfer = music.begin["transfer"]
            for chunk, data in music.data.items():
                values: dict[str, Value] = {"id": 0, "transfer": transfer, "chunk": chunk, "data": data}
                sent = packet_of(messages.REGION_CHUNK, values)
                self._engine.send(self._to_engine(OWN_CLIENT, messages.REGION_CHUNK, sent))
            await self._ask(row, packet_of(row, entry.values))
        elif music is not None:
            self._files += 1
            for part in frames.file_parts(OWN_FILES + self._files, music):
                self._engine.send(part)
                await asyncio.sleep(0)
            path = f"{osc.FILE_PREFIX}{OWN_FILES + self._files}"
            await self._ask(row, packet_of(row, entry.values, lane=lane, path=path))
        else:
            await self._ask(row, packet_of(row, entry.values, lane=lane))

    async def _ask(self, row: Message, packet: Packet) -> tuple[Wire, ...]:
        """Ask as the relay itself; SegueError."""
        self._ids += 1
        packet = Packet(packet.address, (messages.COUNTED_FROM + self._ids, *packet.values[1:]))
        waiting = self._answers[int(str(packet.values[0]))] = asyncio.get_running_loop().create_future()
        self._engine.send(self._to_engine(OWN_CLIENT, row, packet))
        try:
            return await asyncio.wait_for(waiting, ANSWER_SECONDS)
        except TimeoutError:
            raise NoAnswer(f"the engine did not answer {row.address} in {ANSWER_SECONDS:g} s") from None
        finally:
            del self._answers[int(str(packet.values[0]))]


OWN_FILES = 2**31  # numbers of files that the relay sends itself are above
_WATCHED = (
    messages.LANE_OPEN, messages.LANE_CLOSE, messages.LANE_PLAY, messages.LANE_STOP, messages.LANE_RESEED,
    messages.LANE_CANCEL, messages.REGION_FILE, messages.REGION_BEGIN, messages.REGION_CHUNK, messages.REGION_END,
)  # fmt: skip
