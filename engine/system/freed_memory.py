"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import sys


def trim() -> None:
    """Return what the C library holds of freed memory to the system, where it can.  [any]"""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # another C library: it gives back by itself, or not
            return
