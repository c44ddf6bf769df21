"""Since when nobody uses the engine."""

from __future__ import annotations


class IdleTime:
    """Tells when the engine has been unused for `limit_seconds`; 0: never.  [main]"""

    def __init__(self, limit_seconds: float, now_seconds: float) -> None:
        self._limit_seconds, self._used_seconds = limit_seconds, now_seconds

    def over(self, in_use: bool, now_seconds: float) -> bool:
        """Whether it is over; `in_use`: whether somebody uses the engine now.  [main]"""
        if in_use:
            self._used_seconds = now_seconds
        return self._limit_seconds > 0 and now_seconds - self._used_seconds >= self._limit_seconds
