"""Weights in large memory pages (2 MB in place of 4 KB): a processor that streams them looks up far fewer addresses.

Linux only hands them out where a program asks. MADV_COLLAPSE (Linux 6.1) moves memory that is in use already; older
systems and others leave it as it is. Mapped files cannot be moved.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable

PAGE_BYTES = 2 << 20
_COLLAPSE = 25  # MADV_COLLAPSE of linux/mman.h


def move(places: Iterable[tuple[int, int]]) -> int:
    """Have what lies at (address, bytes) moved into huge pages, as far as whole ones fit in; how many bytes were.

    The memory must be the process' own and filled. The program sees no difference, but for speed.  [load]
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
