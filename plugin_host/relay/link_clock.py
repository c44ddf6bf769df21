"""The two machines' clocks and the way between them, from pings: asked, answered, back.

relay    asked ------------------ back        offset = answered - (asked + back) / 2, of the quickest ping
engine            answered
"""

from __future__ import annotations

from collections import deque
from statistics import median

WINDOW_SECONDS = 10.0
WITHIN = 0.95


class LinkClock:
    """The last ten seconds of pings."""

    def __init__(self) -> None:
        self._pings: deque[tuple[int, int, int]] = deque()  # back, there and back, offset

    def answered(self, asked_ns: int, answered_ns: int, now_ns: int) -> None:
        """A ping is back.  [main]"""
        self._pings.append((now_ns, now_ns - asked_ns, answered_ns - (asked_ns + now_ns) // 2))
        while self._pings[0][0] < now_ns - WINDOW_SECONDS * 1e9:
            self._pings.popleft()

    def forget(self) -> None:
        """A new connection: other ways.  [main]"""
        self._pings.clear()

    @property
    def known(self) -> bool:
        """Whether a ping came back.  [any]"""
        return bool(self._pings)

    @property
    def ahead_ns(self) -> int:
        """The engine's clock less this one, wrong by at most half the quickest way there and back.  [any]"""
        return min(self._pings, key=lambda ping: ping[1])[2] if self._pings else 0

    @property
    def rtt_seconds(self) -> float:
        """There and back, median.  [any]"""
        return median(ping[1] for ping in self._pings) / 1e9 if self._pings else 0.0

    @property
    def quickest_seconds(self) -> float:
        """There and back, the shortest.  [any]"""
        return min(ping[1] for ping in self._pings) / 1e9 if self._pings else 0.0

    @property
    def jitter_seconds(self) -> float:
        """The way there and back that 95 of 100 pings stay within, less the shortest.  [any]"""
        if not self._pings:
            return 0.0
        ways = sorted(ping[1] for ping in self._pings)
        return (ways[int(WITHIN * (len(ways) - 1) + 0.5)] - ways[0]) / 1e9
