"""Named shared memory: create, attach, check, unlink, and remove the segments of a killed engine.

Not `multiprocessing.shared_memory`, whose resource tracker unlinks a segment when any process that attached it
ends. Names are `segue-<pid of the engine>-<lane>`. On Windows a segment exists as long as a process has it open;
elsewhere until its creator unlinks it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import sys
from pathlib import Path

from bridge.errors import SegmentForeign, SegmentMissing, SharedMemoryError
from bridge.ring import bus
from bridge.ring.layout import HEADER_BYTES

PREFIX = "segue"
_NAME = re.compile(r"segue-(\d{1,10})-(\d{1,6})")
_DIRECTORY = Path("/dev/shm")  # noqa: S108 - where Linux shows shared memory

if sys.platform != "win32":
    import _posixshmem  # type: ignore[import-not-found]  # CPython's own shm_open; the standard library offers it under no public name


def segment_name(lane: int, pid: int | None = None) -> str:
    """Name of a lane's segment.  [any]"""
    return f"{PREFIX}-{os.getpid() if pid is None else pid}-{lane}"


def pid_alive(pid: int) -> bool:
    """Whether a process with this id runs.  [any]"""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _windows_pid_alive(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return pid < 2**31
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]


def _windows_pid_alive(pid: int) -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    kernel = ctypes.windll.kernel32
    handle = kernel.OpenProcess(0x100000, False, pid)
    if not handle:
        return False
    waiting: bool = kernel.WaitForSingleObject(handle, 0) == 0x102
    kernel.CloseHandle(handle)
    return waiting


class Segment:
    """A mapped piece of shared memory; `memory` is all of it.

    Use `create` or `attach`. A segment belongs to the user who created it (mode 0600).
    """

    def __init__(self, name: str, fd: int, mapped: mmap.mmap) -> None:
        self.name = name
        self._fd = fd
        self._mapped = mapped
        self._watched = bus.watch(mapped)
        self.memory = memoryview(mapped)
        self.n_bytes = len(mapped)

    @classmethod
    def create(cls, name: str, n_bytes: int) -> Segment:
        """Create a zeroed segment; one of a process that has ended is replaced.

        Raises ValueError for a name that is not `segue-<pid>-<lane>`, SharedMemoryError if the system
        gives no memory.  [any]
        """
        _check_name(name)
        if sys.platform == "win32":
            return cls(name, -1, mmap.mmap(-1, n_bytes, tagname=name))
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
        fd = -1
        try:
            try:
                fd = _posixshmem.shm_open("/" + name, flags, mode=0o600)
            except FileExistsError:
                _refuse_living(name)
                _posixshmem.shm_unlink("/" + name)
                fd = _posixshmem.shm_open("/" + name, flags, mode=0o600)
            return cls(name, fd, _allocated(fd, n_bytes))
        except OSError as error:
            if fd >= 0:
                os.close(fd)
                _posixshmem.shm_unlink("/" + name)
            raise SharedMemoryError(f"no {n_bytes} bytes of shared memory for {name}: {error.strerror}") from error

    @classmethod
    def attach(cls, name: str) -> Segment:
        """Map a segment that exists.

        Raises SegmentMissing if there is none, SharedMemoryError if it is another user's, SegmentForeign if it is
        empty.  [any]
        """
        _check_name(name)
        if sys.platform == "win32":
            return _attach_windows(name)
        try:
            fd = _posixshmem.shm_open("/" + name, os.O_RDWR, mode=0o600)
        except FileNotFoundError:
            raise SegmentMissing(f"no shared memory named {name}: has the engine stopped?") from None
        except OSError as error:
            raise SharedMemoryError(f"shared memory {name} cannot be opened: {error.strerror}") from error
        stat = os.fstat(fd)
        if stat.st_uid != os.geteuid():
            os.close(fd)
            raise SharedMemoryError(f"shared memory {name} belongs to user {stat.st_uid}, not to you")
        if stat.st_size == 0:
            os.close(fd)
            raise SegmentForeign(f"shared memory {name} is empty")
        return cls(name, fd, mmap.mmap(fd, stat.st_size))

    def check(self) -> None:
        """Raise SegmentMissing if the segment was truncated, unlinked or replaced since it was mapped.

        Reading a truncated part kills the process (SIGBUS) if bus.py has no library; then this check stops the
        reading in time, unless a program truncates the segment on purpose between two calls.  [main]
        """
        if sys.platform == "win32" or self._fd < 0:
            return
        stat = os.fstat(self._fd)
        if stat.st_size < self.n_bytes:
            raise SegmentMissing(f"shared memory {self.name} was cut to {stat.st_size} of {self.n_bytes} bytes")
        if stat.st_nlink == 0:
            raise SegmentMissing(f"shared memory {self.name} was removed: the engine has gone")

    @property
    def cut(self) -> bool:
        """Whether it was truncated since it was mapped.  [any]"""
        return sys.platform != "win32" and self._fd >= 0 and os.fstat(self._fd).st_size < self.n_bytes

    def close(self) -> None:
        """Unmap; all memoryviews and arrays on it must be released. May be called twice.  [any]"""
        self.memory.release()
        bus.forget(self._watched)
        self._watched = -1
        with contextlib.suppress(BufferError):  # an array still refers to it: unmapped with that array
            self._mapped.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def unlink(self) -> None:
        """Remove the name; mappings stay until they are closed. May be called twice.  [any]"""
        unlink(self.name)


def _attach_windows(name: str) -> Segment:
    """Map the header, which has the size, then all of it."""
    if sys.platform != "win32":
        raise SharedMemoryError("tagged mappings are Windows' own")
    with mmap.mmap(-1, HEADER_BYTES, tagname=name) as header:
        n_bytes = int.from_bytes(header[8:16], "little")
    if not HEADER_BYTES <= n_bytes < 2**32:
        raise SegmentMissing(f"no shared memory named {name}: has the engine stopped?")
    return Segment(name, -1, mmap.mmap(-1, n_bytes, tagname=name))


def unlink(name: str) -> None:
    """Remove a segment's name, if it exists.  [any]"""
    _check_name(name)
    if sys.platform != "win32":
        with contextlib.suppress(FileNotFoundError):
            _posixshmem.shm_unlink("/" + name)


def remove_stale() -> list[str]:
    """Unlink this user's segments whose engine no longer runs; returns their names.

    Uses /dev/shm, which only Linux has; elsewhere a stale name is replaced when its number is used again.  [any]
    """
    removed = []
    for name in existing():
        match = _NAME.fullmatch(name)
        if match is not None and not pid_alive(int(match[1])):
            with contextlib.suppress(OSError):
                unlink(name)
                removed.append(name)
    return removed


def existing() -> list[str]:
    """Names of all Segue segments of this user that the system lists (Linux: /dev/shm).  [any]"""
    names = []
    for path in _DIRECTORY.glob(f"{PREFIX}-*"):
        with contextlib.suppress(OSError):
            if _NAME.fullmatch(path.name) and path.stat().st_uid == os.geteuid():
                names.append(path.name)
    return sorted(names)


def available_bytes() -> int | None:
    """Free shared memory, None if the system does not report it.  [any]"""
    if not _DIRECTORY.is_dir():
        return None
    stat = os.statvfs(_DIRECTORY)
    return stat.f_bavail * stat.f_frsize


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a segment is named segue-<pid>-<lane>, got {name!r}")


def _refuse_living(name: str) -> None:
    match = _NAME.fullmatch(name)
    pid = int(match[1]) if match else 0
    if pid != os.getpid() and pid_alive(pid):
        raise SharedMemoryError(f"shared memory {name} is in use by process {pid}")


def _allocated(fd: int, n_bytes: int) -> mmap.mmap:
    """Resize and map; allocates the pages now, so that a full /dev/shm is an error here and not a SIGBUS."""
    os.ftruncate(fd, n_bytes)
    if hasattr(os, "posix_fallocate") and sys.platform == "linux":
        os.posix_fallocate(fd, 0, n_bytes)
    return mmap.mmap(fd, n_bytes)
