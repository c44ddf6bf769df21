"""The one clock: who needs the time is handed it, so that tests hand in another one."""

from __future__ import annotations

import time


class Clock:
    """Monotonic seconds, and waiting by them. All of it [any]."""

    def now_seconds(self) -> float:
        """Seconds since some moment; they never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for so long."""
        time.sleep(seconds)


MONOTONIC = Clock()
