"""Who used the processors during a measurement: this program, other programs, the hypervisor of a virtual machine.

Read from /proc/stat on Linux; unknown on other systems.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
_IDLE, _WAITING, _STOLEN = 3, 4, 7  # columns of the line "cpu": user nice system idle iowait irq softirq steal


@dataclass(frozen=True)
class Taken:
    """Shares of all processors' time, 0 to 1.  [main]"""

    by_others: float
    by_hypervisor: float


class ProcessorTime:
    """Create it, measure, read `taken`; children count as own time once they have ended and were waited for."""

    def __init__(self) -> None:
        self._stat, self._own_seconds = _read_stat(), _own_seconds()

    def taken(self) -> Taken | None:
        """The shares of others since the beginning; None if the system does not report them.  [main]"""
        before, after = self._stat, _read_stat()
        if before is None or after is None:
            return None
        passed = [now - then for then, now in zip(before, after, strict=True)]
        total = sum(passed)
        if total <= 0:
            return None
        own = (_own_seconds() - self._own_seconds) * os.sysconf("SC_CLK_TCK")
        busy = total - passed[_IDLE] - passed[_WAITING] - passed[_STOLEN]
        return Taken(max(0.0, busy - own) / total, passed[_STOLEN] / total)


def _read_stat() -> list[int] | None:
    if sys.platform != "linux":
        return None
    try:
        line = STAT.read_text().splitlines()[0].split()
        numbers = [int(word) for word in line[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    return numbers if line[0] == "cpu" and len(numbers) == 8 else None


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
