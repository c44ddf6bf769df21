"""Requests of the last seconds, by client: to recognise repeats, and those without an answer yet."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from bridge.control.clients import Client, Source
from bridge.control.messages import COUNTED_FROM
from bridge.control.packet import Packet
from bridge.control.requests import Responder
from bridge.control.suggestions import ALL, Thing

REMEMBERED_SECONDS = 10.0
REMEMBERED_MAX = 256  # of one client
CLIENTS_KNOWN = 128  # the one that was silent longest is dropped
Key = TypeVar("Key")


@dataclass(slots=True)
class _KnownRequest:
    at_seconds: float
    number: int
    packet: Packet
    responder: Responder
    thing: Thing | None


@dataclass(slots=True)
class _Book:
    """One client's requests by id, and the number of the last one that changed each thing."""

    requests: OrderedDict[int, _KnownRequest] = field(default_factory=OrderedDict)
    changes: OrderedDict[Thing, int] = field(default_factory=OrderedDict)
    wholes: OrderedDict[str, int] = field(default_factory=OrderedDict)


class Memory:
    """Recent requests of the clients. Used on [control] only; a client's entries displace only its own."""

    def __init__(self) -> None:
        self._books: OrderedDict[Source, _Book] = OrderedDict()
        self._numbers = itertools.count(1)

    def repeated(self, client: Client, packet: Packet, id: int, now_seconds: float) -> Responder | None:
        """The responder of the same request, if it came before and was not answered long ago.

        None as well if the id may be used twice and the client has changed the same thing since: then it is a new
        request.  [control]
        """
        book = self._books.get(client.address)
        known = None if book is None else book.requests.get(id)
        if book is None or known is None:
            return None
        if _is_past(known, now_seconds):
            return None
        if (known.packet.address, known.packet.values) != (packet.address, packet.values):
            return None
        if id < COUNTED_FROM and _overtaken(book, known):
            return None
        known.at_seconds = now_seconds
        book.requests.move_to_end(id)
        return known.responder

    def keep(self, packet: Packet, responder: Responder, now_seconds: float, changes: Thing | None = None) -> None:
        """Remember a request and what it changes; drops the client's oldest. Id 0 has no repeats.  [control]"""
        book = self._book(responder.client.address)
        number = next(self._numbers)
        if changes is not None:
            _put(book.changes, changes, number)
            _put(book.wholes, changes.whole, number)
        if responder.id:
            book.requests.pop(responder.id, None)
            book.requests[responder.id] = _KnownRequest(now_seconds, number, packet, responder, changes)
            while _oldest_is_done(book, now_seconds):
                book.requests.popitem(last=False)

    def unanswered(self, client: Client) -> list[Responder]:
        """Requests of a client without an answer yet.  [control]"""
        book = self._books.get(client.address)
        entries = [] if book is None else list(book.requests.values())
        return [entry.responder for entry in entries if not entry.responder.answered]

    def forget(self, client: Client) -> None:
        """Forget a client's earlier ids.  [control]"""
        self._books.pop(client.address, None)

    def tidy(self, now_seconds: float) -> None:
        """Drop clients without remembered requests.  [control]"""
        for where, book in list(self._books.items()):
            if all(_is_past(entry, now_seconds) for entry in reversed(book.requests.values())):
                del self._books[where]

    def _book(self, where: Source) -> _Book:
        book = self._books.setdefault(where, _Book())
        self._books.move_to_end(where)
        if len(self._books) > CLIENTS_KNOWN:
            self._books.popitem(last=False)
        return book


def _overtaken(book: _Book, entry: _KnownRequest) -> bool:
    """Whether a later request changed the same thing."""
    thing = entry.thing
    if thing is None:
        return False
    if thing.part == ALL:
        return book.wholes.get(thing.whole, 0) > entry.number
    later = max(book.changes.get(thing, 0), book.changes.get(Thing(thing.whole, ALL), 0))
    return later > entry.number


def _put(numbers: OrderedDict[Key, int], key: Key, number: int) -> None:
    numbers[key] = number
    numbers.move_to_end(key)
    if len(numbers) > REMEMBERED_MAX:
        numbers.popitem(last=False)


def _oldest_is_done(book: _Book, now_seconds: float) -> bool:
    if not book.requests:
        return False
    oldest = next(iter(book.requests.values()))
    return len(book.requests) > REMEMBERED_MAX or _is_past(oldest, now_seconds)


def _is_past(entry: _KnownRequest, now_seconds: float) -> bool:
    return entry.responder.answered and now_seconds - entry.at_seconds > REMEMBERED_SECONDS
