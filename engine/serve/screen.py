"""The engine's lines on its screen."""

from __future__ import annotations

import logging
import sys

from bridge.system.plain_text import LINES, plain, printed


def say(text: str) -> None:
    """One line of progress on the screen.  [any]"""
    sys.stdout.write(printed(f"segue engine: {text}", sys.stdout) + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line of what went wrong, on standard error.  [any]"""
    sys.stderr.write(printed(f"segue engine: {text}", sys.stderr) + "\n")


class PlainFormatter(logging.Formatter):
    """Names and texts of strangers stand in the log without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as plain lines.  [any]"""
        return plain(super().format(record), LINES)


def log_plainly() -> None:
    """Warnings and worse go to standard error, one plain line each and a fault's trace.  [main]"""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("segue engine: %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
