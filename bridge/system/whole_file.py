"""Atomic files, complete or absent: written under another name, flushed to the disk, then renamed.

    FOLDER/.segue-5f3a....part  --fsync-->  renamed to its name  --fsync of the folder

A full disk, a kill or a power cut leaves the previous file, or none. Only plain files are replaced: no folder, pipe or
device, and no target of a symbolic link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

PREFIX, SUFFIX = ".segue-", ".part"
OLD_SECONDS = 86_400.0  # a part not written to for so long was left by a killed process
_UNFLUSHABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EROFS)  # of file systems without flush
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Part:
    """A file being written, for libraries that write to file objects.

    C libraries lose exceptions of a write: the first one is kept in `fault`, and nothing is written after it.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.fault: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of it; returns the number of bytes, 0 after a fault.  [any]"""
        left = memoryview(data).cast("B")
        if self.fault is not None:
            return 0
        size = len(left)
        try:
            while len(left):
                left = left[os.write(self._handle, left) :]
        except OSError as fault:
            self.fault = fault
            return 0
        return size

    def read(self, size: int) -> bytes:
        """Up to `size` bytes from the present offset.  [any]"""
        return os.read(self._handle, size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the offset; returns it.  [any]"""
        return os.lseek(self._handle, offset, whence)

    def tell(self) -> int:
        """The present offset.  [any]"""
        return os.lseek(self._handle, 0, os.SEEK_CUR)

    def flush(self) -> None:
        """No effect: nothing is buffered.  [any]"""


@contextmanager
def writing(path: Path, new: bool = False) -> Iterator[IO[bytes]]:
    """A context manager with a file that is at `path` after the block; if the block raises, `path` is unchanged.

    `new`: FileExistsError if the name exists. OSError says why it cannot be written.  [any]
    """
    mode = None if new else replaceable(path)
    part, handle = _open_part(path.parent)
    try:
        try:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(handle, mode)
            file = Part(handle)
            try:
                yield cast("IO[bytes]", file)
            finally:
                if file.fault is not None:
                    raise file.fault
            _flush(handle)
        finally:
            os.close(handle)
        _name(part, path, new)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    flush_folder(path.parent)


def put(path: Path, data: bytes, new: bool = False) -> None:
    """Write a file of these bytes; see `writing`.  [any]"""
    with writing(path, new) as file:
        file.write(data)


def settle(part: Path, path: Path) -> None:
    """Flush a part and rename it to `path`; OSError.  [any]"""
    replaceable(path)
    handle = os.open(part, os.O_RDWR | _BINARY)
    try:
        _flush(handle)
    finally:
        os.close(handle)
    os.replace(part, path)
    flush_folder(path.parent)


def replaceable(path: Path) -> int | None:
    """Permissions of the plain file at `path`, None without one; OSError if it is something else.  [any]"""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}; only a plain file is replaced", os.fspath(path))
    return stat.S_IMODE(mode)


def probe(folder: Path) -> None:
    """Check that files can be created in a folder; OSError if not.  [any]"""
    part, handle = _open_part(folder)
    os.close(handle)
    os.unlink(part)


def sweep(folder: Path) -> None:
    """Remove parts that killed processes left here, after a day.  [any]"""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > OLD_SECONDS:
                        os.unlink(entry.path)


def _open_part(folder: Path) -> tuple[Path, int]:
    part = folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
    return part, os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)


def _name(part: Path, path: Path, new: bool) -> None:
    """Rename the part; `new`: only if the name is free."""
    if not new:
        os.replace(part, path)
        return
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError, AttributeError):  # no hard links: FAT, some network folders
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path)) from None
        os.rename(part, path)
    else:
        os.unlink(part)


def _flush(handle: int) -> None:
    """Flush to the disk, on macOS through the disk's cache as well."""
    try:
        import fcntl

        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined]
    except (ImportError, AttributeError, OSError):
        try:
            os.fsync(handle)
        except OSError as fault:
            if fault.errno not in _UNFLUSHABLE:
                raise


def flush_folder(folder: Path) -> None:
    """Flush the entries of a folder; Windows does this by itself. OSError.  [any]"""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder without read permission: the file exists, its name may not be flushed yet
        return
    try:
        _flush(handle)
    finally:
        os.close(handle)
