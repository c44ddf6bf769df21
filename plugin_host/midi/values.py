"""What the engine's values are, also when another client changes them: read in turn, a few times a second.

[main: the session's slow thread]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from bridge.errors import NoAnswer, SegueError
from plugin_host.client.client import EngineClient
from plugin_host.midi.binding import Binding
from plugin_host.midi.mapper import Mapper

PLAYING = ("preparing", "playing")  # states of a lane that `stop` ends
SILENT = "the engine does not answer: the map goes on when it is back"
BACK = "the engine is back"


class EngineValues:
    """Reads the values that the map's rows need, and tells the mapper."""

    def __init__(self, client: EngineClient, mapper: Mapper, say: Callable[[str], None]) -> None:
        self._client, self._mapper, self._say = client, mapper, say
        self._silent = False

    def read(self, bindings: Iterable[Binding], stop: Callable[[], bool] = lambda: False) -> None:
        """Read each once; what the engine refuses, as of a lane that is not open, stays unknown."""
        wanted: dict[tuple[int, str], None] = {}
        for binding in bindings:
            target = binding.target
            if target.is_parameter:
                wanted[target.lane, str(target.given["name"])] = None
            elif target.starts and binding.other is not None:
                wanted[target.lane, ""] = None
        for lane, name in wanted:
            if stop() or not self._one(lane, name):
                return

    def _one(self, lane: int, name: str) -> bool:
        """Whether the engine is there."""
        try:
            if name:
                value = self._client.get(lane, name).value
                self._mapper.know(lane, name, value, time.monotonic())
            else:
                playing = self._client.lane_status(lane).state in PLAYING
                self._mapper.know_playing(lane, playing, time.monotonic())
        except NoAnswer:
            if not self._silent:
                self._silent = True
                self._say(SILENT)
            return False
        except SegueError:
            pass
        if self._silent:
            self._silent = False
            self._say(BACK)
        return True
