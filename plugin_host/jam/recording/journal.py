"""The journal of a jam: one JSON object on each line, complete or absent.

    {"sample": 96000, "beat": 4.0, "kind": "press", "verb": "take_over"}

A full disk leaves no part of a line. A kill can cut the last one where it crosses a page of the system's cache:
`read_journal` ignores such an end, and `repair` removes it.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from plugin_host.jam.recording.wave_file import Disk, write_all

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def journal_line(kind: str, sample: int, beat: float, values: dict[str, Any]) -> bytes:
    """A line for any values: numbers that JSON does not have are null, other objects their text.  [any]"""
    line = {"sample": int(sample), "beat": float(beat), "kind": kind, **values}
    return json.dumps(_fit(line), allow_nan=False, separators=(", ", ": ")).encode() + b"\n"


def _fit(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _fit(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_fit(each) for each in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a number of numpy
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


class Journal:
    """An open journal that one thread writes; other processes see that it is in use. OSError."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._disk = disk
        self._handle = disk.open(path)
        self.alone = _lock(self._handle)  # no other process writes it
        self._size = os.fstat(self._handle).st_size

    def add(self, lines: bytes) -> None:
        """Write whole lines, all or none. OSError.  [any: one thread]"""
        try:
            write_all(self._disk, self._handle, lines, self._size)
        except OSError:
            with suppress(OSError):
                self._disk.cut(self._handle, self._size)
            raise
        self._size += len(lines)

    def drop_torn_line(self) -> int:
        """Remove an incomplete last line; returns the number of its bytes. OSError.  [main]"""
        with open(self._handle, "rb", closefd=False) as file:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
        torn = self._size - whole
        if torn:
            self._disk.cut(self._handle, whole)
            self._size = whole
        return torn

    def sync(self) -> None:
        """Wait until it is on the disk. OSError.  [any: one thread]"""
        self._disk.sync(self._handle)

    def close(self) -> None:
        """Close it, and let others use it. OSError.  [any: one thread]"""
        self._disk.close(self._handle)


def _lock(handle: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a journal; OSError, ValueError for a line that is no JSON object.  [any]"""
    found = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    if not all(isinstance(line, dict) for line in found):
        raise ValueError(f"{path} has lines that are no JSON objects")
    return found
