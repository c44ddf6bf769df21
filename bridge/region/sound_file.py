"""The reader of audio files that all of Segue uses: libsndfile, after wrong lengths in headers are repaired.

It reads forwards only, so that streams without a length are read to their end. It never prints: the MPEG decoder's
messages on standard error are counted instead.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bridge.region.sound_repair import MPEG_TAGS, repair

if TYPE_CHECKING:
    from soundfile import SoundFile

BLOCK_SAMPLES = 1 << 16
UNKNOWN_SAMPLES = 1 << 36  # libsndfile's number for an unknown length, larger than FLAC allows
STREAM_BLOCK_SAMPLES = 1 << 12  # for unknown lengths: the last block of a cut stream is lost
RESERVED_BYTES_MAX = 1 << 30  # reserved for the samples of the header before they are read
LOSSY_SLACK_SAMPLES = 2 * 1152  # by which an MPEG stream may be shorter than its header says: padding
MESSAGES_MAX = 1 << 16  # of a decoder's messages
DAMAGE_NOTE = "the file is damaged"
_FAULTS = ("error", "resync", "Illegal")
_KINDS = (
    (4, b"ftyp", "an MP4 or M4A file (AAC or ALAC)"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (0, b"0&\xb2u", "a Windows Media file"),
    (0, b"MThd", "a MIDI file"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (8, b"AVI ", "a video file"),
    (0, b"OggS", "an Ogg file of a kind that is not read, or a damaged one"),
)
_TAGS = {0x161: "WMA", 0x162: "WMA", 0xFF: "AAC", 0x1600: "AAC", 0x2000: "AC-3", 0x2001: "DTS"}
_standard_error = threading.RLock()  # one file descriptor for all threads


class SoundFault(Exception):
    """A file cannot be decoded; the message says why, without the file's name.  [any]"""


class NotSound(SoundFault):
    """The file holds no audio that can be read.  [any]"""


@dataclass
class Sound:
    """An open file: `n_samples` as in the header, None if unknown there."""

    file: SoundFile
    n_samples: int | None
    header_note: str
    hush: _Hush
    short_by: int = 0  # samples of the header's length that are missing
    _at: int = 0

    @property
    def note(self) -> str:
        """What is wrong with the file, as far as it was read; or empty.  [any]"""
        found = self.hush.complaints()
        damage = f"{DAMAGE_NOTE}: its decoder complained {len(found)} times, first: {found[0][:100]}" if found else ""
        return "; ".join(part for part in (self.header_note, damage) if part)

    @property
    def channels(self) -> int:
        """How many.  [any]"""
        return int(self.file.channels)

    @property
    def rate_hz(self) -> int:
        """Samples a second.  [any]"""
        return int(self.file.samplerate)

    def skip(self, count: int) -> None:
        """Skip `count` samples, or to the end.  [any]"""
        if self.n_samples is None:
            while count > 0 and len(block := self._block(min(count, STREAM_BLOCK_SAMPLES), "float32")):
                count -= len(block)
        else:
            self._at = min(self._at + count, self.n_samples)
            self.file.seek(self._at)

    def read(self, most: int | None = None, dtype: str = "float32") -> NDArray[Any]:
        """All further samples, or at most `most`: [n, channels]. SoundFault if decoding fails.  [any]"""
        if self.n_samples is None:
            return self._to_the_end(most, dtype)
        left = self.n_samples - self._at
        wanted = left if most is None else min(most, left)
        if wanted * self.channels * np.dtype(dtype).itemsize > RESERVED_BYTES_MAX:
            audio = self._to_the_end(wanted, dtype)
            self.short_by = wanted - len(audio)
            return audio
        audio = np.empty((wanted, self.channels), dtype)
        done = 0
        while done < wanted:
            block = self._block(min(BLOCK_SAMPLES, wanted - done), dtype, audio[done : done + BLOCK_SAMPLES])
            if not len(block):
                break
            done += len(block)
        self.short_by = wanted - done
        if self.short_by <= LOSSY_SLACK_SAMPLES and self.file.subtype.startswith("MPEG"):
            self.short_by = 0
        return audio[:done]

    def _to_the_end(self, most: int | None, dtype: str) -> NDArray[Any]:
        blocks, done = [np.empty((0, self.channels), dtype)], 0
        while most is None or done < most:
            wanted = STREAM_BLOCK_SAMPLES if most is None else min(STREAM_BLOCK_SAMPLES, most - done)
            try:
                block = self._block(wanted, dtype)
            except SoundFault:
                if not done or self.n_samples is not None:
                    raise
                break  # it ends inside a frame or page: that is its end
            if not len(block):
                break
            blocks.append(block)
            done += len(block)
        return np.concatenate(blocks)

    def _block(self, count: int, dtype: str, out: NDArray[Any] | None = None) -> NDArray[Any]:
        into = np.empty((count, self.channels), dtype) if out is None else out[:count]
        try:
            block = self.file.read(out=into)
        except (RuntimeError, ValueError, OSError, MemoryError) as fault:
            raise SoundFault(reason_of(fault)) from None
        self._at += len(block)
        return block


class _Hush:
    """Redirects standard error from a decoder that prints on it, and keeps the first of its messages."""

    def __init__(self, wanted: bool) -> None:
        self._wanted, self._stderr, self._pipe, self._said = wanted, -1, -1, b""

    def __enter__(self) -> _Hush:
        if self._wanted:
            _standard_error.acquire()
            try:
                self._stderr = os.dup(2)
                self._pipe, into = os.pipe()
                os.set_blocking(self._pipe, False)
                os.set_blocking(into, False)  # what does not fit is lost: no write waits
                os.dup2(into, 2)
                os.close(into)
            except OSError:  # no standard error, or it cannot be redirected: messages are printed
                self._end()
        return self

    def complaints(self) -> list[str]:
        """Messages so far that report damage.  [any]"""
        with suppress(OSError):
            while self._pipe >= 0 and len(self._said) < MESSAGES_MAX and (more := os.read(self._pipe, MESSAGES_MAX)):
                self._said += more
        complaints = self._said.decode("utf-8", "replace").splitlines()
        return [complaint for complaint in complaints if any(word in complaint for word in _FAULTS)]

    def _end(self) -> None:
        if self._stderr >= 0:
            os.dup2(self._stderr, 2)
        for descriptor in (self._stderr, self._pipe):
            if descriptor >= 0:
                os.close(descriptor)
        self._stderr = self._pipe = -1
        self._wanted = False
        _standard_error.release()

    def __exit__(self, *fault: object) -> None:
        if self._wanted:
            self._end()


@contextmanager
def opened(file: BinaryIO) -> Iterator[Sound]:
    """An open binary file as audio, as a context manager; NotSound if it has none.  [any]"""
    import soundfile

    class Forwards(soundfile.SoundFile):
        """A file without seeks: after each block the library would seek, which streams without a length cannot."""

        def seekable(self) -> bool:
            return False

    found, head = repair(file), _head(file)
    mpeg = found.tag in MPEG_TAGS or head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")
    with _Hush(mpeg) as hush:
        try:
            decoder = Forwards(_plain(file) if found.source is None else found.source, closefd=False)
        except (soundfile.LibsndfileError, TypeError, ValueError, OSError) as fault:
            raise NotSound(_why(head, found.tag, fault)) from None
        with decoder:
            known = 0 <= decoder.frames < UNKNOWN_SAMPLES
            yield Sound(decoder, decoder.frames if known else None, found.note, hush)


def _plain(file: BinaryIO) -> BinaryIO | int:
    """A file at its beginning: its descriptor if it has one, which is faster."""
    file.seek(0)
    try:
        descriptor = file.fileno()
        os.lseek(descriptor, 0, os.SEEK_SET)
    except (OSError, AttributeError):
        return file
    return descriptor


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(16)


def _why(head: bytes, tag: int, fault: Exception) -> str:
    """Why a file cannot be opened, with its kind if that is recognised."""
    kind = next((name for at, magic, name in _KINDS if head[at : at + len(magic)] == magic), "")
    if not kind and tag:
        kind = f"a WAV file that holds {_TAGS.get(tag, f'audio of format {tag:#x}')}"
    return f"{kind or reason_of(fault)}; WAV, FLAC, AIFF, OGG or MP3 can be read" if kind else reason_of(fault)


def reason_of(fault: Exception) -> str:
    """A decoder's own message.  [any]"""
    return str(getattr(fault, "error_string", fault)).removeprefix("Error : ") or "the decoder gave up"
