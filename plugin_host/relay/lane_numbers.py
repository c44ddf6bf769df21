"""Lane numbers of a farm's musician: from 0, and his alone, whichever numbers the engine gave his lanes.

    here 0 1      there 5 2       an engine elsewhere, after a loss:       here 0 1     there 3 4

So a lane keeps its number on another engine, where somebody else may have it. Lanes of others are neither seen nor
steered. With one engine, which all its musicians see, numbers stay as they are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from bridge.control import messages
from bridge.control.arguments import Argument, Message
from bridge.control.packet import Packet, Wire, encode
from bridge.errors import NoSuchLane
from bridge.far import osc


def _at(arguments: tuple[Argument, ...]) -> int:
    return next((at for at, each in enumerate(arguments) if each.name == "lane" and each.kind == "i"), -1)


_ASKED = {row.address: _at(row.arguments) for row in messages.REQUESTS}
_TOLD = {row.address: _at(row.arguments) for row in messages.EVENTS}
_ANSWERED = {row.address: _at(row.reply) + 2 for row in messages.REQUESTS if _at(row.reply) >= 0}  # after id, address
SENT_MAX = 512  # requests that may be repeated


class LaneNumbers:
    """The numbers of one relay's lanes; all of it [main]."""

    def __init__(self, waiting: Callable[[], set[int]]) -> None:
        """`waiting`: numbers that a new lane does not get, as their clients will open them again."""
        self.apart = False  # whether lanes have numbers of their own here
        self._waiting = waiting
        self._sent: OrderedDict[tuple[int, int, str], int] = OrderedDict()  # for repeats: a lane may be closed by then
        self._there: dict[int, int] = {}
        self._opening: dict[tuple[int, int], int] = {}  # by client and id: the number that is wanted

    def there(self, row: Message, client: int, packet: Packet) -> Packet:
        """A request with the engine's number; NoSuchLane for a lane that is not open.  [main]"""
        at = _ASKED.get(row.address, -1)
        if not self.apart or at < 0 or at >= len(packet.values):
            return packet
        here = packet.values[at]
        if isinstance(here, bool) or not isinstance(here, (int, float)) or here != here // 1:
            return packet  # the engine says what is wrong
        if row is messages.LANE_OPEN:
            self._opening[client, _id(packet)] = int(here)
            while len(self._opening) > messages.LANES_MAX:
                self._opening.pop(next(iter(self._opening)))
        if here < 0:
            return packet  # every lane, or the first free one
        asked = client, _id(packet), row.address
        there = self._there.get(int(here), self._sent.get(asked, -1) if asked[1] else -1)
        if there < 0 <= row.arguments[at].low:
            raise NoSuchLane(f"lane {int(here)} is not open")
        self._sent[asked] = there
        while len(self._sent) > SENT_MAX:
            self._sent.popitem(last=False)
        return osc.with_value(packet, at, there)

    def moved(self) -> None:
        """Another connection, which may be to another engine: no repeat goes there.  [main]"""
        self._sent.clear()

    def here(self, client: int, datagram: bytes) -> bytes | None:
        """An answer or event with the number here; None for what is about a lane of somebody else.  [main]"""
        if not self.apart:
            return datagram
        address, values = osc.answer_of(datagram)
        if address == messages.OK.address and len(values) > 1 and (at := _ANSWERED.get(str(values[1]), 0)):
            if len(values) <= at:
                return datagram
            lane = int(str(values[at]))
            if values[1] == messages.LANE_OPEN.address:
                self._bind(client, int(str(values[0])), lane)
        elif (at := _TOLD.get(address, -1)) >= 0 and len(values) > at:
            lane = int(str(values[at]))
        else:
            return datagram
        number = self.number_here(lane)
        return None if number is None else encode(address, _with(values, at, number))

    def number_here(self, there: int) -> int | None:
        """The number here of an engine's lane, None for somebody else's.  [main]"""
        if not self.apart:
            return there
        return next((here for here, number in self._there.items() if number == there), None)

    def number_there(self, here: int) -> int:
        """The engine's number of a lane, -1 for one that is not open.  [main]"""
        return self._there.get(here, -1) if self.apart else here

    def closed(self, there: int) -> None:
        """A lane is no more, or its engine is not.  [main]"""
        self._there = {here: number for here, number in self._there.items() if number != there}

    def _bind(self, client: int, id: int, there: int) -> None:
        wanted, known = self._opening.pop((client, id), -1), self.number_here(there)
        if known is not None and wanted in (-1, known):
            return
        self.closed(there)
        if wanted < 0:
            taken = {*self._there, *self._waiting()}
            wanted = next(number for number in range(len(taken) + 1) if number not in taken)
        self._there[wanted] = there


def _with(values: tuple[Wire, ...], at: int, value: int) -> tuple[Wire, ...]:
    return (*values[:at], value, *values[at + 1 :])


def _id(packet: Packet) -> int:
    first = packet.values[0] if packet.values else 0
    return first if isinstance(first, int) else 0
