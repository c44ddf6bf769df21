"""Orders of stems that come by OSC or as files into a watched folder: progress told to who ordered, cancel at any time.

    [orders] answer: checks, accepts or cancels        [main] run: makes an order, tells its progress

The order being made, and those that wait, can be cancelled from another thread by their ids. An order that came as a
file is cancelled by removing the file.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.control import messages
from bridge.control.arguments import Value
from bridge.control.packet import Packet
from bridge.control.take_rows import STEMS, STEMS_CANCEL, STEMS_PROGRESS
from bridge.errors import SegueError
from plugin_host.takes.engines import HotEngine
from plugin_host.takes.errors import TakeError
from plugin_host.takes.order import Say, TakeOrder
from plugin_host.takes.stems.lanes import read_lanes
from plugin_host.takes.stems.order import Progress, StemsOrder
from plugin_host.takes.stems.run import Cancelled, make_stems

ADDRESSES = (STEMS.address, STEMS_CANCEL.address)
TELL_SECONDS = 0.2  # between messages about the same stem
PEERS_MAX = 64
OVER = ("done", "cancelled", "failed")
Peer = Any  # a socket's address


def is_stems(values: Mapping[str, Value]) -> bool:
    """Whether an order is one of stems.  [any]"""
    return bool(values.get("lanes"))


def order_of(values: Mapping[str, Value], take: TakeOrder) -> StemsOrder:
    """The order of stems of these fields; `take` is what they say of a take. TakeError.  [any]"""
    given = take.region
    region = replace(given, role=str(values["role"])) if given else None
    order = replace(take, region=region, takes=1, loudness="off")
    return StemsOrder(order, read_lanes(str(values["lanes"])), int(str(values["variations"])))


class StemsHandlers:
    """Keeps who ordered what; `send` is the socket's sendto."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._peers: dict[int, Peer] = {}
        self._cancels: dict[int, threading.Event] = {}
        self._send: Callable[[bytes, Peer], object] = lambda data, peer: None
        self._told_seconds = 0.0

    def connect(self, send: Callable[[bytes, Peer], object]) -> None:
        """Use this to send progress.  [main]"""
        self._send = send

    def answer(self, packet: Packet, peer: Peer, put: Callable[[Mapping[str, Value]], None]) -> bytes:
        """Accept an order or cancel one; raises SegueError for an invalid message.  [orders]"""
        if packet.address == STEMS_CANCEL.address:
            values = STEMS_CANCEL.check(packet.values)
            number = int(str(values["order"]))
            with self._lock:
                found = self._cancels.get(number)
            if found is None:
                raise TakeError(f"there is no order {number} of stems to cancel: it is done, or was never given")
            found.set()
            return messages.OK.pack(int(str(values["id"])), packet.address)
        values = STEMS.check(packet.values)
        read_lanes(str(values["lanes"]))
        if not Path(str(values["path"])).is_absolute():
            raise TakeError(f"{values['path']!r} is not a full path")
        number = int(str(values["id"]))
        with self._lock:
            self._peers[number] = peer
            self._cancels[number] = threading.Event()
            while len(self._peers) > PEERS_MAX:
                self._peers.pop(next(iter(self._peers)))
        put(values)
        return messages.OK.pack(number, packet.address)

    def run(
        self, values: Mapping[str, Value], take: TakeOrder, engine: HotEngine, folder: Path, say: Say, show: Say,
        file: Path | None = None,
    ) -> bool:  # fmt: skip
        """Make an order's stems; False if it was cancelled. Raises its errors, which are also told.  [main]

        `file` is the order's, if it came as one.
        """
        number = 0 if file is not None else int(str(values.get("id", 0)))
        with self._lock:
            cancelled = self._cancels.setdefault(number, threading.Event()) if number else threading.Event()

        def tell(progress: Progress) -> None:
            if file is not None and not file.exists():
                cancelled.set()
            if progress.state in OVER:
                with self._lock:
                    self._cancels.pop(number, None)  # before who ordered it knows
            self._tell(number, progress)

        try:
            make_stems(order_of(values, take), engine, folder, say, show, tell, cancelled)
        except Cancelled:
            say("  cancelled; what was made stays")
            return False
        except SegueError:
            self._tell(number, Progress("failed", 0, 1, 0.0))
            raise
        finally:
            with self._lock:
                self._cancels.pop(number, None)
        return True

    def _tell(self, number: int, progress: Progress) -> None:
        """Send a moment of an order to who ordered it; moments within a stem at intervals."""
        now = time.monotonic()
        if not number or (progress.state == "making" and now - self._told_seconds < TELL_SECONDS):
            return
        self._told_seconds = now
        with self._lock:
            peer = self._peers.get(number)
        purity = progress.purity if math.isfinite(progress.purity) else -1.0
        if peer is not None:
            datagram = STEMS_PROGRESS.pack(
                number, progress.state, progress.done, progress.total, progress.share, progress.variation,
                progress.lane, purity, progress.path,
            )  # fmt: skip
            with suppress(OSError):
                self._send(datagram, peer)
