"""The screen while a jam runs, painted by a thread of its own: a terminal that stands still holds up nothing else.

On a terminal a picture that changes with every beat, and under it what was said last. When it ends, what was said
stands on the first screen. Elsewhere: lines, when something changes.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections import deque
from types import TracebackType
from typing import TextIO

from bridge.system.plain_text import printed
from plugin_host.jam.screen.painter import Painter
from plugin_host.jam.screen.picture import ASCII, UNICODE, Shape, change_bar, picture
from plugin_host.jam.state import JamState, PressReply

FRAME_SECONDS = 0.04  # at least, between two frames
LINES_MAX = 500
CLOSE_SECONDS = 1.0


class JamScreen:
    """A context manager. `keys`: whether keys are read, and named in the last row. Any thread may call it."""

    def __init__(self, stream: TextIO | None = None, keys: bool = False) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._keys = keys
        self._painter = Painter(self._stream) if self._stream.isatty() else None
        self._state: JamState | None = None
        self._told: tuple[object, ...] = ()  # of the state, in lines
        self._lines: deque[str] = deque(maxlen=LINES_MAX)  # said, on a terminal: all; else: not yet written
        self._changed, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-jam-screen", daemon=True)

    def __enter__(self) -> JamScreen:
        if self._painter is not None:
            atexit.register(self.close)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def show(self, state: JamState) -> None:
        """The present state; returns at once.  [any]"""
        self._state = state
        if self._painter is None:
            self._tell(state)
        self._changed.set()

    def say(self, text: str) -> None:
        """A line that stays; returns at once.  [any]"""
        self._lines.extend(text.splitlines())
        self._changed.set()

    def reply(self, reply: PressReply) -> None:
        """The answer to a press.  [any]"""
        self.say(f"{'' if reply.accepted else 'no: '}{reply.text}")

    def close(self) -> None:
        """Show the last of it, and leave the terminal as it was; may be called twice.  [any]"""
        if self._ending.is_set():
            return
        self._ending.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
        atexit.unregister(self.close)

    def _tell(self, state: JamState) -> None:
        """Lines for a state: its phase and the next one when they change, and messages."""
        now = (state.state, state.next_state if state.beats_to_change > 0 else "", state.message)
        if now == self._told:
            return
        before, self._told = self._told, now
        if now[:2] != before[:2]:
            comes = f"; {state.next_state} from bar {change_bar(state)} on" if now[1] else ""
            self._lines.append(f"bar {state.bar + 1}: {state.state}{comes}")
        if state.message and now[2:] != before[2:]:
            self._lines.append(state.message)

    # -- the screen's thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            if self._painter is None:
                self._write_lines()
            else:
                self._paint(self._painter)
        except (OSError, ValueError):
            self._ending.set()  # the terminal has gone, or the reader of a pipe has: the music goes on

    def _write_lines(self) -> None:
        while True:
            ending = self._ending.is_set()
            while self._lines:
                self._stream.write(printed(self._lines.popleft(), self._stream) + "\n")
                self._stream.flush()
            if ending:
                return
            self._changed.wait()
            self._changed.clear()

    def _paint(self, painter: Painter) -> None:
        glyphs = UNICODE if (self._stream.encoding or "").lower().startswith("utf") else ASCII
        painter.enter()
        try:
            while not self._ending.is_set():
                columns, rows = painter.size
                if self._state is not None:
                    painter.paint(picture(self._state, list(self._lines), Shape(columns, rows, glyphs, self._keys)))
                self._changed.wait(1.0)  # and once a second for the terminal's size
                self._changed.clear()
                self._ending.wait(FRAME_SECONDS)
        finally:
            painter.leave()
        for line in self._lines:
            self._stream.write(printed(line, self._stream) + "\n")
        self._stream.flush()
