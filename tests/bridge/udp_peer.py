"""A raw UDP peer of the bridge's tests."""

from __future__ import annotations

import socket

from bridge.control import messages
from bridge.control.packet import Packet, parse

PATIENCE_SECONDS = 10.0


class Peer:
    """A bare UDP socket that sends to an endpoint, like any OSC program."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(("127.0.0.1", port))

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, datagram: bytes) -> None:
        self.socket.send(datagram)

    def receive(self) -> Packet:
        (packet,) = parse(self.socket.recv(65535))
        return packet

    def ask(self, datagram: bytes) -> Packet:
        """Send, and wait for the next datagram."""
        self.send(datagram)
        return self.receive()

    def alive(self, id: int = 999) -> bool:
        """True if a ping is answered; earlier datagrams are discarded."""
        self.send(messages.PING.pack(id))
        while True:
            packet = self.receive()
            if packet.values[:2] == (id, messages.PING.address):
                return packet.address == messages.OK.address

    def alive_again(self, id: int = 998) -> bool:
        """True if a ping is answered that is sent repeatedly, as clients do if it is dropped."""
        self.socket.settimeout(0.1)
        for _ in range(int(10 * PATIENCE_SECONDS)):
            try:
                if self.alive(id):
                    return True
            except TimeoutError:
                continue
            finally:
                self.socket.settimeout(0.1)
        return False


def code_of(packet: Packet) -> str:
    """The code word of an error answer."""
    assert packet.address == messages.ERROR.address, packet
    return str(packet.values[2])
