"""Lines on the screen: what happened stays, progress is written over (without a terminal: now and then)."""

from __future__ import annotations

import shutil
import sys
import time
import unicodedata
from typing import TextIO

QUIET_SECONDS = 5.0
_HIDDEN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # turn the direction of writing


def printable(text: str, encoding: str | None = None) -> str:
    """Text that every terminal takes: what it would obey or cannot show stands as an escape, like \\x1b or \\udcff.

    Names and recipes come from others: their signs of control move no cursor. Ends of lines and tabs stay.  [any]
    """
    safe = "".join(_escape(sign) if _is_obeyed(sign) else sign for sign in text)
    encoding = encoding or "utf-8"
    return safe.encode(encoding, "backslashreplace").decode(encoding)


def _is_obeyed(sign: str) -> bool:
    return sign in _HIDDEN or (sign not in "\n\t" and unicodedata.category(sign) == "Cc")


def _escape(sign: str) -> str:
    return f"\\x{ord(sign):02x}" if ord(sign) < 256 else f"\\u{ord(sign):04x}"


class Screen:
    """Prints to `stream`, standard output unless told otherwise; one thread at a time.  [main]"""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._terminal = self._stream.isatty()
        self._shown = False
        self._shown_at_seconds = 0.0

    def say(self, text: str) -> None:
        """A line that stays.  [main]"""
        self._clear()
        self._stream.write(self._printable(text) + "\n")
        self._stream.flush()

    def show(self, text: str) -> None:
        """The line of progress; empty takes it away.  [main]"""
        if self._terminal:
            self._clear()
            if text:
                width = shutil.get_terminal_size().columns - 1
                self._stream.write(self._printable(text)[:width])
                self._shown = True
            self._stream.flush()
        elif text and time.monotonic() - self._shown_at_seconds >= QUIET_SECONDS:
            self._shown_at_seconds = time.monotonic()
            self._stream.write(self._printable(text) + "\n")
            self._stream.flush()

    def _printable(self, text: str) -> str:
        return printable(text, getattr(self._stream, "encoding", None))

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._shown = False
