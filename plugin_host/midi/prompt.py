"""What the player types beside `segue midi`: a target to learn, or a word.

temperature Enter     the next control that moves is it        Escape leaves
forget cc 21          list        record 4        quit
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.errors import SegueError
from plugin_host.console.keys import SEQUENCE
from plugin_host.console.screen import Screen
from plugin_host.midi.session import MidiSession

HELP = "type a parameter and Enter, then move a control: it is learned; Escape leaves; forget, list, record, quit"
LINE_MAX = 80
ESCAPE, ENTER, DELETE = "\x1b", "\r\n", "\x7f\x08"


class LinePrompt:
    """Reads characters; `end` is called for `quit`.  [any: one thread]"""

    def __init__(self, session: MidiSession, screen: Screen, end: Callable[[], None]) -> None:
        self._session, self._screen, self._end = session, screen, end
        self._line = ""

    def read(self, text: str, seconds: float) -> None:
        """Characters that came at a monotonic second."""
        for key in SEQUENCE.sub("", text):
            if key == ESCAPE:
                self._line = ""
                if self._session.cancel():
                    self._screen.say("left")
            elif key in ENTER:
                line, self._line = self._line.strip(), ""
                self._screen.show("")
                if line:
                    self._take(line)
                continue
            elif key in DELETE:
                self._line = self._line[:-1]
            elif key.isprintable():
                self._line = (self._line + key)[:LINE_MAX]
            self._screen.show(f"> {self._line}" if self._line else "")

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        try:
            if word in ("quit", "q"):
                self._end()
            elif word == "list":
                for each in self._session.editor.bindings:
                    self._screen.say(f"  {each.control.name:<14} {each.target.name} ({each.mode})")
            elif word == "forget":
                self._screen.say(f"{self._session.editor.forget(rest)} forgotten")
            elif word == "record":
                self._session.record(int(rest) if rest.strip().isdigit() else 4)
            else:
                self._session.editor.learn(word, mode=rest.strip() or "auto")
                self._screen.say(f"{word}: move a control, or Escape")
        except SegueError as fault:
            self._screen.say(str(fault))
