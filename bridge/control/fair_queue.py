"""Datagrams that wait to be served, in turn: one that sends much delays the others by one message.

    turns   client A | client B | machine 1: port 7, port 9, ... | machine 2: ...      a message each, round and round

Each sender that has said hello has a turn of its own. All other senders of a machine share one, and take it in turn:
a program that sends from a thousand ports delays the others no more than one that sends from one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from bridge.control.clients import Source

OF_ONE_MAX = 4096  # datagrams of one turn that wait, more than a sender's ration allows at once; more are dropped
WAITING_MAX = 16384
WAITING_BYTES_MAX = 8 << 20
UNKNOWN_SHARE = 0.75  # of all room, for senders that have not said hello

Turn = Source | str  # a client, or a machine


class _Senders:
    """What waits under one turn: a queue for each sender, in the order of their turns."""

    def __init__(self) -> None:
        self.of: OrderedDict[Source, deque[bytes]] = OrderedDict()
        self.waiting = 0

    def put(self, datagram: bytes, source: Source) -> None:
        queue = self.of.get(source)
        if queue is None:
            self.of[source] = deque((datagram,))
        else:
            queue.append(datagram)
        self.waiting += 1

    def take(self) -> tuple[bytes, Source]:
        source, queue = next(iter(self.of.items()))
        taken, left = (queue[0], source), self.waiting - 1
        queue.popleft()  # nothing from here on takes memory
        self.waiting = left
        if queue:
            self.of.move_to_end(source)
        else:
            del self.of[source]
        return taken


class FairQueue:
    """First in, first out for each sender; `known` says who has said hello. All of it [control]."""

    def __init__(self, known: Callable[[Source], bool]) -> None:
        self._known = known
        self._turns: OrderedDict[Turn, _Senders] = OrderedDict()
        self._waiting = 0
        self._waiting_bytes = 0

    def __len__(self) -> int:
        return self._waiting

    def put(self, datagram: bytes, source: Source) -> bool:
        """Append a datagram; False if there is no room for it."""
        known = self._known(source)
        turn = self._turn_of(source, known)
        share = 1.0 if known else UNKNOWN_SHARE
        full = self._waiting >= share * WAITING_MAX or self._waiting_bytes + len(datagram) > share * WAITING_BYTES_MAX
        senders = self._turns.get(turn)
        if full or (senders is not None and senders.waiting >= OF_ONE_MAX):
            return False
        if senders is None:
            senders = self._turns[turn] = _Senders()
        senders.put(datagram, source)
        self._waiting += 1
        self._waiting_bytes += len(datagram)
        return True

    def _turn_of(self, source: Source, known: bool) -> Turn:
        """The turn under which a sender's datagrams wait already, so that they stay in order; else as it is known."""
        machine = self._turns.get(source[0])
        if machine is not None and source in machine.of:
            return source[0]
        return source if known or source in self._turns else source[0]

    def take(self) -> tuple[bytes, Source]:
        """The next datagram; the next turn of its client or machine comes after all others.  KeyError if none waits."""
        if not self._turns:
            self._waiting = self._waiting_bytes = 0  # whatever was not counted for want of memory
            raise KeyError("nothing waits")
        turn, senders = next(iter(self._turns.items()))
        if not senders.of:  # for want of memory it was made, and not filled
            del self._turns[turn]
            return self.take()
        taken = senders.take()
        if senders.of:
            self._turns.move_to_end(turn)
        else:
            del self._turns[turn]
        self._waiting -= 1
        self._waiting_bytes -= len(taken[0])
        return taken
