"""Weights in large memory pages (2 MB instead of 4 KB): a CPU that streams them looks up far fewer addresses.

Linux only uses them on request. MADV_COLLAPSE (Linux 6.1) moves memory that is already in use; on older and other
systems nothing changes. Mapped files cannot be moved.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable

PAGE_BYTES = 2 << 20
_COLLAPSE = 25  # MADV_COLLAPSE of linux/mman.h


def move(places: Iterable[tuple[int, int]]) -> int:
    """Move the memory at each (address, bytes) into huge pages, as far as whole ones fit; returns the bytes moved.

    The memory must be the process' own and filled. Only its speed changes.  [load]
    """
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    moved = 0
    for address, n_bytes in places:
        start = -(-address // PAGE_BYTES) * PAGE_BYTES
        end = (address + n_bytes) // PAGE_BYTES * PAGE_BYTES
        if end > start and libc.madvise(start, end - start, _COLLAPSE) == 0:
            moved += end - start
    return moved
