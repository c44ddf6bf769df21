"""Scrubbing: a host that jumps many times a second is followed once it comes to rest."""

from __future__ import annotations

SETTLE_SECONDS = 0.15  # jumps closer together are one movement


class Scrubbing:
    """Watches a host's jumps; the first of several is followed at once. [generate]"""

    def __init__(self) -> None:
        self._seek_id, self._since, self._quick = 0, 0.0, False

    def awaited(self, seek_id: int, now_seconds: float) -> bool:
        """Whether the host's jump to `seek_id` followed another so closely that one more may come."""
        if seek_id != self._seek_id:
            self._quick = now_seconds - self._since < SETTLE_SECONDS
            self._seek_id, self._since = seek_id, now_seconds
        return self._quick and now_seconds - self._since < SETTLE_SECONDS
