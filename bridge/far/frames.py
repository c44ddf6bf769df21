"""The frames of the connection between an engine's machine and a musician's.

frame = length (4 bytes, of what follows kind) kind (1 byte) payload        little-endian

HELLO     -> version, session, the rings that the relay has      WELCOME  <- the rings that are continued
DATAGRAM  <> client, one OSC datagram                            BYE      -> the session ends
HOST      -> lane, buffer, reader and transport of its ring      RING     <- lane, plan, fader, numbered blocks
FILE      -> a part of a file for a region                       LANE     <- a lane was opened: its ring's form
PING      -> the relay's clock                                   PONG     <- the same, and the engine's clock
GONE      -> a client of the relay has gone                      CLOSED   <- a lane's ring is closed
ASK       <> what `segue farm` asks a farm's door                PLACE    <- a farm's door: where to play, or why not
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from bridge.errors import SegueError

VERSION = 1
FAR_PORT = 9600  # TCP; the OSC port of the same number is UDP
PAYLOAD_MAX = 2**20
PART_BYTES = 2**16  # of a file, in a frame
_HEAD = struct.Struct("<IB")
_CLIENT = struct.Struct("<I")
_FILE = struct.Struct("<IB")
_PING, _PONG = struct.Struct("<q"), struct.Struct("<qq")


class Kind(IntEnum):
    """What a frame holds."""

    HELLO = 1
    WELCOME = 2
    DATAGRAM = 3
    HOST = 4
    RING = 5
    LANE = 6
    CLOSED = 7
    PING = 8
    PONG = 9
    FILE = 10
    GONE = 11
    BYE = 12
    PLACE = 13
    ASK = 14


class FrameError(SegueError):
    """What came over the connection is no frame of this version."""

    code = "far_frame"


def address_of(text: str) -> tuple[str, int]:
    """Host and port of HOST, HOST:PORT, or [IPv6]:PORT; FAR_PORT if none is given. ValueError.  [any]"""
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and int(port) < 65536)):
        raise ValueError(f"{text!r} must be ADDRESS or ADDRESS:PORT, with a port from 0 to 65535")
    return host, int(port) if port else FAR_PORT


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """One frame; ValueError for a payload over PAYLOAD_MAX.  [any]"""
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"a frame holds up to {PAYLOAD_MAX} bytes, got {len(payload)}")
    return _HEAD.pack(len(payload), kind) + payload


class Deframer:
    """Makes frames of the bytes that arrive, in pieces of any size."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The frames that are complete with these bytes; FrameError.  [any]"""
        self._bytes += data
        at = 0
        while len(self._bytes) - at >= _HEAD.size:
            length, number = _HEAD.unpack_from(self._bytes, at)
            if length > PAYLOAD_MAX or number not in Kind._value2member_map_:
                raise FrameError(f"a frame of kind {number} with {length} bytes")
            end = at + _HEAD.size + length
            if end > len(self._bytes):
                break
            yield Kind(number), bytes(self._bytes[at + _HEAD.size : end])
            at = end
        del self._bytes[:at]


def words(kind: Kind, **values: Any) -> bytes:
    """A frame with values by name.  [any]"""
    return frame(kind, json.dumps(values).encode())


def words_of(payload: bytes) -> dict[str, Any]:
    """The values by name; FrameError.  [any]"""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FrameError("values by name were expected")
    return found


def datagram(client: int, data: bytes) -> bytes:
    """An OSC datagram of, or for, a client of the relay.  [any]"""
    return frame(Kind.DATAGRAM, _CLIENT.pack(client) + data)


def datagram_of(payload: bytes) -> tuple[int, bytes]:
    """The client's number and its datagram; FrameError.  [any]"""
    return _unpacked(_CLIENT, payload)[0], payload[_CLIENT.size :]


def gone(client: int) -> bytes:
    """A client of the relay is not there any more.  [any]"""
    return frame(Kind.GONE, _CLIENT.pack(client))


def file_parts(number: int, data: bytes) -> Iterator[bytes]:
    """The frames of a file.  [any]"""
    for at in range(0, max(len(data), 1), PART_BYTES):
        last = at + PART_BYTES >= len(data)
        yield frame(Kind.FILE, _FILE.pack(number, last) + data[at : at + PART_BYTES])


def file_part_of(payload: bytes) -> tuple[int, bool, bytes]:
    """A file's number, whether this is its last part, and the part; FrameError.  [any]"""
    number, last = _unpacked(_FILE, payload)
    return number, bool(last), payload[_FILE.size :]


def ping(now_ns: int) -> bytes:
    """The relay's clock.  [any]"""
    return frame(Kind.PING, _PING.pack(now_ns))


def pong(payload: bytes, now_ns: int) -> bytes:
    """The answer to a ping; FrameError.  [any]"""
    return frame(Kind.PONG, _PONG.pack(_unpacked(_PING, payload)[0], now_ns))


def pong_of(payload: bytes) -> tuple[int, int]:
    """The relay's clock when it asked, the engine's when it answered; FrameError.  [any]"""
    asked, answered = _unpacked(_PONG, payload)
    return asked, answered


def _unpacked(form: struct.Struct, payload: bytes) -> tuple[Any, ...]:
    try:
        return form.unpack_from(payload)
    except struct.error:
        raise FrameError(f"a payload of {len(payload)} bytes is too short") from None
