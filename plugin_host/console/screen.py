"""Lines on the screen: messages stay, progress is overwritten (without a terminal: printed at intervals)."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from bridge.system.plain_text import printed

QUIET_SECONDS = 5.0


class Screen:
    """Prints to `stream`, by default standard output, in its encoding; one thread at a time.  [main]"""

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
        """The progress line; empty removes it.  [main]"""
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


def print_line(text: str) -> None:
    """A line on standard output, in its encoding.  [main]"""
    Screen().say(text)


def complain(text: str) -> None:
    """An error line on standard error, in its encoding.  [main]"""
    sys.stderr.write(printed(text, sys.stderr) + "\n")
    sys.stderr.flush()
