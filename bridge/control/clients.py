"""The register of clients, and where the answer to a datagram goes.

Answers go to the machine that asked, never elsewhere; a client chooses only the port, from 1024 up.

    source registered by hello                ->  its reply port
    source unknown, its machine gave a port   ->  the last port given (oscsend: a new source port each time)
    the same, of clients that were removed    ->  likewise
    otherwise                                 ->  the source port
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.errors import Busy, OutOfRange

CLIENTS_MAX = 64
PORT_MIN = 1024
TIMEOUT_SECONDS = 30.0
WARNED_SECONDS = 20.0  # of silence, after which a client is warned
Source = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Client:
    """The address of answers: host and UDP port, and whether it is registered. Equal ones are the same client."""

    host: str
    port: int
    registered: bool = False
    name: str = field(default="", compare=False)

    @property
    def address(self) -> Source:
        """Where datagrams for it go.  [any]"""
        return self.host, self.port

    @property
    def local(self) -> bool:
        """Whether it is on this machine.  [any]"""
        return is_loopback(self.host)


@dataclass(slots=True)
class _KnownClient:
    client: Client
    source: Source
    received_at_seconds: float
    chose_port: bool
    warned: bool = False  # it was warned of its silence; a removed one: of its removal, since it sent again

    @property
    def where(self) -> Source:
        """Where datagrams for it go."""
        return self.client.address


class Clients:
    """The register. Written on [control]; any thread may read `all`.

    With `strict` only the source of a hello counts as registered.
    """

    def __init__(self, on_gone: Callable[[Client], None] | None = None, strict: bool = False) -> None:
        self._entries: dict[Source, _KnownClient] = {}  # by the address of answers; the last hello is last
        self._by_source: dict[Source, _KnownClient] = {}
        self._forgotten: OrderedDict[Source, _KnownClient] = OrderedDict()  # by source
        self._on_gone = on_gone
        self._strict = strict
        self._lock = threading.Lock()

    def hello(self, source: Source, reply_port: int, name: str, now_seconds: float) -> Client:
        """Register a sender; port 0: its source port. OutOfRange below 1024, Busy when full.

        A source that changes its port is a new client; the old one is removed.  [control]
        """
        where = (source[0], reply_port or source[1])
        if where[1] < PORT_MIN:
            raise OutOfRange(f"reply_port is {where[1]}, must be {PORT_MIN} to 65535, or 0")
        before = self._by_source.get(source)
        if before and before.client.address != where:
            self.remove(before.client)
        if where not in self._entries and len(self._entries) >= CLIENTS_MAX:
            raise Busy(f"{CLIENTS_MAX} clients are registered and there is room for no more")
        entry = _KnownClient(Client(*where, True, name), source, now_seconds, reply_port != 0)
        self._forgotten = OrderedDict((k, e) for k, e in self._forgotten.items() if k != source and e.where != where)
        with self._lock:
            self._take_out(where)
            self._entries[where] = self._by_source[source] = entry
        return entry.client

    def of(self, source: Source, now_seconds: float) -> Client:
        """The client of a source; an unregistered one at the source port if there is none.  [control]"""
        entry = self._by_source.get(source)
        if entry is None and not self._strict:
            entry = _chosen(self._entries, source[0])
        if entry is None:
            gone = self._gone(source)
            return Client(*(source if gone is None else gone.where))
        entry.received_at_seconds, entry.warned = now_seconds, False
        return entry.client

    def knows(self, source: Source) -> bool:
        """Whether this exact sender said hello.  [control]"""
        return source in self._by_source

    def speaks_again(self, source: Source) -> Client | None:
        """A removed client that sends again, once: it is notified that it was removed.  [control]"""
        gone = None if source in self._by_source else self._gone(source)
        if gone is None or gone.warned or (not self._strict and _chosen(self._entries, source[0])):
            return None
        gone.warned = True
        return Client(*gone.where)

    def _gone(self, source: Source) -> _KnownClient | None:
        gone = self._forgotten.get(source)
        return gone if gone is not None or self._strict else _chosen(self._forgotten, source[0])

    def remove(self, client: Client) -> None:
        """Remove a client and call `on_gone`; no effect if it is not registered.  [control]"""
        with self._lock:
            gone = self._take_out(client.address)
        if gone and self._on_gone:
            self._on_gone(gone.client)

    def expire(self, now_seconds: float) -> list[Client]:
        """Remove and return the clients that sent nothing for TIMEOUT_SECONDS.  [control]"""
        late = [e for e in self._entries.values() if now_seconds - e.received_at_seconds > TIMEOUT_SECONDS]
        for entry in late:
            self.remove(entry.client)
            entry.warned = False
            self._forgotten[entry.source] = entry
            if len(self._forgotten) > CLIENTS_MAX:
                self._forgotten.popitem(last=False)
        return [entry.client for entry in late]

    def falling_silent(self, now_seconds: float) -> list[Client]:
        """The clients that sent nothing for WARNED_SECONDS and were not warned yet.  [control]"""
        late = [
            e for e in self._entries.values() if not e.warned and now_seconds - e.received_at_seconds > WARNED_SECONDS
        ]
        for entry in late:
            entry.warned = True
        return [entry.client for entry in late]

    def all(self) -> list[Client]:
        """All registered clients.  [any]"""
        with self._lock:
            return [entry.client for entry in self._entries.values()]

    def _take_out(self, where: Source) -> _KnownClient | None:
        entry = self._entries.pop(where, None)
        if entry:
            self._by_source.pop(entry.source, None)
        return entry


def _chosen(entries: Mapping[Source, _KnownClient], host: str) -> _KnownClient | None:
    """The last entry of a machine that gave a reply port."""
    chosen = [entry for entry in entries.values() if entry.chose_port and entry.client.host == host]
    return chosen[-1] if chosen else None


def is_loopback(host: str) -> bool:
    """True for addresses of this machine only.  [any]"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
