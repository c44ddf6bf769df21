"""Datagrams that wait to be served, in turn of their senders: one that sends much delays the others by one message."""

from __future__ import annotations

from collections import deque

from bridge.control.clients import Source

OF_ONE_MAX = 4096  # datagrams of one sender that wait, more than its ration allows at once; more are dropped
WAITING_MAX = 16384
WAITING_BYTES_MAX = 8 << 20


class FairQueue:
    """First in, first out for each sender; senders take turns. All of it [control]."""

    def __init__(self) -> None:
        self._of: dict[Source, deque[bytes]] = {}  # in the order of their turns
        self._waiting = 0
        self._waiting_bytes = 0

    def __len__(self) -> int:
        return self._waiting

    def put(self, datagram: bytes, source: Source) -> bool:
        """Append a datagram; False if there is no room for it."""
        queue = self._of.get(source)
        full = self._waiting >= WAITING_MAX or self._waiting_bytes + len(datagram) > WAITING_BYTES_MAX
        if full or (queue is not None and len(queue) >= OF_ONE_MAX):
            return False
        if queue is None:
            queue = self._of[source] = deque()
        queue.append(datagram)
        self._waiting += 1
        self._waiting_bytes += len(datagram)
        return True

    def take(self) -> tuple[bytes, Source]:
        """The next datagram; its sender's next turn comes after everybody else's.  KeyError if none waits."""
        if not self._of:
            raise KeyError("nothing waits")
        source = next(iter(self._of))
        queue = self._of.pop(source)
        datagram = queue.popleft()
        self._waiting -= 1
        self._waiting_bytes -= len(datagram)
        if queue:
            self._of[source] = queue
        return datagram, source
