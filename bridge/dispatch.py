"""From a parsed message to its answer: who asks, is it in the table, was it done before, who does it.

No socket and no clock in here: `send` and the time are given. The dispatcher itself answers hello, bye,
ping and sync; everything else goes to the handler of its address.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bridge import messages
from bridge.arguments import Message
from bridge.clients import TIMEOUT_SECONDS, Client, Clients, Source
from bridge.door import same_secret
from bridge.errors import NotAllowed, SegueError, UnknownAddress, Unsupported
from bridge.limits import Limiter
from bridge.packet import Packet
from bridge.requests import LATER, Answer, Handler, Later, Memory, Request, Responder, Send, error_datagram

COMPLAINTS_PER_SECOND = 20  # errors to one sender about messages that nothing in the table stands for
ROWS = {row.address: row for row in messages.REQUESTS}
_UNREMEMBERED = (messages.HELLO, messages.PING)  # done again when they come again
_log = logging.getLogger("segue.bridge")


@dataclass(slots=True)
class Counts:
    """Datagrams: received in all; refused with an error; shed unread over the limit; repeats of a request."""

    received: int = 0
    refused: int = 0
    shed: int = 0
    repeated: int = 0


class Dispatcher:
    """Answers messages by the table. ValueError for handlers of addresses that the table does not have."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        send: Send,
        engine: str = "segue",
        secret: str = "",
        on_gone: Callable[[Client], None] | None = None,
        started_seconds: float = 0.0,
    ) -> None:
        if strange := sorted(set(handlers) - set(ROWS)):
            raise ValueError(f"handlers for addresses that the table does not have: {', '.join(strange)}")
        own: dict[str, Handler] = {
            messages.HELLO.address: self._hello,
            messages.BYE.address: self._bye,
            messages.PING.address: self._ping,
            messages.SYNC.address: self._sync,
        }
        self.clients = Clients(on_gone, strict=bool(secret))
        self.counts = Counts()
        self._handlers = {**own, **handlers}
        self._send = send
        self._engine = engine
        self._secret = secret
        self._memory = Memory()
        self._complaints = Limiter(COMPLAINTS_PER_SECOND, COMPLAINTS_PER_SECOND)
        self._started_seconds = started_seconds
        self._now_seconds = started_seconds

    def dispatch(self, packet: Packet, source: Source, now_seconds: float) -> None:
        """Answer one message, or have it answered later; no message makes it raise.  [control]"""
        self._now_seconds = now_seconds
        row = ROWS.get(packet.address)
        if row is None:
            self.complain(packet, _unknown(packet.address), source, now_seconds)
            return
        client = self.clients.of(source, now_seconds)
        refusal = self._refusal(row, client)
        if refusal:
            self.complain(packet, refusal, source, now_seconds)
            return
        try:
            values = row.check(packet.values)
        except SegueError as fault:
            self.counts.refused += 1
            self._send(error_datagram(id_of(packet), row.address, fault), client.address)
            return
        responder = Responder(row, id_of(packet), client, self._send)
        if not self._repeats(packet, responder):
            self._handle(Request(row, responder.id, values, client, source, responder))

    def complain(self, packet: Packet, fault: SegueError, source: Source, now_seconds: float) -> None:
        """Answer a message that has no place in the table, some of them when there are many.  [control]"""
        self.counts.refused += 1
        if self._complaints.admit(source, now_seconds):
            datagram = error_datagram(id_of(packet), packet.address, fault)
            self._send(datagram, self.clients.of(source, now_seconds).address)

    def _refusal(self, row: Message, client: Client) -> SegueError | None:
        if self._secret and not client.registered and row is not messages.HELLO:
            return NotAllowed(f"say {messages.HELLO.address} with the engine's secret first")
        if row.local and not client.local:
            return NotAllowed(f"{row.address} is taken only from the engine's own machine")
        return None

    def _repeats(self, packet: Packet, responder: Responder) -> bool:
        row, id = responder.message, responder.id
        if not id or row.quiet or row in _UNREMEMBERED:
            return False
        earlier = self._memory.repeated(responder.client, packet, id, self._now_seconds)
        if earlier is None:
            self._memory.keep(packet, responder, self._now_seconds)
            return False
        self.counts.repeated += 1
        earlier.again()
        return True

    def _handle(self, request: Request) -> None:
        handler = self._handlers.get(request.message.address)
        try:
            if handler is None:
                raise Unsupported(f"this engine does not do {request.message.address}")
            answer = handler(request)
        except SegueError as fault:
            self.counts.refused += 1
            request.responder.error(fault)
        except Exception as fault:  # ours, not the client's: it is told so and the next message is served
            _log.exception("%s failed", request.message.address)
            request.responder.error(fault)
        else:
            if not isinstance(answer, Later):
                request.responder.ok(*(answer or ()))

    # -- own requests ---------------------------------------------------------------------------------

    def _hello(self, request: Request) -> Answer:
        if self._secret and not same_secret(request.text("secret"), self._secret):
            raise NotAllowed("the secret is missing or wrong")
        port, name = request.whole("reply_port"), request.text("name")
        client = self.clients.hello(request.source, port, name, self._now_seconds)
        self._memory.forget(client)
        request.responder.client = client
        return messages.PROTOCOL, self._engine, TIMEOUT_SECONDS

    def _bye(self, request: Request) -> Answer:
        self.clients.remove(request.client)
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
    """Answers a request when so many others were answered, on whichever thread the last one was."""

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
    """The request id of a message that may be wrong otherwise; 0 where there is none.  [any]"""
    first = packet.values[0] if packet.values else 0
    if isinstance(first, (int, float)) and 0 <= first < 2**24:
        return int(first)
    return 0


def _unknown(address: str) -> UnknownAddress:
    near = get_close_matches(address, ROWS, n=3, cutoff=0.6)
    hint = f"; close to it: {', '.join(near)}" if near else ""
    return UnknownAddress(f"nobody answers at {address}{hint}")
