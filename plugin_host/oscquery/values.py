"""The present values of lanes, from the engine's subscriptions."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from bridge.control import state_rows
from bridge.control.arguments import Value
from plugin_host.client.udp_connection import Event

KINDS = ("lane", "parameters")


class LaneValues:
    """Values by lane and name; lane 0 is always there.

    `take` is called on the client's receiving thread, `now` by HTTP's threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: dict[int, dict[str, Value]] = {}

    def take(self, event: Event) -> None:
        """Take an event of the engine.  [any]"""
        values = event.values
        with self._lock:
            if event.message is state_rows.STATE_PARAMETER:
                self._of(values)[str(values["name"])] = values["value"]
            elif event.message is state_rows.STATE_PROMPT:
                self._of(values)["prompt"] = values["text"]
            elif event.message is state_rows.STATE_LANE:
                if values["state"] == "closed":
                    self._lanes.pop(int(str(values["lane"])), None)
                else:
                    self._of(values).update(state=values["state"], mute=values["muted"])

    def _of(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return self._lanes.setdefault(int(str(values["lane"])), {})

    def now(self) -> dict[int, dict[str, Value]]:
        """A copy of all values.  [any]"""
        with self._lock:
            return {0: {}} | {lane: dict(values) for lane, values in self._lanes.items()}
