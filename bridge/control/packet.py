"""OSC datagrams: a strict parser, and the encoder that is its inverse.

Bytes from the network arrive here. Whatever they are, `parse` returns messages or raises PacketError, in time
proportional to their number. The rules are narrower than OSC 1.0: no address patterns, no arrays, no meaning for
blobs, no NaN, and limits on everything.

    datagram = message | "#bundle\\0" timetag { size element }        all sizes are multiples of 4
    message  = address\\0.. ",tags"\\0.. values                       big-endian
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.errors import PacketError

DATAGRAM_BYTES_MAX = 9216
ADDRESS_BYTES_MAX = 128
ARGUMENTS_MAX = 64
ELEMENTS_MAX = 64  # messages and bundles in one datagram, all levels together
DEPTH_MAX = 4
IMMEDIATELY = 1  # the timetag for now
NTP_TO_UNIX_SECONDS = 2_208_988_800

Wire = int | float | str | bytes
_BUNDLE = b"#bundle\0"
_ADDRESS = re.compile(rb"/[^\0- #*,?\[\]{}\x7f-\xff]*\Z")  # printable ASCII without space # * , ? [ ] { }
_NUMBERS = {tag: struct.Struct(f">{code}") for tag, code in ("ii", "ff", "hq", "dd")}
_TRUTH = {"T": 1, "F": 0}


@dataclass(frozen=True, slots=True)
class Packet:
    """One message: its address, its values, and when it is due (Unix seconds; None: now)."""

    address: str
    values: tuple[Wire, ...]
    due_seconds: float | None = None


def parse(datagram: bytes) -> list[Packet]:
    """The messages of a datagram in their order, those of bundles included.

    PacketError says what is wrong; nothing else is raised. A datagram with any fault yields no messages.  [any]
    """
    if len(datagram) > DATAGRAM_BYTES_MAX:
        raise PacketError(f"datagram of {len(datagram)} bytes, at most {DATAGRAM_BYTES_MAX} are read")
    packets = list(_elements(datagram, 0, None))
    if len(packets) > ELEMENTS_MAX:
        raise PacketError(f"bundle of {len(packets)} messages, at most {ELEMENTS_MAX} are taken")
    return packets


def is_bundle(datagram: bytes) -> bool:
    """Whether a datagram is marked as a bundle.  [any]"""
    return datagram.startswith(_BUNDLE)


def encode(address: str, values: Sequence[Wire]) -> bytes:
    """The datagram of one message: int as i, float as f, text as s, bytes as a blob.

    ValueError for text with a zero byte or numbers that do not fit.  [any]
    """
    tags = [",", *(_tag(value) for value in values)]
    parts = [_padded(address.encode("ascii")), _padded("".join(tags).encode())]
    parts += [_encoded(value) for value in values]
    return b"".join(parts)


def with_first(datagram: bytes, id: int) -> bytes:
    """One of our messages with its first value, a whole number, replaced.  [any]"""
    _, at = _string(datagram, 0, ADDRESS_BYTES_MAX)
    _, at = _string(datagram, at, DATAGRAM_BYTES_MAX)
    return datagram[:at] + id.to_bytes(4, "big") + datagram[at + 4 :]


def salvage(datagram: bytes) -> tuple[str, int]:
    """Address and request id of a message that `parse` refused, if they can be read; else ("", 0).

    For the answer's id. Reads a bounded number of bytes and raises nothing.  [any]
    """
    head = bytes(datagram[: ADDRESS_BYTES_MAX + ARGUMENTS_MAX + 16])
    try:
        address, at = _string(head, 0, ADDRESS_BYTES_MAX)
        if not _ADDRESS.match(address):
            return "", 0
        end = head.find(b"\0", at)
        tags = head[at:end]
        values = at + (len(tags) // 4 + 1) * 4
        kind = chr(tags[1])
        number = _NUMBERS[kind].unpack_from(head, values)[0]
        return address.decode("ascii"), int(number) if 0 <= number < 2**24 else 0
    except (PacketError, KeyError, IndexError, struct.error, ValueError, OverflowError):
        return _salvaged_address(head), 0


def _salvaged_address(head: bytes) -> str:
    address = head.partition(b"\0")[0]
    return address.decode("ascii") if len(address) <= ADDRESS_BYTES_MAX and _ADDRESS.match(address) else ""


# -- reading ------------------------------------------------------------------------------------------


def _elements(data: bytes, depth: int, due: float | None) -> Iterator[Packet]:
    if len(data) % 4 or not data:
        raise PacketError(f"{len(data)} bytes where OSC has a multiple of 4")
    if not data.startswith(_BUNDLE):
        yield _message(data, due)
        return
    if depth == DEPTH_MAX:
        raise PacketError(f"bundles nested deeper than {DEPTH_MAX}")
    if len(data) < 16:
        raise PacketError("bundle without a timetag")
    due = _due(int.from_bytes(data[8:16], "big"))
    at, count = 16, 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if size < 8 or size > len(data) - at:
            raise PacketError(f"bundle element of {size} bytes where {len(data) - at} are left")
        yield from _elements(data[at : at + size], depth + 1, due)
        at += size
        count += 1
        if count > ELEMENTS_MAX:
            raise PacketError(f"bundle of more than {ELEMENTS_MAX} elements")


def _due(timetag: int) -> float | None:
    return None if timetag == IMMEDIATELY else timetag / 2**32 - NTP_TO_UNIX_SECONDS


def _message(data: bytes, due: float | None) -> Packet:
    address, at = _string(data, 0, ADDRESS_BYTES_MAX)
    if not _ADDRESS.match(address):
        raise PacketError("no OSC address at the start (printable ASCII from '/', patterns are not taken)")
    if at >= len(data):
        raise PacketError(f"{address.decode()} has no type tags")
    tags, at = _string(data, at, ARGUMENTS_MAX + 1)
    if not tags.startswith(b","):
        raise PacketError(f"{address.decode()} has no type tags")
    values = []
    for tag in tags[1:].decode("latin-1"):
        value, at = _value(tag, data, at)
        values.append(value)
    if at != len(data):
        raise PacketError(f"{address.decode()} has {len(data) - at} bytes left over")
    return Packet(address.decode("ascii"), tuple(values), due)


def _value(tag: str, data: bytes, at: int) -> tuple[Wire, int]:
    number = _NUMBERS.get(tag)
    if number is not None:
        if at + number.size > len(data):
            raise PacketError(f"cut short in an argument of type {tag}")
        value = number.unpack_from(data, at)[0]
        if not math.isfinite(value):
            raise PacketError(f"an argument is {value}; numbers must be finite")
        return value, at + number.size
    if tag in ("s", "S"):
        text, at = _string(data, at, DATAGRAM_BYTES_MAX)
        return _utf8(text), at
    if tag in _TRUTH:
        return _TRUTH[tag], at
    if tag == "b":
        return _blob(data, at)
    raise PacketError(f"type tag {tag!r} is not taken; send i, f or s")


def _string(data: bytes, at: int, limit: int) -> tuple[bytes, int]:
    """The bytes from `at` to the zero, and the end of the padding."""
    end = data.find(b"\0", at)
    if end < 0:
        raise PacketError("text without an end")
    if end - at > limit:
        raise PacketError(f"text of {end - at} bytes where {limit} are allowed")
    stop = at + ((end - at) // 4 + 1) * 4
    if stop > len(data) or data[end:stop].strip(b"\0"):
        raise PacketError("text is not padded with zeros to a multiple of 4")
    return data[at:end], stop


def _utf8(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PacketError(f"text is not UTF-8: byte {error.start} is 0x{text[error.start]:02x}") from None


def _blob(data: bytes, at: int) -> tuple[bytes, int]:
    if at + 4 > len(data):
        raise PacketError("cut short in a blob")
    size = int.from_bytes(data[at : at + 4], "big", signed=True)
    stop = at + 4 + (size + 3) // 4 * 4
    if size < 0 or stop > len(data):
        raise PacketError(f"blob of {size} bytes where {len(data) - at - 4} are left")
    return data[at + 4 : at + 4 + size], stop


# -- writing ------------------------------------------------------------------------------------------


def _padded(data: bytes) -> bytes:
    if b"\0" in data:
        raise ValueError("text with a zero byte cannot be sent")
    return data + bytes(4 - len(data) % 4)


def _tag(value: Wire) -> str:
    kinds = ((float, "f"), (str, "s"), (bytes, "b"))
    return next((tag for kind, tag in kinds if isinstance(value, kind)), "i")


def _encoded(value: Wire) -> bytes:
    if isinstance(value, str):
        return _padded(value.encode("utf-8"))
    if isinstance(value, bytes):
        return len(value).to_bytes(4, "big") + value + bytes(-len(value) % 4)
    try:
        return _NUMBERS["f" if isinstance(value, float) else "i"].pack(value)
    except (OverflowError, struct.error):
        raise ValueError(f"{value!r} does not fit 32 bits") from None
