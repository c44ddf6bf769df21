"""Lines on the screen: what happened stays, progress is written over (without a terminal: now and then)."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from bridge.system.plain_text import printed

QUIET_SECONDS = 5.0


class Screen:
    """Prints to `stream`, standard output unless told otherwise, what it can print; one thread at a time.  [main]"""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._terminal = self._stream.isatty()
        self._shown = False
        self._shown_at_seconds = 0.0

    def say(self, text: str) -> None:
        """A line that stays.  [main]"""
        self._clear()
        self._stream.write(printed(text, self._stream) + "\n")
        self._stream.flush()

    def show(self, text: str) -> None:
        """The line of progress; empty takes it away.  [main]"""
        text = printed(text, self._stream)
        if self._terminal:
            self._clear()
            if text:
                width = shutil.get_terminal_size().columns - 1
                self._stream.write(text[:width])
                self._shown = True
            self._stream.flush()
        elif text and time.monotonic() - self._shown_at_seconds >= QUIET_SECONDS:
            self._shown_at_seconds = time.monotonic()
            self._stream.write(text + "\n")
            self._stream.flush()

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._shown = False


def tell(text: str) -> None:
    """A line on standard output, as it can be printed there.  [main]"""
    Screen().say(text)


def complain(text: str) -> None:
    """A line of error on standard error, as it can be printed there.  [main]"""
    sys.stderr.write(printed(text, sys.stderr) + "\n")
    sys.stderr.flush()
