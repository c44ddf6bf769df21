"""The priority of a thread that works beside the music."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

NICE = 5  # below the music's priority; more would starve a region on a busy machine


def lower_priority() -> None:
    """Lower the priority of this thread, and of those its library starts, below the music's, if the system can.

    [any]
    """
    if hasattr(os, "setpriority"):
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
