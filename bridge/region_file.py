"""Reading a region from an audio file of this machine; what is not a plain audio file is refused unread."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.errors import RegionMissing, RegionNotAudio, RegionTooLong, RegionTooShort, RegionUnreadable
from bridge.region import Region, Samples, check_form, make_region

if TYPE_CHECKING:
    from soundfile import SoundFile

FILE_BYTES_MAX = 2**30
_BLOCK_SAMPLES = 2**18
_CUT_SIGNS = ("(should be ", "does not match value", "ended unexpectedly")  # in libsndfile's own log
_CUT_NOTE = "the file is shorter than it says: cut short or still being written"
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_region(path: str, role: str, bpm: float, start_beats: float) -> Region:
    """The region in a WAV, FLAC, AIFF, OGG or MP3 file, by absolute path (or from `~`).

    Slow: reads the disk. Raises the RegionError that fits; never opens a pipe or a device.  [any]
    """
    audio, rate_hz, cut_note = _read(open_plain(os.path.expanduser(path)), path)
    region = make_region(audio, rate_hz, role, bpm, start_beats)
    return replace(region, note="; ".join(part for part in (cut_note, region.note) if part))


def open_plain(path: str) -> int:
    """A file descriptor of a regular file of a sane size, by absolute path; RegionError, never a wait.  [any]"""
    if not os.path.isabs(path):
        raise RegionMissing(
            f"{path!r} is not an absolute path; the engine may run in another folder than you"
        )
    try:
        _check_plain(path, os.stat(path))
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except PermissionError:
        raise RegionUnreadable(f"{path!r} may not be read by the engine (permission)") from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise RegionMissing(f"{path!r} cannot be opened: {reason}") from None
    try:
        _check_plain(path, os.fstat(file))  # again: it may have been swapped meanwhile
    except Exception:
        os.close(file)
        raise
    return file


def _check_plain(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
        raise RegionMissing(f"{path!r} is {kind}, not a file")
    if status.st_size == 0:
        raise RegionTooShort(f"{path!r} is empty (0 bytes)")
    if status.st_size > FILE_BYTES_MAX:
        size, limit = status.st_size / 2**30, FILE_BYTES_MAX / 2**30
        raise RegionTooLong(
            f"{path!r} has {size:.1f} GB, at most {limit:.0f} GB are read; choose a shorter region"
        )


def _read(file: int, path: str) -> tuple[Samples, int, str]:
    """Samples, rate and a note when the file is shorter than it says."""
    import soundfile

    try:
        sound = soundfile.SoundFile(file, closefd=True)
    except (soundfile.LibsndfileError, TypeError) as fault:
        raise RegionNotAudio(f"{path!r} holds no audio that can be read: {_reason(fault)}") from None
    with sound:
        check_form(sound.frames, sound.channels, sound.samplerate)
        note = _CUT_NOTE if any(sign in sound.extra_info for sign in _CUT_SIGNS) else ""
        try:
            return _blocks(sound, path), int(sound.samplerate), note
        except (RuntimeError, ValueError, OSError, MemoryError) as fault:
            raise RegionUnreadable(f"{path!r} cannot be read: {_reason(fault)}") from None


def _reason(fault: Exception) -> str:
    return str(getattr(fault, "error_string", fault)).removeprefix("Error : ")


def _blocks(sound: SoundFile, path: str) -> Samples:
    """All samples that the decoder promises, as float32 [n, channels]; RegionUnreadable when it cannot."""
    blocks = []
    left = int(sound.frames)
    while left > 0:
        block = sound.read(min(_BLOCK_SAMPLES, left), dtype="float32", always_2d=True)
        if not len(block):
            raise RegionUnreadable(
                f"{path!r} ends {left} samples early: it is cut short or still being written"
            )
        blocks.append(block)
        left -= len(block)
    return np.concatenate(blocks)
