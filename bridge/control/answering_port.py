"""A UDP port of this machine that is answered on a thread of its own: of a jam, of a MIDI map, of the watched folder.

The engine's port is another one (`endpoint.py`): it knows clients, repeats and secrets.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Self

from bridge.control.packet import Packet, parse, salvage
from bridge.control.udp_socket import open_socket
from bridge.errors import SegueError
from bridge.system.turns import run_turns

Source = tuple[str, int]
DATAGRAM_BYTES_MAX = 65535
REFUSALS_MAX = 64  # of datagrams sent before, that may be reported in place of the next one that is sent or read
_log = logging.getLogger("segue.port")


class AnsweringPort(ABC):
    """Takes each packet that comes, and does what is due in between; also a context manager. PortInUse.

    Port 0 takes a free one, see `port`. A fault of our own loses one datagram, not the port.
    """

    def __init__(self, port: int, thread_name: str, wait_seconds: float) -> None:
        self._socket = open_socket("127.0.0.1", port)
        self._socket.settimeout(wait_seconds)
        self.port = int(self._socket.getsockname()[1])
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=thread_name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._socket.close()

    @abstractmethod
    def _take(self, packet: Packet, source: Source) -> None:
        """Answer one packet.  [port]"""

    @abstractmethod
    def _refuse(self, address: str, number: int, fault: SegueError, source: Source) -> None:
        """Answer with an error: to an address, of up to 200 characters, and a request's id, 0 for none.  [port]"""

    def _turn(self) -> None:  # noqa: B027
        """What is due after each wait.  [port]"""

    def _send(self, datagram: bytes, source: Source) -> None:
        with suppress(OSError):  # the port is being closed
            for _ in range(REFUSALS_MAX):
                with suppress(ConnectionError):  # of another datagram, sent before: this one was not sent
                    self._socket.sendto(datagram, source)
                    return

    def _run(self) -> None:
        run_turns(self._next, f"port {self.port}", _log)

    def _next(self) -> bool:
        if self._closing.is_set():
            return False
        self._receive()
        self._turn()
        return True

    def _receive(self) -> None:
        came = self._next_datagram()
        if came is None:
            return
        datagram, source = came
        try:
            packets = parse(datagram)
        except SegueError as fault:
            address, number = salvage(datagram)
            self._refuse(address[:200], number, fault, source)
            return
        for packet in packets:
            self._take(packet, source)

    def _next_datagram(self) -> tuple[bytes, Source] | None:
        """What came next; None if nothing did for a while."""
        for _ in range(REFUSALS_MAX):
            with suppress(ConnectionError):  # a datagram that was sent was refused: what came is still to be read
                try:
                    return self._socket.recvfrom(DATAGRAM_BYTES_MAX)
                except TimeoutError:
                    return None
        return None
