"""Requests and their answers: what a handler gets, and what it answers with.

A handler returns the values of the ok answer (None: no values), raises a SegueError, or returns LATER and keeps
`request.responder`, whose `ok`, `error` and `progress` may then be called from any thread.

A repeated request (same client, id and content, within a few seconds, while its client changed nothing else of the
same thing, see request_memory.py) takes effect once: the repeat gets the first answer, when that is known. The same id
with other content is a new request.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from bridge.control import messages
from bridge.control.arguments import At, Message, Value
from bridge.control.clients import Client, Source
from bridge.control.packet import Wire, with_first
from bridge.errors import SegueError

TEXT_BYTES_MAX = 900  # of one text in an answer: the datagram stays under 1,400

Send = Callable[[bytes, Source], None]
_log = logging.getLogger("segue.bridge")


class Later:
    """The type of LATER."""


LATER: Final = Later()


@dataclass(frozen=True, slots=True)
class Request:
    """One checked request: its row, its arguments by name, its client, and its responder."""

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
        """An argument of kind `at`.  [control]"""
        value = self.values[name]
        if not isinstance(value, At):
            raise TypeError(f"{name} of {self.message.address} does not say when")
        return value


Answer = tuple[object, ...] | Later | None
Handler = Callable[[Request], Answer]


class Responder:
    """Answers one request, once. Any thread may call its methods; none waits.

    `short`: the request came in the short form. `room_bytes`: the most that an answer may have.
    """

    def __init__(
        self,
        message: Message,
        id: int,
        client: Client,
        send: Send,
        short: bool = False,
        room_bytes: int | None = None,
    ) -> None:
        self.message = message
        self.id = id
        self.client = client
        self.room_bytes = room_bytes
        self._quiet = message.quiet or (short and not message.asks)
        self._send = send
        self._lock = threading.Lock()
        self._answer: bytes | None = None
        self._refused = ""
        self._then: list[Callable[[], None]] = []

    @property
    def answered(self) -> bool:
        """Whether `ok` or `error` was called.  [any]"""
        return self._answer is not None

    @property
    def outcome(self) -> str:
        """What became of the request, in words: ok, later, or error with its code and text.  [any]"""
        return self._refused or ("ok" if self.answered else "later")

    def ok(self, *values: object) -> bool:
        """Send the ok answer; values that do not fit the row become an error.

        False, and nothing is sent, if it was answered before.  [any]
        """
        try:
            datagram = self._packed(values)
        except (SegueError, ValueError) as fault:
            _log.error("answer to %s does not fit the table: %s", self.message.address, fault)
            return self.error(SegueError(f"the engine's answer does not fit its own table: {fault}"))
        return self._finish(datagram, quiet=self._quiet)

    def _packed(self, values: Sequence[object]) -> bytes:
        rest = [_clipped(value) for value in self.message.reply_values([_clipped(value) for value in values])]
        return messages.OK.pack(self.id, self.message.address, rest=rest)

    def ok_with(self, others: Sequence[Responder], *values: object) -> None:
        """Send the same ok answer to other requests of this kind, and to this one.  [any]"""
        try:
            datagram = self._packed(values)
        except (SegueError, ValueError):
            for responder in (*others, self):
                responder.ok(*values)
            return
        for responder in (*others, self):
            responder._finish(with_first(datagram, responder.id), quiet=responder._quiet)

    def error(self, fault: Exception) -> bool:
        """Send an error answer with the fault's code; False if it was answered before.  [any]"""
        if not self.answered:
            self._refused = outcome_of(fault)  # not the fault: its traceback would keep the music of a request
        return self._finish(error_datagram(self.id, self.message.address, fault, self.room_bytes))

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Send progress; no effect after the answer.  [any]"""
        if not self.answered and not self._quiet:
            datagram = messages.PROGRESS.pack(self.id, self.message.address, done, total, _clipped(text))
            self._send(datagram, self.client.address)

    def answer_from(self, pool: Executor, job: Callable[[], tuple[object, ...]]) -> Later:
        """Run `job` on a thread of `pool` and answer with what it returns or raises.

        For handlers: `return request.responder.answer_from(pool, lambda: ...)`.  [control]
        """
        pool.submit(self.answer_by, job)
        return LATER

    def again(self) -> None:
        """Send the answer once more, if there is one.  [any]"""
        if self._answer and (self.room_bytes is None or len(self._answer) <= self.room_bytes):
            self._send(self._answer, self.client.address)

    def when_answered(self, then: Callable[[], None]) -> None:
        """Call `then` after the answer, at once if it was answered already.  [any]"""
        with self._lock:
            if self._answer is None:
                self._then.append(then)
                return
        then()

    def answer_by(self, job: Callable[[], tuple[object, ...]]) -> None:
        """Run `job`, and answer with what it returns or raises.  [any]"""
        try:
            self.ok(*job())
        except SegueError as fault:
            self.error(fault)
        except Exception as fault:  # our fault: the client gets `internal`, the log the traceback
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


def error_datagram(id: int, address: str, fault: Exception, room_bytes: int | None = None) -> bytes:
    """An error answer; anything but a SegueError becomes `internal` without its text.

    If it has more than `room_bytes`, the text is cut, then the address omitted; it may still be too long.  [any]
    """
    code, text = _said(fault, address)
    whole = messages.ERROR.pack(id, _clipped(address), code, _clipped(_printable(text)))
    if room_bytes is None or len(whole) <= room_bytes:
        return whole
    bare = messages.ERROR.pack(id, address, code, "")
    if len(bare) > room_bytes:
        return messages.ERROR.pack(id, "", code, "")
    room = room_bytes // 4 * 4 - len(bare) + 3  # `bare` holds a zero and padding for the text
    cut = _printable(text).encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    return messages.ERROR.pack(id, address, code, cut)


def outcome_of(fault: Exception) -> str:
    """A fault as what became of a request, in words.  [any]"""
    return "error {} {}".format(*_said(fault, ""))


def _said(fault: Exception, address: str) -> tuple[str, str]:
    """The code and the text of a fault."""
    if isinstance(fault, SegueError):
        return fault.code, fault.text
    return SegueError.code, f"the engine failed in {address or 'a message'} ({type(fault).__name__})"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def _clipped(value: object) -> Wire:
    """Text cut to TEXT_BYTES_MAX; anything else unchanged."""
    if isinstance(value, str) and len(value.encode("utf-8", "replace")) > TEXT_BYTES_MAX:
        return value.encode("utf-8", "replace")[: TEXT_BYTES_MAX - 3].decode("utf-8", "ignore") + "..."
    return value  # type: ignore[return-value]
