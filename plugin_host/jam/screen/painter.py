"""Rows on a terminal's second screen: a frame is one write that holds the changed rows only, so nothing flickers."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[0m\x1b[?25h\x1b[?1049l"  # and the cursor is hidden meanwhile


class Painter:
    """Paints on `stream`, which is a terminal. [any: one thread]"""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=io.StringIO(), force_terminal=True, highlight=False, markup=False, emoji=False,
                                color_system="standard", no_color=None)  # fmt: skip
        self._painted: list[str] = []
        self._size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal."""
        return tuple(shutil.get_terminal_size())  # type: ignore[return-value]

    def enter(self) -> None:
        """Turn to the second screen."""
        self._write(_ENTER)

    def paint(self, rows: Sequence[Text]) -> None:
        """Write the rows that changed; all after the terminal's size did."""
        texts = [self._ansi(row) for row in rows]
        out = ""
        if self._size != self.size:
            self._size, self._painted, out = self.size, [], "\x1b[0m\x1b[2J"
        before = [*self._painted, *[""] * (len(texts) - len(self._painted))]
        for number, text in enumerate(texts):
            if text != before[number]:
                out += f"\x1b[{number + 1};1H{text}\x1b[0m\x1b[K"
        if len(before) > len(texts):
            out += f"\x1b[{len(texts) + 1};1H\x1b[J"
        self._painted = texts
        if out:
            self._write(out)

    def leave(self) -> None:
        """Turn back to the first screen, as it was."""
        self._write(_LEAVE)

    def _ansi(self, row: Text) -> str:
        """A row with its colours as control sequences."""
        with self._console.capture() as caught:
            self._console.print(row, end="", soft_wrap=True)
        return caught.get()

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
