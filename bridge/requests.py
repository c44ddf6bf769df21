"""A request on its way to an answer: what a handler sees, what it answers with, and the memory of answers.

A handler returns the values of the ok answer (nothing: no values), raises a SegueError, or returns LATER and
keeps `request.responder`, whose `ok`, `error` and `progress` may then be called from any thread.

A request that comes again (same client, id and content, no later than REMEMBERED_SECONDS) is done once: the
repeat gets the first one's answer, and none while that is not known. The same id with other content is new.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from bridge import messages
from bridge.arguments import At, Message, Value
from bridge.clients import Client, Source
from bridge.errors import SegueError
from bridge.packet import Packet, Wire

REMEMBERED_SECONDS = 10.0
REMEMBERED_MAX = 4096
TEXT_BYTES_MAX = 900  # of one text in an answer, so that the datagram stays under 1,400

Send = Callable[[bytes, Source], None]
_log = logging.getLogger("segue.bridge")


class Later:
    """The type of LATER."""


LATER: Final = Later()


@dataclass(frozen=True, slots=True)
class Request:
    """One checked request: its row, its arguments by name, who asked, and how to answer later."""

    message: Message
    id: int
    values: Mapping[str, Value]
    client: Client
    source: Source
    responder: Responder

    def whole(self, name: str) -> int:
        """A whole-number argument.  [control]"""
        value = self.values[name]
        if not isinstance(value, int):
            raise TypeError(f"{name} of {self.message.address} is not a whole number")
        return value

    def number(self, name: str) -> float:
        """A number argument.  [control]"""
        value = self.values[name]
        if isinstance(value, (str, At)):
            raise TypeError(f"{name} of {self.message.address} is not a number")
        return float(value)

    def text(self, name: str) -> str:
        """A text argument.  [control]"""
        value = self.values[name]
        if not isinstance(value, str):
            raise TypeError(f"{name} of {self.message.address} is not text")
        return value

    def at(self, name: str = "at") -> At:
        """An argument that says when.  [control]"""
        value = self.values[name]
        if not isinstance(value, At):
            raise TypeError(f"{name} of {self.message.address} does not say when")
        return value


Answer = tuple[object, ...] | Later | None
Handler = Callable[[Request], Answer]


class Responder:
    """Answers one request, once; every method may be called from any thread and none waits."""

    def __init__(self, message: Message, id: int, client: Client, send: Send) -> None:
        self.message = message
        self.id = id
        self.client = client
        self._send = send
        self._lock = threading.Lock()
        self._answer: bytes | None = None
        self._then: list[Callable[[], None]] = []

    @property
    def answered(self) -> bool:
        """True after `ok` or `error`.  [any]"""
        return self._answer is not None

    def ok(self, *values: object) -> bool:
        """Say that it is done. Values that do not fit the table are our fault and become an error.

        False, and nothing is sent, when it was answered before.  [any]
        """
        try:
            rest = [
                _clipped(value) for value in self.message.reply_values([_clipped(value) for value in values])
            ]
            datagram = messages.OK.pack(self.id, self.message.address, rest=rest)
        except (SegueError, ValueError) as fault:
            _log.error("answer to %s does not fit the table: %s", self.message.address, fault)
            return self.error(SegueError(f"the engine's answer does not fit its own table: {fault}"))
        return self._finish(datagram, quiet=self.message.quiet)

    def error(self, fault: Exception) -> bool:
        """Say that it failed, with the fault's code word; False when it was answered before.  [any]"""
        return self._finish(error_datagram(self.id, self.message.address, fault))

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Say how far it is; nothing after the answer.  [any]"""
        if not self.answered:
            datagram = messages.PROGRESS.pack(self.id, self.message.address, done, total, _clipped(text))
            self._send(datagram, self.client.address)

    def answer_from(self, pool: Executor, job: Callable[[], tuple[object, ...]]) -> Later:
        """Have `job` done by a thread of `pool` and answer with what it returns or raises.

        For handlers: `return request.responder.answer_from(pool, lambda: ...)`.  [control]
        """
        pool.submit(self._answer_by, job)
        return LATER

    def again(self) -> None:
        """Send the answer once more, when there is one.  [any]"""
        if self._answer:
            self._send(self._answer, self.client.address)

    def when_answered(self, then: Callable[[], None]) -> None:
        """Call `then` after the answer, at once when it was given already.  [any]"""
        with self._lock:
            if self._answer is None:
                self._then.append(then)
                return
        then()

    def _answer_by(self, job: Callable[[], tuple[object, ...]]) -> None:
        try:
            self.ok(*job())
        except SegueError as fault:
            self.error(fault)
        except Exception as fault:  # ours: told as such, with the inside in the log only
            _log.exception("%s failed", self.message.address)
            self.error(fault)

    def _finish(self, datagram: bytes, quiet: bool = False) -> bool:
        with self._lock:
            if self._answer is not None:
                return False
            self._answer = b"" if quiet else datagram
            waiting, self._then = self._then, []
        self.again()
        for then in waiting:
            then()
        return True


class Memory:
    """Requests of the last seconds, to know a repeat, and those not answered yet. Used on [control] only."""

    def __init__(self) -> None:
        self._requests: OrderedDict[tuple[Source, int], tuple[float, Packet, Responder]] = OrderedDict()

    def repeated(self, client: Client, packet: Packet, id: int, now_seconds: float) -> Responder | None:
        """The responder of the same request, when it came before and was not answered long ago.  [control]"""
        key = (client.address, id)
        at, known, responder = self._requests.get(key, (0.0, None, None))
        if known is None or responder is None:
            return None
        stale = responder.answered and now_seconds - at > REMEMBERED_SECONDS
        if stale or (known.address, known.values) != (packet.address, packet.values):
            return None
        self._requests[key] = (now_seconds, known, responder)
        self._requests.move_to_end(key)
        return responder

    def keep(self, packet: Packet, responder: Responder, now_seconds: float) -> None:
        """Remember a request; the oldest go.  [control]"""
        key = (responder.client.address, responder.id)
        self._requests.pop(key, None)
        self._requests[key] = (now_seconds, packet, responder)
        while self._requests and self._oldest_is_done(now_seconds):
            self._requests.popitem(last=False)

    def unanswered(self, client: Client) -> list[Responder]:
        """Requests of a client that wait for their answer.  [control]"""
        mine = (r for at, p, r in self._requests.values() if r.client == client)
        return [responder for responder in mine if not responder.answered]

    def forget(self, client: Client) -> None:
        """Drop what a client's earlier ids stand for.  [control]"""
        for key in [key for key in self._requests if key[0] == client.address]:
            del self._requests[key]

    def _oldest_is_done(self, now_seconds: float) -> bool:
        at, _, responder = next(iter(self._requests.values()))
        too_many = len(self._requests) > REMEMBERED_MAX
        return too_many or (responder.answered and now_seconds - at > REMEMBERED_SECONDS)


def error_datagram(id: int, address: str, fault: Exception) -> bytes:
    """An error answer; what is not a SegueError is told as `internal` without its inside.  [any]"""
    if isinstance(fault, SegueError):
        code, text = fault.code, fault.text
    else:
        code, text = (
            SegueError.code,
            f"the engine failed in {address or 'a message'} ({type(fault).__name__})",
        )
    return messages.ERROR.pack(id, _clipped(address), code, _clipped(_printable(text)))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def _clipped(value: object) -> Wire:
    """Text cut to what fits an answer; anything else as it is."""
    if isinstance(value, str) and len(value.encode("utf-8", "replace")) > TEXT_BYTES_MAX:
        return value.encode("utf-8", "replace")[: TEXT_BYTES_MAX - 3].decode("utf-8", "ignore") + "..."
    return value  # type: ignore[return-value]
