"""A client that pings beside what is sent by others, from a process of its own: how long its answers take."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from types import TracebackType

from bridge.control import messages
from bridge.control.packet import parse
from bridge.errors import PacketError
from plugin_host.bench.trust.stage import percentile
from plugin_host.console.screen import print_line

EVERY_SECONDS = 0.02
REPEAT_SECONDS, LOST_SECONDS = 0.5, 60.0  # as clients do; a busy machine drops datagrams
LIMIT_MS = 10.0


class Pings:
    """Pings an engine's port fifty times a second in a context; then `p99_ms` and `lost` are set."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.ms: list[float] = []
        self.lost = 0

    def __enter__(self) -> Pings:
        command = [sys.executable, "-m", "plugin_host.bench.trust.ping", str(self._port), str(os.getpid())]
        self._child = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._child.stdout is not None
        self._child.stdout.readline()  # it pings
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        said = self._child.communicate()[0]  # its end of the pipe is closed: it ends
        if said:
            self.ms, self.lost = json.loads(said)

    def stop(self) -> None:
        """End it before the context does.  [main]"""
        self.__exit__(None, None, None)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of the answers' times.  [main]"""
        return percentile(self.ms, 0.99)

    def faults(self, timed: bool) -> list[str]:
        """Ends it; pings without an answer, and with `timed` a 99th percentile over the limit.  [main]"""
        self.stop()
        faults = [f"{self.lost} of {len(self.ms) + self.lost} pings had no answer"] if self.lost or not self.ms else []
        if timed and not self.p99_ms <= LIMIT_MS:
            faults.append(f"pings: the 99th percentile is {self.p99_ms:.1f} ms, may be {LIMIT_MS:g}")
        return faults


def _asked(wire: socket.socket, datagram: bytes) -> bytes:
    """The next answer, asked until it comes."""
    while True:
        with contextlib.suppress(TimeoutError):
            wire.send(datagram)
            return wire.recv(65_535)


def _answered(wire: socket.socket, number: int) -> bool:
    """Whether a ping is answered before it is to be repeated."""
    try:
        wire.send(messages.PING.pack(number))
        while parse(wire.recv(65_535))[0].values[:1] != (number,):
            pass
    except (OSError, PacketError):
        return False
    return True


def ping_until_closed(port: int, parent: int) -> tuple[list[float], int]:
    """Ping until standard input is closed.  [main]"""
    import select

    took: list[float] = []
    lost = number = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", port))
        wire.settimeout(REPEAT_SECONDS)
        while parse(_asked(wire, messages.HELLO.pack(1, 0, "pings")))[0].address != messages.OK.address:
            pass
        print_line("ready")
        while not select.select([sys.stdin], [], [], EVERY_SECONDS)[0] and os.getppid() == parent:
            number += 1
            began = time.perf_counter()
            while not _answered(wire, number) and time.perf_counter() - began < LOST_SECONDS:
                pass
            seconds = time.perf_counter() - began
            took.append(1000 * seconds)
            lost += seconds >= LOST_SECONDS
    return took, lost


def main() -> None:
    """The program.  [main]"""
    print_line(json.dumps(ping_until_closed(int(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
