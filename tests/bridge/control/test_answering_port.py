"""A port that hears of refusals: they cost neither an answer nor a message that has come, and no time."""

from __future__ import annotations

import socket

from bridge.control.answering_port import AnsweringPort, Source
from bridge.control.packet import Packet, encode
from bridge.control.udp_socket import hear_refusals, refusals
from bridge.errors import SegueError

PATIENCE_SECONDS = 30.0


class Echo(AnsweringPort):
    """Answers each message, and sends to a closed port before that and at each turn."""

    def __init__(self, closed: Source) -> None:
        super().__init__(0, "segue-echo", 0.02)
        self._closed = closed
        hear_refusals(self._socket)

    def _take(self, packet: Packet, source: Source) -> None:
        self._send(b"1", self._closed)
        self._send(encode(packet.address, [*packet.values]), source)

    def _refuse(self, address: str, number: int, fault: SegueError, source: Source) -> None:
        raise fault

    def _turn(self) -> None:
        self._send(b"2", self._closed)


def bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def test_each_message_is_answered_though_another_port_is_closed() -> None:
    gone = bound()
    closed = gone.getsockname()
    gone.close()
    with Echo(closed) as port, bound() as ours:
        ours.settimeout(PATIENCE_SECONDS)
        for number in range(20):
            message = encode("/segue/echo", [number])
            ours.sendto(message, ("127.0.0.1", port.port))
            assert ours.recv(65535) == message


def test_to_ask_for_refusals_does_not_wait() -> None:
    with bound() as ours:
        ours.settimeout(1000.0)
        hear_refusals(ours)
        assert refusals(ours) == []
        assert ours.gettimeout() == 1000.0
