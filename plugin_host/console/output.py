"""The files of the host's side: written atomically, with errors that say why not."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from bridge.errors import SegueError
from bridge.ring.form import Audio
from bridge.system import whole_file

_NOTE_BYTES_MAX = 65_536
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class OutputError(SegueError):
    """A result cannot be written; the message says where and why."""

    code = "output"


def cannot(path: Path, fault: OSError) -> OutputError:
    """The error for a fault of the system.  [any]"""
    return OutputError(f"{path} cannot be written: {fault.strerror or fault}")


def put(path: Path, data: bytes | str) -> None:
    """Write a file atomically; text is UTF-8. OutputError.  [any]"""
    try:
        whole_file.put(path, data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data)
    except OSError as fault:
        raise cannot(path, fault) from None


def put_new(path: Path, data: bytes) -> bool:
    """Write a new file; False if the name exists. OutputError.  [any]"""
    try:
        whole_file.put(path, data, new=True)
    except FileExistsError:
        return False
    except OSError as fault:
        raise cannot(path, fault) from None
    return True


def add_line(path: Path, line: str) -> None:
    """Append a line to a text file, atomically; OutputError.  [any]

    Names keep their bytes, so that a script finds the file by them.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _PLAIN, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "it is no plain file")
            before, data = os.lseek(handle, 0, os.SEEK_END), line.encode("utf-8", "surrogateescape") + b"\n"
            written = os.write(handle, data)
            if written < len(data):
                os.ftruncate(handle, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as fault:
        raise cannot(path, fault) from None


def read_note(path: Path, most_bytes: int = _NOTE_BYTES_MAX) -> str:
    """The content of a small text file; empty if there is none, or no plain file. Never blocks.  [any]"""
    try:
        handle = os.open(path, os.O_RDONLY | _PLAIN)
    except OSError:
        return ""
    try:
        plain = stat.S_ISREG(os.fstat(handle).st_mode)
        return os.read(handle, most_bytes).decode("utf-8", "replace") if plain else ""
    except OSError:
        return ""
    finally:
        os.close(handle)


def save_wav(path: Path, audio: Audio, rate_hz: int, as_floats: bool = False) -> None:
    """Write 24-bit WAV, clipped at full scale, or floats, unclipped. OutputError.
    [main]
    """
    import soundfile

    try:
        with whole_file.writing(path) as file:
            soundfile.write(file, audio, rate_hz, subtype="FLOAT" if as_floats else "PCM_24", format="WAV")
    except OSError as fault:
        raise cannot(path, fault) from None
    except (RuntimeError, ValueError) as fault:
        raise OutputError(f"{path} cannot be written: {fault}") from None


def ready_folder(folder: Path) -> Path:
    """Create a folder if needed; returns its absolute path. OutputError if it is not writable.  [main]"""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole_file.probe(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror}") from None
    whole_file.sweep(folder)
    return folder.absolute()


def check_file(path: Path) -> None:
    """Check that a file can be written, before there is anything to write; OutputError.  [main]

    So an hour's recording does not fail at its end.
    """
    try:
        whole_file.replaceable(path)
        whole_file.probe(path.parent)
    except OSError as fault:
        raise cannot(path, fault) from None


def ready_file(path: Path) -> Path:
    """Check that a file can be written, and create its folder; OutputError.  [main]"""
    ready_folder(path.parent)
    check_file(path)
    return path
