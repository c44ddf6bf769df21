"""A subscription to the engine's state that goes on when the engine was started again.

subscription = Subscription(client, ("lane", "parameters"))
while playing:
    there = subscription.keep()      # as often as you like; the state comes to the client's `on_event`
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

from bridge.control import messages
from bridge.errors import NoAnswer, SegueError
from plugin_host.client.client import EngineClient

AGAIN_SECONDS = 5.0  # between two subscriptions: an engine may have forgotten this client
SILENT_SECONDS = 5.0  # without a message of the engine, which is pinged every two seconds
RATE_HZ = 20.0


class Subscription:
    """A client's subscription to these kinds of state; `keep` is called again and again, from one thread."""

    def __init__(self, client: EngineClient, kinds: Iterable[str], rate_hz: float = RATE_HZ) -> None:
        self._client, self._kinds, self._rate_hz = client, tuple(kinds), rate_hz
        self._due_seconds, self._restarts = 0.0, 0

    def keep(self) -> bool:
        """Subscribe if it is time for it, or if the engine is a new one; False while no engine answers.  [main]"""
        now, new = time.monotonic(), self._client.restarts != self._restarts
        if now >= self._due_seconds or new:
            self._restarts = self._client.restarts
            if not self._subscribe():
                return False
            self._due_seconds = now + AGAIN_SECONDS
        return self._client.silent_seconds < SILENT_SECONDS

    def _subscribe(self) -> bool:
        """Whether the engine has taken it; one that does not know this client yet is greeted for the next time."""
        try:
            for kind in self._kinds:
                self._client.call(messages.SUBSCRIBE, kind, self._rate_hz)
        except NoAnswer:
            return False
        except SegueError:
            with suppress(SegueError):
                self._client.hello()
            return False
        return True
