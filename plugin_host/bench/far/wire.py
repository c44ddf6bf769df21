"""Two network namespaces of this machine, joined by a wire that delays, jitters, loses, and can be cut. Linux, root.

    namespace segue-a --TUN device--> this process --after its delay--> TUN device-- namespace segue-b

Kernels without `netem` can do it too: packets pass through this process, in order, and are kept for the search.
"""

from __future__ import annotations

import fcntl
import heapq
import itertools
import os
import random
import selectors
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Self

from bridge.errors import SegueError

ENGINE_SIDE, MUSICIAN_SIDE = 0, 1
ADDRESSES = ("10.77.41.1", "10.77.41.2")
_SET_IFF, _TUN_NO_INFO = 0x400454CA, 0x1001
_PACKET_MAX = 65536
KEPT_BYTES = 2**28


class NoWire(SegueError):
    """This machine does not let us make namespaces; the message has what to do."""

    code = "no_wire"


@dataclass(frozen=True)
class Weather:
    """One way: delay and jitter (up to so much more or less) in ms, the part of packets that is lost."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0

    def __str__(self) -> str:
        return f"{self.delay_ms:g} ms +- {self.jitter_ms:g}, {100 * self.loss:g} % lost"


class Wire:
    """The wire, as a context manager; NoWire."""

    def __init__(self, seed: int = 1) -> None:
        self.weather, self.cut = Weather(), False
        self.packets = self.lost = 0
        self.kept = bytearray()  # all that passed
        self._names = tuple(f"segue-{os.getpid()}-{side}" for side in "ab")
        self._ends: list[int] = []
        self._rng = random.Random(seed)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-wire", daemon=True)

    def __enter__(self) -> Self:
        try:
            for side in (ENGINE_SIDE, MUSICIAN_SIDE):
                self._make(side)
        except (OSError, subprocess.CalledProcessError) as fault:
            self.__exit__()
            raise NoWire(f"no network namespaces here ({fault}); they need Linux, /dev/net/tun and root") from None
        self._thread.start()
        return self

    def _make(self, side: int) -> None:
        name, device = self._names[side], f"sg{os.getpid() % 10**6}{'ab'[side]}"
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        self._ends.append(end)
        fcntl.ioctl(end, _SET_IFF, struct.pack("16sH14x", device.encode(), _TUN_NO_INFO))
        _ip("netns", "add", name)
        _ip("link", "set", device, "netns", name)
        for words in (
            ("addr", "add", f"{ADDRESSES[side]}/24", "dev", device),
            ("link", "set", device, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for end in self._ends:
            os.close(end)
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)  # noqa: S603, S607

    def inside(self, side: int, command: list[str]) -> list[str]:
        """The command, run in one of the namespaces.  [main]"""
        return ["ip", "netns", "exec", self._names[side], *command]

    def _run(self) -> None:
        waiting: list[tuple[float, int, int, bytes]] = []
        last, order = [0.0, 0.0], itertools.count()
        selector = selectors.DefaultSelector()
        for side, end in enumerate(self._ends):
            selector.register(end, selectors.EVENT_READ, side)
        while not self._closing.is_set():
            wait = min(max(waiting[0][0] - time.monotonic(), 0.0), 0.1) if waiting else 0.1
            for key, _ in selector.select(wait):
                packet = os.read(key.fd, _PACKET_MAX)
                self._keep(packet)
                if self.cut or self._rng.random() < self.weather.loss:
                    self.lost += 1
                    continue
                weather = self.weather
                delay = max(0.0, weather.delay_ms + self._rng.uniform(-1, 1) * weather.jitter_ms) / 1000
                last[key.data] = max(last[key.data], time.monotonic() + delay)  # in order
                heapq.heappush(waiting, (last[key.data], next(order), 1 - key.data, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(waiting)
                try:
                    os.write(self._ends[to], packet)
                except OSError:  # its queue is full, or the device is going: the packet is lost
                    self.lost += 1
        selector.close()

    def _keep(self, packet: bytes) -> None:
        self.packets += 1
        if len(self.kept) < KEPT_BYTES:
            self.kept += packet


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: S603, S607
