"""RIFF WAVE files: reading and writing of chunks. The samples are one of the chunks.

    'RIFF' size 'WAVE' | id size bytes (padded to even) | id size bytes | ...

Little-endian; at most 4 GB.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from plugin_host.console.output import OutputError
from plugin_host.takes.errors import TakeError

Chunks = Sequence[tuple[bytes, bytes]]
FILE_BYTES_MAX = 2**32 - 2
CHUNK_BYTES_MAX = 16 * 2**20  # of a chunk other than the samples: the largest recipe
CHUNKS_MAX = 4096
PCM, FLOAT = 1, 3
ENCODINGS = {16: PCM, 24: PCM, 32: FLOAT}  # bits to format tag


def format_chunk(rate_hz: int, channels: int, bits: int) -> bytes:
    """The body of `fmt `; 16 and 24 bits are whole numbers, 32 bits floats. ValueError for other bits.  [any]"""
    if bits not in ENCODINGS:
        raise ValueError(f"bits are {bits}, must be 16, 24 or 32 (float)")
    frame_bytes = channels * bits // 8
    head = struct.pack("<HHIIHH", ENCODINGS[bits], channels, rate_hz, rate_hz * frame_bytes, frame_bytes, bits)
    return head + struct.pack("<H", 0) if ENCODINGS[bits] == FLOAT else head


def wave_bytes(chunks: Chunks) -> bytes:
    """A file of these chunks, in this order; OutputError above 4 GB.  [any]"""
    parts = [b"WAVE"]
    for name, body in chunks:
        parts += [struct.pack("<4sI", name, len(body)), body, b"\0" * (len(body) % 2)]
    size = sum(map(len, parts))
    if size > FILE_BYTES_MAX:
        raise OutputError(f"a WAV file holds 4 GB, this one would have {size / 2**30:.1f} GB; take fewer bars")
    return b"".join([struct.pack("<4sI", b"RIFF", size), *parts])


def read_chunks(path: Path, wanted: frozenset[bytes]) -> Mapping[bytes, bytes]:
    """The first chunk of each wanted name; TakeError if the file is no WAV or has wrong sizes.  [any]"""
    try:
        with path.open("rb") as file:
            return dict(_walk(file, path, set(wanted)))
    except OSError as error:
        raise TakeError(f"{path} cannot be read: {error.strerror or error}") from None


def _walk(file: BinaryIO, path: Path, wanted: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Chunks of the wanted names, which are removed from `wanted`: a second one is not read."""
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise TakeError(f"{path.name} is not a WAV file")
    for _ in range(CHUNKS_MAX):
        head = file.read(8)
        if len(head) < 8 or not wanted:
            return
        name, size = struct.unpack("<4sI", head)
        if name in wanted:
            if size > CHUNK_BYTES_MAX:
                raise TakeError(f"{path.name}: chunk {name!r} says it has {size} bytes, {CHUNK_BYTES_MAX} are read")
            wanted.discard(name)
            body = file.read(size)
            if len(body) < size:
                raise TakeError(f"{path.name} is cut short in chunk {name!r}")
            yield name, body
            file.seek(size % 2, os.SEEK_CUR)
        else:
            file.seek(size + size % 2, os.SEEK_CUR)
    raise TakeError(f"{path.name} has more than {CHUNKS_MAX} chunks")


def wave_form(body: bytes) -> tuple[int, int, int]:
    """Rate in Hz, channels and bits from the body of a `fmt ` chunk as Segue writes it; TakeError otherwise.  [any]"""
    if len(body) < 16:
        raise TakeError("the file does not say what its samples are")
    tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if ENCODINGS.get(bits) != tag or channels not in (1, 2) or rate_hz == 0:
        raise TakeError(f"its samples are of a kind that takes do not have (format {tag}, {bits} bits)")
    return rate_hz, channels, bits
