"""Looks whether `segue watch`, `jam` and `midi` are there, whoever started them, and listens to the last two."""

from __future__ import annotations

import threading

from bridge.control.history_rows import TAKES_HEAD
from bridge.control.jam_rows import JAM_LISTEN
from bridge.errors import NoAnswer, SegueError
from plugin_host.panel.midi_view import MidiView
from plugin_host.panel.ports import ProgramPort
from plugin_host.panel.state import PanelState

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 0.4
JAM_PER_SECOND = 10.0


class Others:
    """A thread that asks them once a second while anybody looks; also a context manager.  [any]"""

    def __init__(self, watch: ProgramPort, jam: ProgramPort, midi: MidiView, state: PanelState) -> None:
        self._watch, self._jam, self._midi, self._state = watch, jam, midi, state
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-panel-others", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking.  [main]"""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            if self._state.watched:
                self._look()

    def _look(self) -> None:
        try:
            head = self._watch.ask(TAKES_HEAD, {}, ANSWER_SECONDS)
            head.pop("id", None)
            self._state.put("watch", {"there": 1, **head})
        except NoAnswer:
            self._state.put("watch", {"there": 0})
        except SegueError as fault:
            self._state.put("watch", {"there": 1, "text": str(fault)})
        try:
            self._jam.ask(JAM_LISTEN, {"port": 0, "per_second": JAM_PER_SECOND}, ANSWER_SECONDS)
        except SegueError:
            self._state.drop("", "jam")
        self._midi.look(ANSWER_SECONDS)
