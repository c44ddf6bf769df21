"""The tempo in an audio file's metadata. Reading is limited and raises no error.

    WAV, RF64    acid (tempo and beats), iXML (BPM or TEMPO), bext ("120 bpm" in its text), an ID3 tag (TBPM)
    AIFF         basc (an Apple loop's beats), an ID3 tag
    CAF          info (tempo), an Apple loop's beat count
    MP3          an ID3 tag
    FLAC, OGG    the comments BPM or TEMPO

Sources: common practice for acid (libsndfile, makers of loops) and basc (go-audio, readers of Apple Loops), the
iXML and Core Audio Format specifications, EBU Tech 3285, ID3 2.2 to 2.4, RFC 9639, the Vorbis comment header.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

from bridge.region.tempo_text import NUMBER, TEMPO_LEAST, TEMPO_MOST, number_of, tagged_tempo

CHUNKS_MAX = 512
BODY_BYTES_MAX = 2**20
HEAD_BYTES = 2**16  # of an OGG file, searched for its comments
ONE_SHOT = 0x01
_APPLE_BEATS = bytes.fromhex("29819273b5bf4aefb78d62d1ef90bb2c")
_IXML = re.compile(rf"<(?:BPM|TEMPO)>\s*({NUMBER})\s*</", re.IGNORECASE)
_WANTED = frozenset((b"acid", b"iXML", b"bext", b"id3 ", b"ID3 ", b"basc", b"info", b"uuid"))


class TempoSource(IntEnum):
    """The part of a file that states a tempo, the most trustworthy first.  [any]"""

    ACID = 0
    IXML = 1
    APPLE = 2
    TAGS = 3
    BEXT = 4
    NOWHERE = 5


@dataclass(frozen=True)
class Said:
    """A file's statement: tempo in bpm, possible numbers of beats (0, none: not stated), and its source in words.

    `source` is the part of the file: some are trusted more than others. `weak`: the file is no loop, and its maker may
    have left a meaningless tempo.
    """

    bpm: float = 0.0
    beats: tuple[float, ...] = ()
    who: str = ""
    weak: bool = False
    source: TempoSource = TempoSource.NOWHERE


def said_in(path: str) -> tuple[Said, ...]:
    """A file's statements, the most trustworthy first; empty if it cannot be read.  [any]"""
    found: list[Said] = []
    with suppress(OSError, ValueError, struct.error, IndexError, OverflowError):  # what was read before a fault counts
        if stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "rb", opener=_opened) as file:
                found.extend(_all(file))
    known = [said for said in found if said.bpm or said.beats]
    return tuple(sorted(known, key=lambda said: said.source))


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # or a file that became a pipe would block


def _all(file: BinaryIO) -> Iterator[Said]:
    head = file.read(12)
    kind, form = head[:4], head[8:]
    if kind in (b"RIFF", b"RF64", b"BW64") and form == b"WAVE":
        yield from (_of_chunk(name, body) for name, body in _chunks(file, "<"))
    elif kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        yield from (_of_chunk(name, body) for name, body in _chunks(file, ">"))
    elif kind == b"caff":
        yield from (_of_chunk(name, body) for name, body in _caf_chunks(file))
    elif kind[:3] == b"ID3":
        yield _id3(head + file.read(BODY_BYTES_MAX))
    elif kind == b"fLaC":
        yield from _flac(file)
    elif kind == b"OggS":
        yield _ogg(head + file.read(HEAD_BYTES))


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of the wanted chunks; tolerates a missing padding byte."""
    whole = os.fstat(file.fileno()).st_size
    long = 0  # size of the samples in a 64-bit file, which stores it separately
    place = 12
    for _ in range(CHUNKS_MAX):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        name, size = struct.unpack(order + "4sI", head)
        if name == b"ds64":
            long = struct.unpack("<Q", file.read(16)[8:])[0]
        elif name in _WANTED:
            yield name, file.read(min(size, BODY_BYTES_MAX))
        if name == b"data" and size == 0xFFFFFFFF:
            size = long
        place += 8 + size
        if size % 2 and place < whole:
            file.seek(place)
            place += file.read(1) == b"\0"


def _caf_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    for _ in range(CHUNKS_MAX):
        file.seek(place)
        head = file.read(12)
        if len(head) < 12:
            return
        name, size = struct.unpack(">4sq", head)
        if name in _WANTED:
            yield name, file.read(min(max(size, 0), BODY_BYTES_MAX))
        if size < 0:
            return  # the samples, up to the end
        place += 12 + size


def _of_chunk(name: bytes, body: bytes) -> Said:
    if name == b"acid":
        return _acid(body)
    if name == b"iXML":
        match = _IXML.search(body.decode("utf-8", "replace"))
        return Said(number_of(match[1]) if match else 0.0, who="its iXML", source=TempoSource.IXML)
    if name == b"bext":
        texts = body[:256], body[602:]
        found = (tagged_tempo(text.split(b"\0")[0].decode("utf-8", "replace")) for text in texts)
        return Said(next((bpm for bpm in found if bpm), 0.0), who="its bext text", source=TempoSource.BEXT)
    if name == b"basc":
        beats = struct.unpack(">I", body[4:8])[0]
        return Said(
            beats=(float(beats),) if 0 < beats < 10_000 else (), who="its Apple loop chunk", source=TempoSource.APPLE
        )
    if name in (b"info", b"uuid"):
        return _apple(name, body)
    return _id3(body)


def _acid(body: bytes) -> Said:
    """Most programs count beats as quarter notes, some as notes of the signature's denominator, Segue among them."""
    flags, beats, unit, bpm = *struct.unpack("<I", body[:4]), *struct.unpack("<IH2xf", body[12:24])
    counts = {float(beats)} | ({beats * 4.0 / unit} if unit in (1, 2, 4, 8, 16, 32) else set())
    known = round(bpm, 4) if TEMPO_LEAST <= bpm <= TEMPO_MOST else 0.0
    meant = tuple(sorted(counts)) if 0 < beats < 10_000 else ()
    return Said(known, meant, "its acid chunk", bool(flags & ONE_SHOT), TempoSource.ACID)


def _apple(name: bytes, body: bytes) -> Said:
    """Key and value pairs of a CAF file: the tempo of `info`, the beat count of an Apple loop."""
    if name == b"uuid" and body[:16] != _APPLE_BEATS:
        return Said()
    words = body[4 if name == b"info" else 20 :].decode("utf-8", "replace").split("\0")
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    beats = number if (number := pairs.get("beat count", "")).isdecimal() and len(number) < 5 else ""
    counted = (float(beats),) if beats else ()
    return Said(number_of(pairs.get("tempo", "")), counted, "its Apple chunk", source=TempoSource.APPLE)


def _id3(tag: bytes) -> Said:
    """The frame TBPM of an ID3 tag."""
    if tag[:3] != b"ID3" or len(tag) < 10:
        return Said()
    old, size = tag[3] == 2, _synchsafe(tag[6:10])
    place, end = 10, min(10 + size, len(tag))
    if tag[5] & 0x40 and not old:  # an extended header
        place += _synchsafe(tag[10:14]) if tag[3] == 4 else 4 + int.from_bytes(tag[10:14], "big")
    for _ in range(CHUNKS_MAX):
        name = tag[place : place + (3 if old else 4)]
        if place + 10 > end or not name.strip(b"\0"):
            break
        if old:
            length, head = int.from_bytes(tag[place + 3 : place + 6], "big"), 6
        else:
            raw = tag[place + 4 : place + 8]
            length, head = _synchsafe(raw) if tag[3] == 4 else int.from_bytes(raw, "big"), 10
        if name in (b"TBPM", b"TBP"):
            text = tag[place + head + 1 : place + head + min(length, 64)]
            return Said(
                number_of(re.sub(r"[^0-9.,]", "", text.decode("latin-1"))), who="its tags", source=TempoSource.TAGS
            )
        place += head + length
    return Said()


def _synchsafe(raw: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(raw, (21, 14, 7, 0), strict=True))


def _flac(file: BinaryIO) -> Iterator[Said]:
    place = 4
    for _ in range(CHUNKS_MAX):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4:
            return
        size = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 4:
            yield _comments(file.read(min(size, BODY_BYTES_MAX)))
        if head[0] & 0x80:
            return
        place += 4 + size


def _ogg(head: bytes) -> Said:
    """The comments of a Vorbis or Opus stream that are complete in the file's first pages."""
    for sign in (b"\x03vorbis", b"OpusTags"):
        place = head.find(sign)
        if place >= 0:
            return _comments(head[place + len(sign) :])
    return Said()


def _comments(body: bytes) -> Said:
    """A tempo among comments: sizes little-endian, the maker's name first."""
    place = 4 + int.from_bytes(body[:4], "little")
    count = int.from_bytes(body[place : place + 4], "little")
    place += 4
    for _ in range(min(count, CHUNKS_MAX)):
        size = int.from_bytes(body[place : place + 4], "little")
        name, equals, text = body[place + 4 : place + 4 + min(size, 64)].partition(b"=")
        if equals and name.upper() in (b"BPM", b"TBPM", b"TEMPO"):
            bpm = number_of(text.decode("utf-8", "replace").lower().removesuffix("bpm"))
            return Said(bpm, who="its tags", source=TempoSource.TAGS)
        place += 4 + size
    return Said()
