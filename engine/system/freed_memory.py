"""Returns freed memory to the system."""

from __future__ import annotations

import ctypes
import sys


def trim() -> None:
    """Return freed memory that the C library holds to the system, if it can.  [any]"""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # another C library, without this function
            return
