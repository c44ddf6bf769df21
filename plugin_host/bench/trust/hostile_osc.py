"""Hostile OSC: forty named attacks, and any number of mutated datagrams from a seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence

from bridge.control import messages
from bridge.control.arguments import Message
from bridge.control.packet import (
    ADDRESS_BYTES_MAX,
    ARGUMENTS_MAX,
    DATAGRAM_BYTES_MAX,
    DEPTH_MAX,
    ELEMENTS_MAX,
    encode,
)

Random = random.Random
_WORDS = (-1, -4, 0, 1, 2**31 - 1, -(2**31), 65536, 0x7F800000, 0x7FC00000)


def bundle(*elements: bytes, timetag: int = 1) -> bytes:
    """A bundle of these datagrams.  [any]"""
    parts = [b"#bundle\0", timetag.to_bytes(8, "big")]
    for element in elements:
        parts += [len(element).to_bytes(4, "big"), element]
    return b"".join(parts)


def nested(depth: int) -> bytes:
    """A message in so many bundles.  [any]"""
    datagram = encode("/a", [1])
    for _ in range(depth):
        datagram = bundle(datagram)
    return datagram


def plain(row: Message, lane: int = 1, id: int = 1) -> bytes:
    """A valid datagram of a request.  [any]"""
    values: list[int | str] = []
    for argument in row.arguments:
        if argument.name == "id":
            values.append(id)
        elif argument.name == "lane":
            values.append(lane)
        elif argument.kind == "s":
            values.append(str(argument.choices[0]) if argument.choices else "text")
        else:
            values.append(1)
    return encode(row.address, values)


def mutated(rng: Random, datagram: bytes) -> bytes:
    """A datagram with one to five changes: bytes, cuts, insertions, words, bundles.  [any]"""
    changed = bytearray(datagram)
    if rng.random() < 0.3:
        changed = bytearray(bundle(datagram, datagram))
    for _ in range(rng.randrange(1, 6)):
        place, change = rng.randrange(len(changed)), rng.randrange(6)
        if change == 0:
            changed[place] = rng.randrange(256)
        elif change == 1:
            del changed[place:]
        elif change == 2:
            changed[place:place] = rng.randbytes(rng.randrange(1, 9))
        elif change == 3:
            changed[place : place + 4] = struct.pack(">i", rng.choice(_WORDS))
        elif change == 4:  # aligned: sizes, tags and numbers
            changed[place // 4 * 4 : place // 4 * 4 + 4] = struct.pack(">i", rng.choice(_WORDS))
        else:
            changed += changed[place : place + 64]
        if not changed:
            changed = bytearray(b"\0")
    return bytes(changed)


def stream(seed: int, rows: Sequence[Message] = messages.REQUESTS, lane: int = 1) -> Iterator[bytes]:
    """Mutated datagrams without an end, the same for a seed.  [any]"""
    rng, whole = Random(seed), [plain(row, lane) for row in rows]
    while True:
        yield mutated(rng, rng.choice(whole))


ATTACKS = {
    "empty": b"",
    "no multiple of four": b"/a\0\0,\0\0",
    "element of -4 bytes": b"#bundle\0" + (1).to_bytes(8, "big") + b"\xff\xff\xff\xfc",
    "inner element of -4 bytes": bundle(b"#bundle\0" + (1).to_bytes(8, "big") + b"\xff\xff\xff\xfc"),
    "element of 0 bytes": b"#bundle\0" + (1).to_bytes(8, "big") + bytes(4),
    "element larger than its bundle": bundle(encode("/a", [1]))[:-4],
    "bundle without a timetag": b"#bundle\0\0\0\0\1",
    "1,200 bundles deep": nested(380),
    "too deep by one": nested(DEPTH_MAX + 1),
    "many stars": b"/" + b"*a" * 14 + b"b\0\0" + b",\0\0\0",
    "pattern": encode("/lane?", []),
    "address byte 0xff": b"\xff\0\0\0",
    "address not from a slash": b"lane\0\0\0\0,\0\0\0",
    "address with a space": encode("/a b", []),
    "address too long": encode("/" + "a" * ADDRESS_BYTES_MAX, []),
    "address without an end": b"/aaa",
    "no tags": b"/a\0\0",
    "tags without a comma": b"/a\0\0i\0\0\0\0\0\0\1",
    "too many tags": encode("/a", [1] * (ARGUMENTS_MAX + 1)),
    "60,000 tags": b"/a\0\0," + b"i" * 8003,
    "nested arrays": b"/a\0\0," + b"[" * 31 + bytes(4),
    "unknown tag": b"/a\0\0,x\0\0",
    "nil": b"/a\0\0,N\0\0",
    "number cut short": b"/a\0\0,i\0\0",
    "double cut short": b"/a\0\0,d\0\0\0\0\0\0",
    "text without an end": b"/a\0\0,s\0\0abcd",
    "text padded with noise": b"/a\0\0,s\0\0a\0xx",
    "text not UTF-8": b"/a\0\0,s\0\0\xff\xfe\0\0",
    "half a surrogate": b"/a\0\0,s\0\0\xed\xa0\x80\0",
    "blob of -4 bytes": b"/a\0\0,b\0\0\xff\xff\xff\xfc",
    "blob too long": b"/a\0\0,b\0\0\0\0\xff\xff",
    "bytes left over": encode("/a", [1]) + bytes(4),
    "NaN": encode("/a", [float("nan")]),
    "infinity": encode("/a", [float("inf")]),
    "NaN as a double": b"/a\0\0,d\0\0" + struct.pack(">d", float("nan")),
    "too long": encode("/a", ["x" * DATAGRAM_BYTES_MAX]),
    "too many elements": bundle(*[encode("/a", [])] * (ELEMENTS_MAX + 1)),
    "too many elements on two levels": bundle(*[bundle(*[encode("/a", [])] * 40)] * 2),
    "web request": b"POST / HTTP/1.1\r\n\r\n\0",
    "STUN": bytes.fromhex("000100002112a442") + bytes(12),
}
