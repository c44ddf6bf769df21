"""From a parsed message to its answer: client, row, repeat, handler.

This module has no socket and no clock: `send` and the time are given. The dispatcher itself answers hello, challenge,
bye, ping and sync; everything else goes to the handler of its address.

If the engine has a secret, a sender that has not proved it is a stranger: it may request a challenge and send hello,
and no answer to it is longer than its request.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from bridge.control import lane_addresses, messages
from bridge.control.arguments import Message
from bridge.control.clients import TIMEOUT_SECONDS, WARNED_SECONDS, Client, Clients, Source
from bridge.control.limits import RateLimiter
from bridge.control.packet import Packet
from bridge.control.request_memory import Memory
from bridge.control.requests import (
    LATER,
    Answer,
    Handler,
    Later,
    Request,
    Responder,
    Send,
    error_datagram,
    outcome_of,
)
from bridge.control.secret import SecretKeeper
from bridge.control.suggestions import thing
from bridge.errors import NotAllowed, SegueError, UnknownAddress, Unsupported

Watch = Callable[[Packet, Source, Callable[[], str]], None]  # a message, its sender, what became of it in words
COMPLAINTS_PER_SECOND = 20  # errors to one sender about messages that are not in the table
ROWS = {row.address: row for row in messages.REQUESTS}
SHORT_ROWS = {messages.short(row): row for row in messages.REQUESTS}
_UNREMEMBERED = (messages.HELLO, messages.CHALLENGE, messages.PING)  # take effect again when they are repeated
_HELLO_AT = {messages.HELLO.address: 3, messages.short(messages.HELLO): 2}  # its values before the secret
_FOR_STRANGERS = (messages.HELLO, messages.CHALLENGE)
_QUIET = f"nothing came from you for {WARNED_SECONDS:g} s: say {messages.PING.address}, or your lanes are closed"
_FORGOTTEN = f"nothing came from you for {TIMEOUT_SECONDS:g} s: your lanes are closed; say {messages.HELLO.address}"
_log = logging.getLogger("segue.bridge")


@dataclass(slots=True)
class Counts:
    """Numbers of messages: received; refused with an error; dropped unread over the limit; repeated."""

    received: int = 0
    refused: int = 0
    shed: int = 0
    repeated: int = 0


class Dispatcher:
    """Answers messages by the table. ValueError for handlers of unknown addresses."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        send: Send,
        engine: str = "segue",
        secret: str = "",
        on_gone: Callable[[Client], None] | None = None,
        started_seconds: float = 0.0,
        plain_secret: bool = False,
    ) -> None:
        self._handlers: dict[str, Handler] = {
            messages.HELLO.address: self._hello,
            messages.CHALLENGE.address: self._challenge,
            messages.BYE.address: self._bye,
            messages.PING.address: self._ping,
            messages.SYNC.address: self._sync,
        }
        self.strict = bool(secret)
        self.clients = Clients(on_gone, self.strict)
        self.counts = Counts()
        self.handle(handlers)
        self._send = send
        self._engine = engine
        self._secret_keeper = SecretKeeper(secret, plain_secret)
        self._memory = Memory()
        self._complaints = RateLimiter(COMPLAINTS_PER_SECOND, COMPLAINTS_PER_SECOND)
        self._started_seconds = started_seconds
        self._now_seconds = started_seconds
        self._watch: Watch | None = None

    def watch(self, watch: Watch | None) -> None:
        """Set who sees each message, after it was handled; None for nobody.  [control]"""
        self._watch = watch

    def handle(self, handlers: Mapping[str, Handler]) -> None:
        """Answer more of the table's requests.  [main]"""
        if strange := sorted(set(handlers) - set(ROWS)):
            raise ValueError(f"handlers for addresses that the table does not have: {', '.join(strange)}")
        self._handlers = {**self._handlers, **handlers}

    def stranger(self, source: Source) -> bool:
        """Whether a sender has not proved the secret yet.  [control]"""
        return self.strict and not self.clients.knows(source)

    def trusts(self, source: Source) -> bool:
        """Whether the secret was proved from a sender's machine before.  [control]"""
        return self._secret_keeper.trusts(source[0])

    def dispatch(self, packet: Packet, source: Source, now_seconds: float, size_bytes: int = 0) -> None:
        """Answer one message, now or later; no message makes it raise.

        `size_bytes` is the size of its datagram: no answer to a stranger is longer.  [control]
        """
        self._now_seconds = now_seconds
        row, short = ROWS.get(packet.address), False
        if row is None and (row := SHORT_ROWS.get(packet.address)):
            packet, short = Packet(row.address, (0, *packet.values), packet.due_seconds), True
        elif row is None and (found := lane_addresses.read(packet)):
            (row, packet), short = found, True
        client, stranger = self.clients.of(source, now_seconds), self.stranger(source)
        if refusal := self._refusal(row, client, stranger):
            self.complain(packet, lambda: refusal, source, now_seconds, size_bytes)
            return
        if row is None:
            self.complain(packet, lambda: _unknown(packet.address), source, now_seconds)
            return
        self._warn_forgotten(source)
        responder = Responder(row, id_of(packet), client, self._send, short, size_bytes if stranger else None)
        try:
            values = row.check(packet.values)
        except SegueError as fault:
            self.counts.refused += 1
            responder.error(fault)
            self._seen(packet, source, lambda: responder.outcome)
            return
        request = Request(row, responder.id, values, client, source, responder)
        repeated = self._serve(packet, request)
        self._seen(packet, source, lambda: "repeat" if repeated else responder.outcome)

    def complain(
        self,
        packet: Packet,
        fault: Callable[[], SegueError],
        source: Source,
        now_seconds: float,
        size_bytes: int = 0,
    ) -> None:
        """Answer a message that is not in the table, at a limited rate.

        Only answered messages are diagnosed.  [control]
        """
        self.counts.refused += 1
        self._seen(packet, source, lambda: outcome_of(fault()))
        stranger = self.stranger(source)
        if self._complaints.admit(source[0] if stranger else source, now_seconds, not stranger):
            room = size_bytes if stranger else None
            datagram = error_datagram(id_of(packet), packet.address, fault(), room)
            if room is None or len(datagram) <= room:
                self._send(datagram, self.clients.of(source, now_seconds).address)

    def _seen(self, packet: Packet, source: Source, outcome: Callable[[], str]) -> None:
        if self._watch is not None:
            if packet.address in _HELLO_AT:  # without its secret
                packet = Packet(packet.address, packet.values[: _HELLO_AT[packet.address]])
            self._watch(packet, source, outcome)

    def tidy(self, now_seconds: float) -> None:
        """Warn silent clients, and remove those that stay silent; once a second.  [control]"""
        for client in self.clients.falling_silent(now_seconds):
            self._notify(client, "quiet", TIMEOUT_SECONDS - WARNED_SECONDS, _QUIET)
        for client in self.clients.expire(now_seconds):
            self._notify(client, "forgotten", 0.0, _FORGOTTEN)
        self._memory.tidy(now_seconds)

    def _warn_forgotten(self, source: Source) -> None:
        """Notify a removed client that sends again: it may have missed the first event."""
        client = self.clients.speaks_again(source)
        if client is not None:
            self._notify(client, "forgotten", 0.0, _FORGOTTEN)

    def _notify(self, client: Client, state: str, seconds: float, text: str) -> None:
        self._send(messages.EVENT_CLIENT.pack(state, seconds, text), client.address)

    def _refusal(self, row: Message | None, client: Client, stranger: bool) -> SegueError | None:
        if stranger and row not in _FOR_STRANGERS:
            return NotAllowed(f"say {messages.HELLO.address} with the engine's secret first")
        if row is not None and row.local and not client.local:
            return NotAllowed(f"{row.address} is taken only from the engine's own machine")
        return None

    def _repeats(self, packet: Packet, request: Request) -> bool:
        row, id, responder = request.message, request.id, request.responder
        if row.quiet or row in _UNREMEMBERED:
            return False
        earlier = self._memory.repeated(request.client, packet, id, self._now_seconds) if id else None
        if earlier is None:
            self._memory.keep(packet, responder, self._now_seconds, thing(row, request.values))
            return False
        self.counts.repeated += 1
        earlier.again()
        return True

    def _serve(self, packet: Packet, request: Request) -> bool:
        """Handle a request that is no repeat; returns whether it is one."""
        try:
            if self._repeats(packet, request):
                return True
            self._handle(request)
        except Exception as fault:  # there was no memory for the answer: without one, repeats would wait for it
            _log.exception("%s was not answered", request.message.address)
            request.responder.error(fault)
        return False

    def _handle(self, request: Request) -> None:
        handler = self._handlers.get(request.message.address)
        try:
            if handler is None:
                raise Unsupported(f"this engine does not do {request.message.address}")
            answer = handler(request)
        except SegueError as fault:
            self.counts.refused += 1
            request.responder.error(fault)
        except Exception as fault:  # our fault: the client gets an error, and the next message is served
            _log.exception("%s failed", request.message.address)
            request.responder.error(fault)
        else:
            if not isinstance(answer, Later):
                request.responder.ok(*(answer or ()))

    # -- own requests ---------------------------------------------------------------------------------

    def _hello(self, request: Request) -> Answer:
        port, name = request.whole("reply_port"), request.text("name")
        self._secret_keeper.check(request.source, request.text("secret"), port, self._now_seconds)
        client = self.clients.hello(request.source, port, name, self._now_seconds)
        self._memory.forget(client)
        request.responder.client, request.responder.room_bytes = client, None
        return messages.PROTOCOL, self._engine, TIMEOUT_SECONDS

    def _challenge(self, request: Request) -> Answer:
        return (self._secret_keeper.challenge(request.source, self._now_seconds),)

    def _bye(self, request: Request) -> Answer:
        self.clients.remove(request.client)
        self._secret_keeper.left(request.source)
        return ()

    def _ping(self, request: Request) -> Answer:
        return (self._now_seconds - self._started_seconds,)

    def _sync(self, request: Request) -> Answer:
        others = [r for r in self._memory.unanswered(request.client) if r is not request.responder]
        countdown = _Countdown(len(others), request.responder)
        for responder in others:
            responder.when_answered(countdown.one_less)
        return LATER if others else ()


class _Countdown:
    """Answers a request after a number of others, on the thread of the last one."""

    def __init__(self, left: int, responder: Responder) -> None:
        self._left = left
        self._responder = responder
        self._lock = threading.Lock()

    def one_less(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._responder.ok()


def id_of(packet: Packet) -> int:
    """The request id of a message that may be wrong otherwise; 0 if there is none.  [any]"""
    first = packet.values[0] if packet.values else 0
    if isinstance(first, (int, float)) and 0 <= first < 2**24:
        return int(first)
    return 0


@lru_cache(256)
def _near(address: str) -> tuple[str, ...]:
    """Similar addresses; the search takes a millisecond."""
    rows = SHORT_ROWS if address.startswith(messages.SHORT) else ROWS
    return tuple(get_close_matches(address, rows, n=3, cutoff=0.6))


def _unknown(address: str) -> UnknownAddress:
    near = _near(address)
    hint = f"; close to it: {', '.join(near)}" if near else ""
    return UnknownAddress(f"nobody answers at {address}{hint}")
