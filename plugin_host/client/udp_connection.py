"""The client's end of the connection: repeats requests until they are answered, and matches answers to requests.

A request without an answer is sent again, soon and then less often; the engine recognises a repeat by its id and does
nothing twice. One thread receives; calls may come from any thread but the receiving one.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.control import messages
from bridge.control.arguments import WHOLE_MAX, Message, Value
from bridge.control.client_rows import PADDING_MIN
from bridge.control.packet import Packet, Wire, parse
from bridge.control.secret import proof
from bridge.errors import NoAnswer, PacketError, SegueError, from_wire

FIRST_REPEAT_SECONDS = 0.1
LAST_REPEAT_SECONDS = 2.0  # well below the time for which the engine remembers requests
KEEPALIVE_SECONDS = 2.0
UNHEARD_MAX = 256  # commands waiting for their `heard` event; the oldest are dropped
COUNTED = WHOLE_MAX + 1 - messages.COUNTED_FROM  # number of ids: each is used once
WAIT_SECONDS = 0.2
_log = logging.getLogger("segue.host")


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the engine: the row of the table and its values by name."""

    message: Message
    values: Mapping[str, Value]


OnEvent = Callable[[Event], None]  # also for the `heard` event of one command
OnProgress = Callable[[int, int, str], None]


@dataclass(slots=True)
class _Pending:
    message: Message
    on_progress: OnProgress | None
    done: threading.Event = field(default_factory=threading.Event)
    received_at_seconds: float = 0.0
    values: tuple[Wire, ...] = ()
    fault: SegueError | None = None


class UdpConnection:
    """A UDP connection to one engine, open from `start` to `close`. `hello` is sent to a new engine."""

    def __init__(self, host: str, port: int, hello: tuple[int, str, str], on_event: OnEvent | None) -> None:
        self._where = f"{host}, UDP port {port}"
        self._hello = hello
        self._on_event = on_event
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._socket.connect((host, port))  # the system now drops datagrams from others
        self._socket.settimeout(WAIT_SECONDS)
        self._pending: dict[int, _Pending] = {}
        self._unheard: dict[int, tuple[str, OnEvent]] = {}  # by id: address, callback
        self._ids = itertools.count(random.randrange(COUNTED))
        self._received_at_seconds = self._pinged_at_seconds = time.monotonic()
        self._born_seconds: float | None = None  # the engine's start, on this clock
        self._restarts = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-client", daemon=True)

    @property
    def silent_seconds(self) -> float:
        """Seconds since the engine's last message; it is pinged every KEEPALIVE_SECONDS.  [any]"""
        return time.monotonic() - self._received_at_seconds

    @property
    def restarts(self) -> int:
        """How often a new engine answered: lanes must then be opened again.  [any]"""
        return self._restarts

    @property
    def closed(self) -> bool:
        """Whether it does not receive: before `start` and after `close`.  [any]"""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Start receiving.  [main]"""
        self._thread.start()

    def close(self) -> None:
        """Stop receiving; waiting calls raise NoAnswer. May be called twice.  [main]"""
        self._closing.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread if the system can
            self._thread.join()
        self._socket.close()

    def send(self, message: Message, *values: object) -> None:
        """Send a message with id 0, without waiting.  [any]"""
        self._send(message.pack(0, *values))

    def call(
        self,
        message: Message,
        *values: object,
        timeout_seconds: float,
        on_progress: OnProgress | None = None,
        on_heard: OnEvent | None = None,
    ) -> tuple[Wire, ...]:
        """Send a request until it is answered; returns the values of the ok answer. `on_heard` gets its `event/heard`.

        Raises the error of an error answer, WireError for arguments that do not fit the table, NoAnswer after
        `timeout_seconds` without an answer or progress.  [main]
        """
        id = messages.COUNTED_FROM + next(self._ids) % COUNTED
        datagram = message.pack(id, *values)
        pending = _Pending(message, on_progress, received_at_seconds=time.monotonic())
        self._pending[id] = pending
        if on_heard is not None:
            self._await_sound(id, message, on_heard)
        try:
            self._send_until_done(datagram, pending, timeout_seconds)
        finally:
            del self._pending[id]
        if pending.fault is not None:
            self._unheard.pop(id, None)
            raise pending.fault
        return pending.values

    def _await_sound(self, id: int, message: Message, on_heard: OnEvent) -> None:
        while len(self._unheard) >= UNHEARD_MAX:
            self._unheard.pop(next(iter(self._unheard)), None)
        self._unheard[id] = (message.address, on_heard)

    def _send_until_done(self, datagram: bytes, pending: _Pending, timeout_seconds: float) -> None:
        pause = FIRST_REPEAT_SECONDS
        while not self._closing.is_set():
            self._send(datagram)
            left = pending.received_at_seconds + timeout_seconds - time.monotonic()
            if pending.done.wait(max(0.0, min(pause, left))):
                return
            if time.monotonic() >= pending.received_at_seconds + timeout_seconds:
                break
            pause = min(2 * pause, LAST_REPEAT_SECONDS)
        raise NoAnswer(
            f"the engine at {self._where} did not answer {pending.message.address} "
            f"in {timeout_seconds:g} s; is it running? (segue engine)"
        )

    def _send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except OSError as fault:  # no engine there yet, or a full buffer: it is sent again
            _log.debug("not sent to %s: %s", self._where, fault)

    # -- the receiving thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._turn()
            except Exception:
                _log.exception("a message from the engine was lost to a fault of the host")

    def _turn(self) -> None:
        if time.monotonic() - self._pinged_at_seconds > KEEPALIVE_SECONDS:
            self._pinged_at_seconds = time.monotonic()
            self.send(messages.PING)
            if self._hello[2] and self.silent_seconds > 2 * KEEPALIVE_SECONDS:  # a new engine does not answer pings
                self.send(messages.CHALLENGE, "." * PADDING_MIN)
        try:
            datagram = self._socket.recv(65535)
            packets = parse(datagram) if not self._closing.is_set() else []
        except (TimeoutError, ConnectionError):  # no message; or no engine there
            return
        except PacketError as fault:
            _log.warning("what came from %s is not OSC: %s", self._where, fault)
            return
        except OSError:
            self._closing.wait(WAIT_SECONDS)
            return
        self._received_at_seconds = time.monotonic()
        for packet in packets:
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        row = messages.TABLE.get(packet.address)
        if row is messages.OK:
            self._answered(packet.values)
        elif row in (messages.ERROR, messages.PROGRESS):
            self._reported(row, row.check(packet.values))
        elif row in messages.EVENTS:
            self._notify(Event(row, row.check(packet.values)))

    def _answered(self, values: tuple[Wire, ...]) -> None:
        head = messages.OK.check(values[:2])
        pending = self._pending.get(int(str(head["id"])))
        if pending is not None and head["address"] == pending.message.address:
            pending.values = values[2:]
            pending.done.set()
        elif head["address"] == messages.PING.address and len(values) == 3:
            self._check_uptime(float(values[2]))
        elif head["address"] == messages.CHALLENGE.address and len(values) == 3:
            self._greet(str(values[2]))

    def _reported(self, row: Message, values: dict[str, Value]) -> None:
        pending = self._pending.get(int(str(values["id"])))
        if pending is None or values["address"] not in (pending.message.address, ""):  # empty: omitted for lack of room
            if row is messages.ERROR:
                self._notify(Event(row, values))
        elif row is messages.ERROR:
            pending.fault = from_wire(str(values["code"]), str(values["text"]))
            pending.done.set()
        else:
            pending.received_at_seconds = time.monotonic()
            if pending.on_progress:
                done, total = int(str(values["done"])), int(str(values["total"]))
                pending.on_progress(done, total, str(values["text"]))

    def _check_uptime(self, uptime_seconds: float) -> None:
        """An engine that started later than the last one is a new one, which does not know this client."""
        born_seconds = time.monotonic() - uptime_seconds
        if self._born_seconds is not None and born_seconds > self._born_seconds + 1.0:
            self._restarts += 1
            if self._hello[2]:
                self.send(messages.CHALLENGE, "." * PADDING_MIN)
            else:
                self._greet("")
        self._born_seconds = born_seconds

    def _greet(self, challenge: str) -> None:
        """Say hello to a new engine, with a proof if it requires one."""
        port, name, secret = self._hello
        self.send(messages.HELLO, port, name, proof(secret, challenge, port) if challenge else "")

    def _notify(self, event: Event) -> None:
        if event.message is messages.EVENT_HEARD:
            address, on_heard = self._unheard.get(int(str(event.values["id"])), ("", None))
            if on_heard is not None and address == event.values["address"]:
                del self._unheard[int(str(event.values["id"]))]
                on_heard(event)
        if self._on_event:
            self._on_event(event)
