"""Repair of audio files with wrong lengths in headers: from crashed recorders, streams and careless writers.

    no length      the data's size is 0 or the largest number: read to the end of the file
    cut short      the data's size is more than the file has left
    unpadded       a chunk of odd size without the byte that must follow it
    MPEG in WAV    read as an MPEG stream

Only headers are read here. A repaired file is a new header before the old data; nothing is copied.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

CUT_NOTE = "the file is shorter than it says: cut short or still being written"
ENDLESS_NOTE = "its header gives no length (a stream, or a recorder that was stopped): read to its end"
UNPADDED_NOTE = "a chunk of odd size lacks its padding byte: read all the same"
CHUNKS_MAX = 4096
HEAD_BYTES_MAX = 1 << 20  # of chunks in a repaired header
UNSAID = 0x7FFFF000  # sizes from here on mean unknown, if the file is shorter (SoX, ffmpeg)
MPEG_TAGS = (0x50, 0x55)
_OGG_END = 4  # flag of a stream's last page


@dataclass(frozen=True)
class Repair:
    """`source` is what to decode (None: the file unchanged), `note` what is wrong, `tag` a WAV file's format tag."""

    source: Spliced | None = None
    note: str = ""
    tag: int = 0


class Spliced(io.RawIOBase):
    """A read-only file: `head`, then bytes `start` to `end` of another one."""

    def __init__(self, head: bytes, file: BinaryIO, start: int, end: int) -> None:
        self._head, self._file, self._start = head, file, start
        self._size, self._at = len(head) + max(0, end - start), 0

    def readable(self) -> bool:
        """True.  [any]"""
        return True

    def seekable(self) -> bool:
        """True.  [any]"""
        return True

    def tell(self) -> int:
        """Offset of the next byte.  [any]"""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As for any file.  [any]"""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: object) -> int:
        """Read into a buffer; returns the number of bytes.  [any]"""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        wanted = min(len(view), max(0, self._size - self._at))
        part = self._head[self._at : self._at + wanted]
        if len(part) < wanted:
            self._file.seek(self._start + self._at + len(part) - len(self._head))
            part += self._file.read(wanted - len(part))
        view[: len(part)] = part
        self._at += len(part)
        return len(part)


def repair(file: BinaryIO) -> Repair:
    """What is wrong with an open audio file's lengths, and how to read it.  [any]"""
    size = file.seek(0, os.SEEK_END)
    magic, form = _at(file, 0, 4), _at(file, 8, 4)
    if magic in (b"RIFF", b"RF64", b"BW64") and form == b"WAVE":
        return _iff(file, size, _WAVE)
    if magic == b"FORM" and form in (b"AIFF", b"AIFC"):
        return _iff(file, size, _AIFF)
    if magic == b"caff":
        return _caf(file, size)
    if magic == b".snd":
        return _au(file, size)
    if magic == b"fLaC":
        unsaid = not int.from_bytes(_at(file, 21, 5), "big") & 0xFFFFFFFFF
        return Repair(note=ENDLESS_NOTE if unsaid else "")
    if magic == b"OggS":
        return Repair(note="" if _ogg_is_whole(file, size) else CUT_NOTE)
    return Repair()


def _at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


@dataclass(frozen=True)
class _Form:
    """A kind of chunked file: byte order, the samples' chunk, the chunks that describe them, its empty size."""

    order: str
    data: bytes
    kept: tuple[bytes, ...]
    empty: int


_WAVE = _Form("<", b"data", (b"fmt ", b"fact"), 0)
_AIFF = _Form(">", b"SSND", (b"COMM", b"FVER"), 8)


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    at: int  # offset of its body
    size: int
    padded: bool = True


def _chunks(file: BinaryIO, size: int, form: _Form) -> Iterator[_Chunk]:
    """The chunks of a file up to that of its samples; tolerates a missing padding byte."""
    at = 12
    for _ in range(CHUNKS_MAX):
        head = _at(file, at, 8)
        if len(head) < 8:
            return
        name, length = struct.unpack(f"{form.order}4sI", head)
        body, following = at + 8, at + 8 + length
        odd, after = length % 2, following + 1
        padded = not odd or _is_chunk(file, after, size, form) or not _is_chunk(file, following, size, form)
        yield _Chunk(name, body, length, padded)
        if name == form.data:
            return
        at = following + odd * padded


def _is_chunk(file: BinaryIO, at: int, size: int, form: _Form) -> bool:
    """Whether a chunk may begin there: a printable name, and room for its body; or the samples' chunk."""
    head = _at(file, at, 8)
    if len(head) < 8 or not all(32 <= letter < 127 for letter in head[:4]):
        return at >= size  # after the last one
    name, length = struct.unpack(f"{form.order}4sI", head)
    return name == form.data or at + 8 + int(length) <= size


def _iff(file: BinaryIO, size: int, form: _Form) -> Repair:
    """WAV (also of 64 bits) and AIFF."""
    found = list(_chunks(file, size, form))
    if not found or found[-1].name != form.data:
        return Repair()
    data, first = found[-1], {chunk.name: chunk for chunk in reversed(found)}
    said, rest = data.size, size - data.at
    if form is _WAVE and said == 0xFFFFFFFF and b"ds64" in first:
        said = int.from_bytes(_at(file, first[b"ds64"].at + 8, 8), "little")
    tag = _tag(file, first[b"fmt "]) if b"fmt " in first else 0
    unpadded = not all(chunk.padded for chunk in found[:-1])
    unsaid = said > rest and said >= UNSAID
    if said <= form.empty < rest:
        unsaid = not _is_chunk(file, data.at + form.empty, size, form)
    notes = [UNPADDED_NOTE] * unpadded + [ENDLESS_NOTE] * unsaid + [CUT_NOTE] * (said > rest and not unsaid)
    note = "; ".join(notes)
    length = rest if unsaid else min(said, rest)
    if tag in MPEG_TAGS:
        return Repair(Spliced(b"", file, data.at, data.at + length), note, tag)
    if not (unpadded or unsaid):
        return Repair(note=note, tag=tag)
    head = _head(file, [chunk for name, chunk in first.items() if name in form.kept], form, length)
    return Repair(Spliced(head, file, data.at, data.at + length) if head else None, note, tag)


def _tag(file: BinaryIO, chunk: _Chunk) -> int:
    """Format tag of a WAV file; for the extensible form the inner one."""
    body = _at(file, chunk.at, min(chunk.size, 40))
    tag = int.from_bytes(body[:2], "little")
    return int.from_bytes(body[24:26], "little") if tag == 0xFFFE else tag


def _head(file: BinaryIO, kept: list[_Chunk], form: _Form, length: int) -> bytes:
    """A header of these chunks and a chunk of `length` bytes of samples; empty if they are too large."""
    if sum(chunk.size for chunk in kept) > HEAD_BYTES_MAX:
        return b""
    parts = [_at(file, 8, 4)]
    for chunk in sorted(kept, key=lambda one: one.at):
        body = _at(file, chunk.at, chunk.size)
        parts += [struct.pack(f"{form.order}4sI", chunk.name, len(body)), body, b"\0" * (len(body) % 2)]
    parts.append(struct.pack(f"{form.order}4sI", form.data, length))
    magic = b"RIFF" if form is _WAVE else b"FORM"
    return struct.pack(f"{form.order}4sI", magic, sum(map(len, parts)) + length) + b"".join(parts)


def _caf(file: BinaryIO, size: int) -> Repair:
    """Core Audio: sizes have 64 bits, and -1 of the samples is allowed: up to the end."""
    at = 8
    for _ in range(CHUNKS_MAX):
        head = _at(file, at, 12) if at <= HEAD_BYTES_MAX else b""
        if len(head) < 12:
            break
        name, length = struct.unpack(">4sq", head)
        rest = size - at - 12
        if name == b"data":
            if 4 < length <= rest:
                break
            note = CUT_NOTE if rest < length < 1 << 62 else ENDLESS_NOTE
            fixed = _at(file, 0, at) + struct.pack(">4sq", name, rest)
            return Repair(Spliced(fixed, file, at + 12, size), note) if rest > 4 else Repair()
        if length < 0:
            break
        at += 12 + length
    return Repair()


def _au(file: BinaryIO, size: int) -> Repair:
    """Sun's files: a size of -1 is allowed: up to the end."""
    begin, said = struct.unpack(">II", _at(file, 4, 8).ljust(8, b"\0"))
    if said not in (0, 0xFFFFFFFF) or not 24 <= begin <= min(size, HEAD_BYTES_MAX):
        rest = size - begin
        return Repair(note=CUT_NOTE if said > rest and said != 0xFFFFFFFF else "")
    fixed = _at(file, 0, 8) + b"\xff" * 4 + _at(file, 12, begin - 12)
    return Repair(Spliced(fixed, file, begin, size) if begin < size else None, ENDLESS_NOTE if begin < size else "")


def _ogg_is_whole(file: BinaryIO, size: int) -> bool:
    """Whether the last page is complete and marked as the last."""
    tail = _at(file, max(0, size - (1 << 16) - 512), (1 << 16) + 512)
    begin = tail.rfind(b"OggS")
    page = tail[begin:] if begin >= 0 else b""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return bool(page[5] & _OGG_END) and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
