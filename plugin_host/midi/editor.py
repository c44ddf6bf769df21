"""The map while it is played: rows come by learning and by OSC, go, and are written to its file.

Thread-safe as far as one thread changes it at a time: the session's OSC thread, and the player's keys.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from bridge.control.midi_rows import AUTO, MIDI_LEARNED, MIDI_LEARNING
from bridge.errors import SegueError
from plugin_host.midi.binding import Binding, bind
from plugin_host.midi.controls import Control
from plugin_host.midi.defaults import default_map
from plugin_host.midi.errors import MidiMapError
from plugin_host.midi.learner import Learner
from plugin_host.midi.map_file import MidiMap, read_map, write_map
from plugin_host.midi.mapper import Mapper

SHOWN = 12  # rows that an error names


def map_path(chosen: Path | None, jam: bool) -> Path:
    """The file of the map: the chosen one, or that in the player's settings; `SEGUE_CONFIG` is their folder.  [any]"""
    if chosen is not None:
        return chosen
    folder = os.environ.get("SEGUE_CONFIG") or platformdirs.user_config_dir("segue")
    return Path(folder) / ("midi-jam.toml" if jam else "midi.toml")


def find_map(path: Path, lane: int | None, jam: bool) -> MidiMap:
    """The map of a file, or the built-in one where there is no file; MidiMapError.  [main]"""
    return read_map(path, lane) if path.exists() else default_map(lane or 0, jam)


class MapEditor:
    """The rows, and learning. `tell` sends an event to those who listen, `say` gets lines for the player."""

    def __init__(
        self, path: Path, found: MidiMap, mapper: Mapper, say: Callable[[str], None], tell: Callable[..., None]
    ) -> None:
        self.path, self.lane = path, found.lane
        self._bindings, self._mapper = list(found.bindings), mapper
        self._say, self._tell = say, tell
        self._lock = threading.RLock()
        self._wanted: dict[str, Any] = {}
        self.learner = Learner(self._learned)
        mapper.use(self._bindings)

    @property
    def bindings(self) -> list[Binding]:
        """The rows of the map.  [any]"""
        return list(self._bindings)

    def learn(self, to: str, lane: int = -1, mode: str = AUTO, low: float = 0.0, high: float = 0.0) -> None:
        """Map the next control that moves to a target; MidiMapError if there is no such target.  [any]"""
        wanted = self.row(to, lane, mode, low, high)
        probe = "cc 0" if mode != AUTO else "cc14 0"
        bind(probe, **wanted)
        self._wanted = wanted
        self.learner.begin()
        self._tell(MIDI_LEARNING, 1, to)

    def row(self, to: str, lane: int, mode: str, low: float, high: float) -> dict[str, Any]:
        """The values of a row as `bind` takes them; lane -1 is the map's, both ends 0 are the target's.  [any]"""
        ends = {} if low == high == 0.0 else {"low": low, "high": high}
        return {"to": to, "lane": self.lane if lane < 0 else lane, "mode": mode, **ends}

    def leave(self) -> bool:
        """Leave learning, as Escape does; whether there was something to leave.  [any]"""
        left = self.learner.leave()
        if left:
            self._tell(MIDI_LEARNING, 0, str(self._wanted.get("to", "")))
        return left

    def _learned(self, control: Control) -> None:
        to = str(self._wanted["to"])
        self._tell(MIDI_LEARNING, 0, to)
        try:
            self.put(bind(control, **self._wanted))
        except SegueError as fault:
            self._say(str(fault))
            return
        self._say(f"{control.name} is {to}")
        self._tell(MIDI_LEARNED, control.name, to)

    def put(self, binding: Binding) -> None:
        """Take a row into the map, in place of those of its control or its target, and write the file.  [any]"""
        taken = (binding.control, binding.control.any_channel)
        with self._lock:
            kept = [each for each in self._bindings if each.control not in taken and each.target != binding.target]
            self._use([*kept, binding])

    def forget(self, what: str) -> int:
        """Take a control or a target out of the map, "" everything; how many rows that were.  [any]"""
        name = what.strip().lower()
        with self._lock:
            kept = [each for each in self._bindings if name and name not in (each.control.name, each.target.name)]
            count = len(self._bindings) - len(kept)
            if count:
                self._use(kept)
        if not count and name:
            raise MidiMapError(f"nothing in the map is {what!r}: it has {', '.join(self._names()) or 'no controls'}")
        return count

    def _names(self) -> list[str]:
        return [f"{each.control.name} ({each.target.name})" for each in self._bindings[:SHOWN]]

    def _use(self, bindings: list[Binding]) -> None:
        self._bindings = bindings
        self._mapper.use(bindings)
        try:
            self.save()
        except SegueError as fault:
            self._say(f"the map is not written: {fault}")

    def save(self, path: Path | None = None) -> Path:
        """Write the map, to its own file or another; OutputError.  [any]"""
        file = path or self.path
        if file == self.path:
            with suppress(OSError):
                file.parent.mkdir(parents=True, exist_ok=True)
        write_map(file, self._bindings, self.lane)
        return file
