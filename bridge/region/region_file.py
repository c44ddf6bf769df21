"""Reading a region from an audio file of this machine; anything but a plain file is refused unread."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

from bridge.errors import RegionMissing, RegionNotAudio, RegionTooLong, RegionTooShort, RegionUnreadable
from bridge.region.region import Region, Samples, check_form, make_region, samples_max
from bridge.region.sound_file import NotSound, Sound, SoundFault, opened

FILE_BYTES_MAX = 2**30
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_region(path: str, role: str, bpm: float, start_beats: float) -> Region:
    """The region in a WAV, FLAC, AIFF, OGG or MP3 file, by absolute path (or from `~`).

    Slow: reads the disk. Raises a RegionError; never opens a pipe or a device.  [any]
    """
    audio, rate_hz, cut_note = _read(open_plain(os.path.expanduser(path)), path)
    region = make_region(audio, rate_hz, role, bpm, start_beats)
    return replace(region, note="; ".join(part for part in (cut_note, region.note) if part))


def open_plain(path: str) -> int:
    """A file descriptor of a regular file of a reasonable size, by absolute path; RegionError. Never blocks.  [any]"""
    if not os.path.isabs(path):
        raise RegionMissing(f"{path!r} is not an absolute path; the engine may run in another folder than you")
    try:
        _check_plain(path, os.stat(path))
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except PermissionError:
        raise RegionUnreadable(f"{path!r} may not be read by the engine (permission)") from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise RegionMissing(f"{path!r} cannot be opened: {reason}") from None
    try:
        _check_plain(path, os.fstat(file))  # again: it may have been replaced meanwhile
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
        raise RegionTooLong(f"{path!r} has {size:.1f} GB, at most {limit:.0f} GB are read; choose a shorter region")


def _read(descriptor: int, path: str) -> tuple[Samples, int, str]:
    """Samples, rate, and a note if the header is wrong."""
    with os.fdopen(descriptor, "rb") as file:
        try:
            with opened(file) as sound:
                return _checked(sound, path), sound.rate_hz, sound.note
        except NotSound as fault:
            raise RegionNotAudio(f"{path!r} holds no audio that can be read: {fault}") from None
        except SoundFault as fault:
            raise RegionUnreadable(f"{path!r} cannot be read: {fault}") from None


def _checked(sound: Sound, path: str) -> Samples:
    """All samples of the header's length, as float32 [n, channels]; RegionUnreadable if they are missing."""
    if sound.n_samples is not None:
        check_form(sound.n_samples, sound.channels, sound.rate_hz)
    else:
        check_form(samples_max(sound.channels, sound.rate_hz), sound.channels, sound.rate_hz)
    audio: Samples = sound.read(None if sound.n_samples is not None else samples_max(sound.channels, sound.rate_hz) + 1)
    if sound.short_by:
        why = sound.note or "it is cut short or still being written"
        raise RegionUnreadable(f"{path!r} ends {sound.short_by} samples early: {why}")
    return audio
