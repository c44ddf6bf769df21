"""The table of open lanes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from bridge.control.messages import LANES_MAX
from bridge.errors import NoSuchLane
from engine.serve.lane.lane import Lane


class OpenLanes:
    """Lanes by number: [control] adds them, [generate] removes them, all threads read. All of it [any].

    The table is replaced as a whole, under a lock: a reader sees one that does not change.
    """

    def __init__(self) -> None:
        self._lanes: dict[int, Lane] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def get(self, number: int) -> Lane | None:
        """The lane of a number, None if it is not open."""
        return self._lanes.get(number)

    def of(self, number: int) -> Lane:
        """An open lane; NoSuchLane names those that are open."""
        lanes = self._lanes
        if number not in lanes:
            known = ", ".join(map(str, sorted(lanes))) or "none"
            raise NoSuchLane(f"lane {number} is not open; open are: {known}")
        return lanes[number]

    def free_number(self) -> int:
        """The lowest unused number."""
        lanes = self._lanes
        return next(number for number in range(LANES_MAX) if number not in lanes)

    def add(self, lane: Lane) -> None:
        """Add a lane."""
        with self._lock:
            self._lanes = {**self._lanes, lane.number: lane}

    def remove(self, lane: Lane) -> None:
        """Remove a lane, unless another one has its number by now."""
        with self._lock:
            if self._lanes.get(lane.number) is lane:
                self._lanes = {number: other for number, other in self._lanes.items() if other is not lane}
