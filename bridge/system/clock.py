"""The clock, passed to all code that needs the time, so that tests can pass another one."""

from __future__ import annotations

import time


class Clock:
    """Monotonic seconds, and waiting. All of it [any]."""

    def now_seconds(self) -> float:
        """Seconds since a fixed instant; they never decrease."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for this time."""
        time.sleep(seconds)


MONOTONIC = Clock()
