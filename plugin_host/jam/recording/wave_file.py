"""A WAV file that grows and is readable at any moment: samples are written first, then the header that counts them.

    RIFF size WAVE | JUNK 28 zeros | fmt  24-bit PCM | data size | samples
    RF64 -1   WAVE | ds64 sizes    | fmt  24-bit PCM | data -1   | samples     above 4 GB

The header is one write of 80 bytes. A killed program leaves it as it was before or after that write; samples behind the
last counted one are ignored by readers. RF64 as EBU Tech 3306 describes it: JUNK keeps the place of its sizes.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio
from bridge.system import whole_file

PCM, BITS = 1, 24
BYTES_PER_SAMPLE = BITS // 8
HEADER_BYTES = 80
RIFF_BYTES_MAX = 2**32 - 1  # what the sizes of a RIFF header can say
_UNKNOWN = 2**32 - 1
_SIZES = struct.Struct("<QQQI")  # of ds64: RIFF, data, frames; no table
_FULL = 2 ** (BITS - 1)
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Disk:
    """The system's calls on files; tests hand in one that fails.  [any]"""

    def create(self, path: Path, data: bytes) -> None:
        """Write a new file of these bytes, atomically; FileExistsError if there is one."""
        whole_file.put(path, data, new=True)

    def open(self, path: Path) -> int:
        """A handle to read and write a file."""
        return os.open(path, os.O_RDWR | _BINARY)

    def write(self, handle: int, data: memoryview, at: int) -> int:
        """Write at an offset; returns how many bytes were written, perhaps fewer."""
        if hasattr(os, "pwrite"):
            return os.pwrite(handle, data, at)
        os.lseek(handle, at, os.SEEK_SET)
        return os.write(handle, data)

    def cut(self, handle: int, size: int) -> None:
        """Make the file `size` bytes long: shorter, or longer by zeros."""
        os.ftruncate(handle, size)

    def sync(self, handle: int) -> None:
        """Wait until the file is on the disk."""
        os.fsync(handle)

    def close(self, handle: int) -> None:
        """Close a handle."""
        os.close(handle)


def write_all(disk: Disk, handle: int, data: bytes, at: int) -> None:
    """Write all bytes at an offset; OSError.  [any]"""
    left = memoryview(data)
    while len(left):
        written = disk.write(handle, left, at)
        left, at = left[written:], at + written


def to_pcm(audio: Audio) -> tuple[bytes, int]:
    """24-bit little-endian bytes of audio [n, channels], and how many samples were clipped at full scale.

    A value of the 24-bit grid (k / 2**23) keeps its value; NaN becomes 0.  [any]
    """
    scaled = np.nan_to_num(audio.astype(np.float64) * _FULL, nan=0.0, posinf=2.0 * _FULL, neginf=-2.0 * _FULL)
    whole = np.rint(scaled)
    clipped = int(np.count_nonzero((whole > _FULL) | (whole < -_FULL)))
    values: NDArray[np.int32] = np.clip(whole, -_FULL, _FULL - 1).astype("<i4")
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, 4)[:, :BYTES_PER_SAMPLE].tobytes(), clipped


@dataclass(frozen=True)
class WaveForm:
    """Rate and channels of a file. Above `riff_bytes_max` bytes it is RF64."""

    sample_rate_hz: int
    channels: int
    riff_bytes_max: int = RIFF_BYTES_MAX

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample in all channels.  [any]"""
        return self.channels * BYTES_PER_SAMPLE

    def chunk(self) -> bytes:
        """The body of `fmt `: 24-bit PCM.  [any]"""
        rate_hz, frame_bytes = self.sample_rate_hz, self.frame_bytes
        return struct.pack("<HHIIHH", PCM, self.channels, rate_hz, rate_hz * frame_bytes, frame_bytes, BITS)

    def values(self) -> dict[str, int]:
        """For the journal.  [any]"""
        return {"sample_rate_hz": self.sample_rate_hz, "channels": self.channels}


def header(form: WaveForm, frames: int) -> bytes:
    """The 80 bytes before the samples, for `frames` frames.  [any]"""
    data_bytes = frames * form.frame_bytes
    riff_bytes = HEADER_BYTES - 8 + data_bytes + data_bytes % 2
    fits = riff_bytes <= form.riff_bytes_max
    sizes = _SIZES.pack(0, 0, 0, 0) if fits else _SIZES.pack(riff_bytes, data_bytes, frames, 0)
    begin = (b"RIFF", riff_bytes) if fits else (b"RF64", _UNKNOWN)
    return b"".join(
        (
            struct.pack("<4sI4s", *begin, b"WAVE"),
            struct.pack("<4sI", b"JUNK" if fits else b"ds64", len(sizes)) + sizes,
            struct.pack("<4sI", b"fmt ", 16) + form.chunk(),
            struct.pack("<4sI", b"data", data_bytes if fits else _UNKNOWN),
        )
    )


def parse_header(fields: bytes) -> tuple[WaveForm, int]:
    """Form and frames of the 80 bytes that `header` makes; ValueError for other bytes.  [any]"""
    if len(fields) < HEADER_BYTES or fields[:4] not in (b"RIFF", b"RF64") or fields[72:76] != b"data":
        raise ValueError("it has no header of a jam's recording")
    channels, rate_hz = struct.unpack("<HI", fields[58:64])
    long = fields[:4] == b"RF64"
    (data_bytes,) = struct.unpack("<Q", fields[28:36]) if long else struct.unpack("<I", fields[76:80])
    form = WaveForm(rate_hz, channels)
    if channels == 0 or header(form, data_bytes // form.frame_bytes)[48:76] != fields[48:76]:
        raise ValueError("its samples are not those of a jam's recording")
    return form, data_bytes // form.frame_bytes


class WaveFile:
    """A file of 24 bits that one thread writes. After an OSError only `keep` and `close` are of use.

    `frames` are those that the header counts.
    """

    def __init__(self, path: Path, form: WaveForm, disk: Disk, handle: int, written: int, counted: int) -> None:
        self.path, self.form = path, form
        self.frames = counted
        self._disk, self._handle = disk, handle
        self._written = written  # frames in the file

    @classmethod
    def create(cls, path: Path, form: WaveForm, disk: Disk) -> WaveFile:
        """A new file without samples; OSError if it exists or cannot be written.  [main]"""
        disk.create(path, header(form, 0))
        return cls(path, form, disk, disk.open(path), 0, 0)

    @classmethod
    def reopen(cls, path: Path, disk: Disk) -> WaveFile:
        """A file that `create` made, with all samples that are in it; OSError, ValueError if it is another one.
        [main]
        """
        handle = disk.open(path)
        try:
            size = os.fstat(handle).st_size
            with open(handle, "rb", closefd=False) as file:
                form, counted = parse_header(file.read(HEADER_BYTES))
            return cls(path, form, disk, handle, max(size - HEADER_BYTES, 0) // form.frame_bytes, counted)
        except (OSError, ValueError):
            disk.close(handle)
            raise

    @property
    def written(self) -> int:
        """Whole frames in the file, counted or not.  [any: one thread]"""
        return self._written

    def append(self, pcm: bytes) -> None:
        """Write bytes of `to_pcm` behind the last ones; not yet counted. OSError.  [any: one thread]"""
        write_all(self._disk, self._handle, pcm, self._end(self._written))
        self._written += len(pcm) // self.form.frame_bytes

    def append_silence(self, frames: int) -> None:
        """Lengthen the file by silent frames, which take no room on most disks. OSError.  [any: one thread]"""
        self._disk.cut(self._handle, self._end(self._written + frames))
        self._written += frames

    def count(self) -> None:
        """Write the header that counts what was appended; of an odd number of bytes the last frame waits, since a
        chunk has an even number. OSError.  [any: one thread]
        """
        self._put_header(self._written - self._written * self.form.frame_bytes % 2)

    def keep(self, frames: int) -> None:
        """Cut the file to its first frames. No header on the way counts missing ones. OSError.  [any: one thread]"""
        self._written = frames
        self.count()
        self._disk.cut(self._handle, self._end(frames) + frames * self.form.frame_bytes % 2)
        self._put_header(frames)

    def sync(self) -> None:
        """Wait until it is on the disk. OSError.  [any: one thread]"""
        self._disk.sync(self._handle)

    def close(self) -> None:
        """Close it. OSError.  [any: one thread]"""
        self._disk.close(self._handle)

    def _put_header(self, frames: int) -> None:
        write_all(self._disk, self._handle, header(self.form, frames), 0)
        self.frames = frames

    def _end(self, frames: int) -> int:
        return HEADER_BYTES + frames * self.form.frame_bytes
