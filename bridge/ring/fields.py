"""A lane's segment as words by name: each is one 8- or 4-byte store or load, so no word is half written.

The hot path looks up an index once and then uses the typed views directly.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from bridge.errors import SegmentForeign
from bridge.ring import layout
from bridge.ring.layout import OFFSETS
from bridge.ring.shared_memory import Segment


class Words:
    """Typed views (`u32`, `u64`, `i64`, `f64`) on the words of a segment; index = byte offset / size.

    A store through a cast memoryview is one machine store, unlike `struct.pack_into("<Q")`. `fence` orders
    stores on processors that reorder them: it takes and releases a private lock, which never waits and is a
    full barrier.
    """

    def __init__(self, segment: Segment) -> None:
        if sys.byteorder != "little":
            raise SegmentForeign("the ring is little-endian and this processor is not")
        whole = segment.memory[: segment.n_bytes // 8 * 8]
        self.u32 = whole.cast("I")
        self.u64 = whole.cast("Q")
        self.i64 = whole.cast("q")
        self.f64 = whole.cast("d")
        self._views: dict[str, Any] = {"I": self.u32, "Q": self.u64, "q": self.i64, "d": self.f64}
        self._whole = whole
        self._lock = threading.Lock()

    def fence(self) -> None:
        """Order all loads and stores before it against all after it.  [any]"""
        self._lock.acquire()
        self._lock.release()

    def get(self, name: str) -> int | float:
        """A word by its name in the layout.  [any]"""
        value: int | float = self._views[CODES[name]][_index(name)]
        return value

    def put(self, name: str, value: float) -> None:
        """Store a word by its name in the layout.  [any]"""
        self._views[CODES[name]][_index(name)] = value

    def release(self) -> None:
        """Release the segment, so that it can be unmapped.  [any]"""
        for view in (*self._views.values(), self._whole):
            view.release()


CODES: dict[str, str] = {f.name: f.code for s in layout.SECTIONS for f in s.fields}


def _index(name: str, code: str = "") -> int:
    if code and CODES[name] != code:
        raise ValueError(f"{name} is {CODES[name]}, not {code}")
    return OFFSETS[name] // layout.SIZES[CODES[name]]


def u32(name: str) -> int:
    """Index of a word in `Words.u32`.  [any]"""
    return _index(name, "I")


def u64(name: str) -> int:
    """Index of a word in `Words.u64`.  [any]"""
    return _index(name, "Q")


def i64(name: str) -> int:
    """Index of a word in `Words.i64`.  [any]"""
    return _index(name, "q")


def f64(name: str) -> int:
    """Index of a word in `Words.f64`.  [any]"""
    return _index(name, "d")
