"""What both ends look at in the OSC datagrams that they pass on: the row, the client's id, where an answer belongs."""

from __future__ import annotations

from bridge.control import lane_addresses, messages
from bridge.control.arguments import Message
from bridge.control.dispatch import ROWS, SHORT_ROWS
from bridge.control.packet import NTP_TO_UNIX_SECONDS, Packet, Wire, encode, parse
from bridge.errors import PacketError

FILE_PREFIX = "far:"  # of a path: the file that was sent with this number
BY_PATH = (messages.REGION_FILE, messages.REGION_LISTEN)
ANSWERED = (messages.OK.address, messages.ERROR.address, messages.PROGRESS.address)


def resolved(packet: Packet) -> tuple[Message | None, Packet]:
    """A request's row and its long form, id 0 if it came without; None for other addresses.  [any]"""
    row = ROWS.get(packet.address)
    if row is None and (row := SHORT_ROWS.get(packet.address)):
        return row, Packet(row.address, (0, *packet.values), packet.due_seconds)
    if row is None and (found := lane_addresses.read(packet)):
        return found
    return row, packet


def packets_of(datagram: bytes) -> list[Packet]:
    """Its messages; none if it is not OSC: the engine answers such a datagram itself.  [any]"""
    try:
        return parse(datagram)
    except PacketError:
        return []


def answer_of(datagram: bytes) -> tuple[str, tuple[Wire, ...]]:
    """Address and values of what an engine sends; ("", ()) if it is nothing that is read.  [any]"""
    packets = packets_of(datagram)
    return (packets[0].address, packets[0].values) if len(packets) == 1 else ("", ())


def with_value(packet: Packet, at: int, value: Wire) -> Packet:
    """A message with another value; missing ones before it are left to their defaults.  [any]"""
    values = list(packet.values)
    if at < len(values):
        values[at] = value
    return Packet(packet.address, tuple(values), packet.due_seconds)


def bytes_of(packet: Packet) -> bytes:
    """Its datagram, in a bundle if it is due at a time.  [any]"""
    data = encode(packet.address, packet.values)
    if packet.due_seconds is None:
        return data
    timetag = round((packet.due_seconds + NTP_TO_UNIX_SECONDS) * 2**32)
    return b"#bundle\0" + timetag.to_bytes(8, "big") + len(data).to_bytes(4, "big") + data
