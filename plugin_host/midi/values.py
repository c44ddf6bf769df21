"""What the engine's values are, also when another client changes them: it sends them by itself.

    engine --state--> take: kept, and told to the mapper at once
    keep                rows that were learned since are told what is kept

[any: `take` the client's receiving thread, `keep` the session's slow one]
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bridge.control import state_rows
from plugin_host.client.client import EngineClient
from plugin_host.client.subscription import Subscription
from plugin_host.client.udp_connection import Event
from plugin_host.midi.mapper import Mapper

KINDS = ("lane", "parameters")
PLAYING = ("preparing", "playing")  # states of a lane that `stop` ends
SILENT = "the engine does not answer: the map goes on when it is back"
BACK = "the engine is back"
Known = tuple[float, float]  # a value, and the monotonic second at which it came


class EngineValues:
    """Keeps the engine's values, and tells the mapper."""

    def __init__(self, client: EngineClient, mapper: Mapper, say: Callable[[str], None]) -> None:
        self._mapper, self._say = mapper, say
        self._subscription = Subscription(client, KINDS)
        self._known: dict[tuple[int, str], Known] = {}  # by lane and parameter; '': whether it plays
        self._silent = False

    def take(self, event: Event) -> None:
        """Take an event of the engine."""
        values, now = event.values, time.monotonic()
        if event.message is state_rows.STATE_PARAMETER:
            key, value = (int(str(values["lane"])), str(values["name"])), float(str(values["value"]))
        elif event.message is state_rows.STATE_LANE:
            key, value = (int(str(values["lane"])), ""), float(values["state"] in PLAYING)
        else:
            return
        self._known[key] = value, now
        self._tell(key, (value, now))

    def keep(self) -> None:
        """Keep the subscription, and tell rows of the map that are new; a few times a second."""
        there = self._subscription.keep()
        if there == self._silent:
            self._silent = not there
            self._say(BACK if there else SILENT)
        for key, known in list(self._known.items()):
            self._tell(key, known)

    def _tell(self, key: tuple[int, str], known: Known) -> None:
        (lane, name), (value, seconds) = key, known
        if name:
            self._mapper.know(lane, name, value, seconds)
        else:
            self._mapper.know_playing(lane, value > 0.0, seconds)
