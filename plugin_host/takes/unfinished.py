"""Whether a sound file is incomplete, by its container: half copied, or from a crashed recorder.

    WAV, AIFF, CAF, W64, AU   the sizes in their headers exceed the file
    OGG, Opus                 the last page is complete and marked as the last
    MP3                       its header counts the bytes, else the last frame is complete

Only headers, ends and frame headers are read. "" if nothing is missing, also for files without sound, which their
reader reports.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

CHUNKS_MAX = 4096
_WHY = "cut short, or still being written"
_UNKNOWN = 2**32 - 1
_OGG_PAGE_MAX = 65_307
_FRAMES_MAX = 1_000_000  # of MP3: about seven hours
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")  # its "riff"
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
ByteOrder = Literal["little", "big"]


def missing_end(path: Path) -> str:
    """Why a file's end seems to be missing, as text; "" if it does not, or cannot be read.  [any]"""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
            status = os.fstat(file.fileno())
            return _missing(file, status.st_size) if stat.S_ISREG(status.st_mode) else ""
    except (OSError, ValueError):
        return ""


def _missing(file: BinaryIO, size: int) -> str:
    head = file.read(24)
    for begin, look in _KINDS:
        if head.startswith(begin):
            return look(file, size, head)
    return _mp3(file, size) if _frame_bytes(head[:4]) else ""


def _shortage(wanted: int, size: int) -> str:
    """A text if the file is shorter than its header says."""
    return f"the file says it has {wanted} bytes, {size} are there: {_WHY}" if wanted > size else ""


# -- chunks -------------------------------------------------------------------------------------------


def _iff(file: BinaryIO, size: int, head: bytes) -> str:
    """RIFF, RIFX, RF64, BW64 and FORM: the chunks, and their sum in the header."""
    order: ByteOrder = "big" if head[:4] in (b"RIFX", b"FORM") else "little"
    long_data = 0  # RF64 stores it in its own chunk
    at, padded = 12, 0
    for _ in range(CHUNKS_MAX):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        if not all(32 <= sign < 127 for sign in chunk[:4]):  # a chunk without its padding byte, or garbage
            if padded:
                at, padded = at - 1, 0
                continue
            return ""
        length = int.from_bytes(chunk[4:], order)
        if chunk[:4] == b"ds64":
            long_data = int.from_bytes(file.read(16)[8:], order)
        if chunk[:4] == b"data" and length == _UNKNOWN and head[:4] in (b"RF64", b"BW64"):
            length = long_data
        if chunk[:4] == b"data" and length == 0 < size - at - 8:
            return f"the file says that it has no samples, {size - at - 8} bytes are there: {_WHY}"
        if at + 8 + length > size:
            return _shortage(at + 8 + length, size)
        padded = length % 2
        at += 8 + length + padded
    total = int.from_bytes(head[4:8], order) + 8
    return _shortage(total, size) if total <= _UNKNOWN else ""


def _caf(file: BinaryIO, size: int, head: bytes) -> str:
    at = 8
    for _ in range(CHUNKS_MAX):
        file.seek(at)
        chunk = file.read(12)
        if len(chunk) < 12:
            return ""
        length = int.from_bytes(chunk[4:], "big", signed=True)
        if length < 0:  # up to the end of the file
            return ""
        at += 12 + length
        if at > size:
            return _shortage(at, size)
    return ""


def _w64(file: BinaryIO, size: int, head: bytes) -> str:
    return _shortage(int.from_bytes(head[16:24], "little"), size)


def _au(file: BinaryIO, size: int, head: bytes) -> str:
    length = int.from_bytes(head[8:12], "big")
    return "" if length == _UNKNOWN else _shortage(int.from_bytes(head[4:8], "big") + length, size)


# -- pages and frames ---------------------------------------------------------------------------------


def _ogg(file: BinaryIO, size: int, head: bytes) -> str:
    """The last page: complete, and the last of its stream."""
    begin = max(0, size - 2 * _OGG_PAGE_MAX)
    file.seek(begin)
    end = file.read(2 * _OGG_PAGE_MAX)
    for at in _places(end, b"OggS"):
        page = end[at : at + 27 + 255]
        if len(page) < 27 or page[4] != 0 or len(page) < 27 + page[26]:
            continue
        if at + 27 + page[26] + sum(page[27 : 27 + page[26]]) == len(end):
            last = bool(page[5] & 4)
            return "" if last else f"the file's last page is not the end of its sound: {_WHY}"
    return f"the file ends within a page: {_WHY}"


def _places(data: bytes, word: bytes) -> Iterator[int]:
    """Offsets of a word, from the end."""
    at = data.rfind(word)
    while at >= 0:
        yield at
        at = data.rfind(word, 0, at)


def _id3(file: BinaryIO, size: int, head: bytes) -> str:
    """MP3 after an ID3v2 tag."""
    tag = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    at = 10 + tag + (10 if head[5] & 16 else 0)
    if at > size:
        return _shortage(at, size)
    file.seek(at)
    return _mp3(file, size, at) if _frame_bytes(file.read(4)) else ""


def _mp3(file: BinaryIO, size: int, at: int = 0) -> str:
    file.seek(at)
    first = file.read(1500)
    for word in (b"Xing", b"Info"):
        found = first.find(word, 0, 64)
        if found >= 0 and first[found + 7] & 2:
            counted = found + 8 + (4 if first[found + 7] & 1 else 0)
            return _shortage(at + int.from_bytes(first[counted : counted + 4], "big"), size)
    found = first.find(b"VBRI", 0, 64)
    if found >= 0:
        return _shortage(at + int.from_bytes(first[found + 10 : found + 14], "big"), size)
    for _ in range(_FRAMES_MAX):
        file.seek(at)
        length = _frame_bytes(file.read(4))
        if not length:
            return ""  # a tag, or unknown data
        if at + length > size:
            return _shortage(at + length, size)
        at += length
    return ""


_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBIT = {
    (True, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}  # whether MPEG 1, and 3 for layer I, 2 for II, 1 for III


def _frame_bytes(head: bytes) -> int:
    """Length of the MPEG audio frame with this header, 0 if it is none."""
    if len(head) < 4 or head[0] != 255 or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 0 or bits in (0, 15) or rate == 3:
        return 0
    bit_rate, rate_hz = 1000 * _KBIT[version == 3, layer][bits], _RATES[version][rate]
    if layer == 3:
        return (12 * bit_rate // rate_hz + padding) * 4
    return (72 if layer == 1 and version != 3 else 144) * bit_rate // rate_hz + padding


_KINDS: tuple[tuple[bytes, Callable[[BinaryIO, int, bytes], str]], ...] = (
    (b"RIFF", _iff), (b"RIFX", _iff), (b"RF64", _iff), (b"BW64", _iff), (b"FORM", _iff), (b"caff", _caf), (_W64, _w64),
    (b".snd", _au), (b"OggS", _ogg), (b"ID3", _id3),
)  # fmt: skip
