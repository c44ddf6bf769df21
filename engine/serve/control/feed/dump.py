"""Shows clients each message that the engine receives, and what became of it. All of it [control]."""

from __future__ import annotations

from collections.abc import Callable

from bridge.control import state_rows as rows
from bridge.control.arguments import WHOLE_MAX, shown
from bridge.control.clients import Client, Source
from bridge.control.limits import Bucket
from bridge.control.packet import Packet
from bridge.system.clock import Clock

ADDRESS_BYTES, VALUES_BYTES, OUTCOME_BYTES = 200, 580, 380  # a datagram stays under 1,400


class Dump:
    """The clients that are shown messages; at most DUMPS_PER_SECOND are shown, the others counted."""

    def __init__(self, send: Callable[[bytes, Source], None], clock: Clock) -> None:
        self._send, self._clock = send, clock
        self._clients: dict[Source, Client] = {}
        burst = rows.DUMPS_PER_SECOND / 2
        self._bucket = Bucket(rows.DUMPS_PER_SECOND, burst, burst, clock.now_seconds())
        self._left_out = 0

    def __len__(self) -> int:
        return len(self._clients)

    def put(self, client: Client) -> None:
        """Show a client what arrives."""
        self._clients[client.address] = client

    def remove(self, address: Source) -> None:
        """Show a client nothing any more."""
        self._clients.pop(address, None)

    def saw(self, packet: Packet, source: Source, outcome: Callable[[], str]) -> None:
        """A message was received."""
        for address in list(self._clients):
            if not self._bucket.take(self._clock.now_seconds()):
                self._left_out += 1
                return
            texts = f"{source[0]}:{source[1]}", packet.address, " ".join(map(shown, packet.values)), outcome()
            limits = ADDRESS_BYTES, ADDRESS_BYTES, VALUES_BYTES, OUTCOME_BYTES
            left_out, self._left_out = min(self._left_out, WHOLE_MAX), 0
            self._send(rows.DUMPED.pack(*map(_cut, texts, limits), left_out), address)


def _cut(text: str, n_bytes: int) -> str:
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain.encode("utf-8", "replace")[:n_bytes].decode("utf-8", "ignore")
