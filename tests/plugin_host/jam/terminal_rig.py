"""A program in a real terminal of its own: what it prints is read here, what is typed here it reads."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60

START = (  # the program owns the terminal
    "import os, sys, fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


class Terminal:
    """A terminal with `python -c CODE ARGUMENTS` in it; modules beside this file can be imported there."""

    def __init__(self, code: str, *arguments: str, rows: int = 24, columns: int = 80) -> None:
        self.outside, self.inside = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.inside)
        self.text = ""
        known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        here = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]), "PYTHONIOENCODING": "utf-8"}
        self.program = subprocess.Popen(
            [sys.executable, "-c", START, "-c", code, *arguments],
            stdin=self.inside, stdout=self.inside, stderr=self.inside, start_new_session=True, env={**known, **here},
        )  # fmt: skip

    def resize(self, rows: int, columns: int) -> None:
        """Another size, in characters."""
        fcntl.ioctl(self.inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, found: Callable[[], object]) -> None:
        """Read what the program prints until this holds; fails with the text after a long time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not found() and time.monotonic() < deadline:
            if select.select([self.outside], [], [], 0.05)[0]:
                self.take(os.read(self.outside, 65536).decode("utf-8", "replace"))
        assert found(), self.text[-2000:]

    def take(self, text: str) -> None:
        """The next text that the program printed."""
        self.text += text

    def type(self, text: bytes) -> None:
        """Type this."""
        os.write(self.outside, text)

    def mode(self) -> list[object]:
        """How the terminal is set; `before`: how it was set before the program began."""
        return termios.tcgetattr(self.inside)

    def close(self) -> None:
        """End the program, and the terminal."""
        self.program.kill()
        self.program.wait()
        os.close(self.outside)
        os.close(self.inside)
