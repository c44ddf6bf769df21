"""Control of a plugin in a DAW, at its control port: each message is answered."""

from __future__ import annotations

import socket
import time

from bridge.control.arguments import Message
from bridge.control.packet import encode, parse
from bridge.control.plugin_rows import PLUGIN_ERROR, PLUGIN_PORT
from bridge.errors import NoAnswer, SegueError, from_wire

ANSWER_SECONDS = 1.0  # it answers within 0.05 s, unless it waits for the engine
TRIES = 3


def ask_plugin(port: int, row: Message, *values: float | str) -> list[float | str]:
    """Send a message to a plugin, repeatedly until it answers; returns the answer.

    NoAnswer if no plugin listens there; the plugin's error if it refuses.  [main]
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", port))
        for _ in range(TRIES):
            try:
                wire.send(encode(row.address, list(values)))
                answer = _answer(wire, row.address)
            except ConnectionRefusedError:
                break
            if answer is not None:
                return answer
    raise NoAnswer(f"no plugin answers at port {port}: each shows its own as Control port, the first has {PLUGIN_PORT}")


def _answer(wire: socket.socket, address: str) -> list[float | str] | None:
    """The answer to a message; None if none comes in time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            packet = parse(wire.recv(65535))[0]
        except TimeoutError:
            return None
        except (SegueError, IndexError):
            continue
        if not packet.values or packet.values[0] != address:
            continue
        said = [value for value in packet.values[1:] if not isinstance(value, bytes)]
        if packet.address == PLUGIN_ERROR.address:
            raise from_wire(str(said[0]), str(said[1]))
        return said
    return None
