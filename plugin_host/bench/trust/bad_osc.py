"""Row 12: mutated datagrams and named attacks through parser and dispatcher, then over a socket to a running endpoint.

A fault is an exception but PacketError, an `internal` answer, more than 5 ms of processor time in three tries, or
a ping without an answer. The twin gives the same datagrams to python-osc's parser.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bridge.control import messages
from bridge.control.arguments import Argument
from bridge.control.dispatch import Dispatcher
from bridge.control.endpoint import Endpoint
from bridge.control.packet import parse, salvage
from bridge.control.requests import Answer, Request
from bridge.errors import PacketError
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.hostile_osc import ATTACKS, stream
from plugin_host.bench.trust.ping import Pings
from plugin_host.bench.trust.stage import Size, Stage

SLOW_SECONDS = 0.005
HANG_SECONDS = 2.0
STRANGE_MAX = 20  # faults that are enough
SEED = 23
SOURCE = ("127.0.0.1", 40_000)
OWN = (messages.HELLO, messages.CHALLENGE, messages.BYE, messages.PING, messages.SYNC)
Take = Callable[[bytes], object]


class Hung(Exception):
    """A datagram that was not done in HANG_SECONDS of processor time."""


def _any_answer(request: Request) -> Answer:
    """Read every value, as handlers do."""
    for argument in request.message.arguments[1:]:
        if argument.kind == "at":
            request.at()
        else:
            {"s": request.text, "i": request.whole, "f": request.number}[argument.kind](argument.name)
    return tuple(_value(column) for column in request.message.reply)


def _value(column: Argument) -> object:
    return column.choices[0] if column.choices else "x" if column.kind == "s" else 1


HANDLERS = {row.address: _any_answer for row in messages.REQUESTS if row not in OWN}


def ours() -> Take:
    """Parser and dispatcher, as the endpoint calls them; PacketError is its refusal.  [any]"""

    def answered(datagram: bytes, where: object) -> None:
        assert b"\0internal\0" not in datagram, f"a fault of our own: {datagram[:80]!r}"

    dispatcher = Dispatcher(HANDLERS, answered)
    ticks = itertools.count()

    def take(datagram: bytes) -> None:
        try:
            packets = parse(datagram)
        except PacketError:
            address, id = salvage(datagram)
            assert isinstance(address, str)
            assert 0 <= id < 2**24
            return
        now = next(ticks) * 0.01
        for packet in packets:
            dispatcher.dispatch(packet, SOURCE, now, len(datagram))

    return take


def python_oscs() -> Take:
    """python-osc's own parser: ParseError is its refusal.  [any]"""
    logging.disable()
    packet: Any = importlib.import_module("pythonosc.osc_packet")

    def take(datagram: bytes) -> None:
        try:
            packet.OscPacket(datagram)
        except packet.ParseError:
            return

    return take


@contextmanager
def _patience() -> Iterator[Callable[[], None]]:
    """Hung is raised in this block HANG_SECONDS after the last call of what it gives.  [main]"""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hung

    def again() -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, HANG_SECONDS)

    before = signal.signal(signal.SIGVTALRM, ring)
    again()
    try:
        yield again
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def fault_of(take: Take, datagram: bytes) -> str:
    """What is wrong with the way a datagram is taken; empty if nothing is.  [main]"""
    for _ in range(3):
        began = time.thread_time()
        try:
            with _patience():
                take(datagram)
        except Hung:
            return f"{datagram[:24]!r}, {len(datagram)} bytes: not done in {HANG_SECONDS:g} s"
        except Exception as escape:
            return f"{datagram[:24]!r}, {len(datagram)} bytes: {type(escape).__name__}: {escape}"
        took = time.thread_time() - began
        if took < SLOW_SECONDS:
            return ""
    return f"{datagram[:24]!r}, {len(datagram)} bytes: took {1000 * took:.1f} ms each time"


def in_process(take: Take, count: int) -> list[str]:
    """The faults of the named attacks and of `count` mutated datagrams.  [main]"""
    faults = [f"{name}: {fault}" for name, datagram in ATTACKS.items() if (fault := fault_of(take, datagram))]
    with _patience() as again:
        for datagram in itertools.islice(stream(SEED), count):
            again()
            began = time.perf_counter()
            try:
                take(datagram)
            except Exception:
                began = -1.0  # looked at below
            if time.perf_counter() - began > SLOW_SECONDS and (fault := fault_of(take, datagram)):
                faults.append(fault)
                if len(faults) >= STRANGE_MAX:
                    break
    return faults


def by_socket(count: int, timed: bool) -> tuple[list[str], float]:
    """The faults of an endpoint on a socket while it gets `count` of them, and the pings' 99th percentile in ms.

    [main]
    """
    with Endpoint(0, HANDLERS, engine="trust") as endpoint, Pings(endpoint.port) as pings:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.connect(("127.0.0.1", endpoint.port))
            wire.setblocking(False)
            everything = itertools.chain(ATTACKS.values(), itertools.islice(stream(SEED + 1), count))
            for number, datagram in enumerate(everything):
                try:
                    wire.send(datagram[:65_000])
                except OSError:  # a full buffer: the endpoint is behind
                    time.sleep(0.001)
                if number % 64 == 63:
                    time.sleep(0.006)  # about 10,000 a second
        faults = pings.faults(timed)
    return faults, pings.p99_ms


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count = stage.count(30_000, 300_000, 5_000_000)
    if stage.twin:
        return counted(count + len(ATTACKS), "datagrams", in_process(python_oscs(), count), "python-osc's parser")
    faults = in_process(ours(), count)
    n_sent = stage.count(10_000, 50_000, 200_000)
    more, p99_ms = by_socket(n_sent, stage.size is not Size.SHORT)
    told = f"{len(ATTACKS)} of them named attacks, {n_sent:,} by socket; pings p99 {p99_ms:.1f} ms of 10"
    return counted(count + n_sent + 2 * len(ATTACKS), "datagrams", [*faults, *more], told)
