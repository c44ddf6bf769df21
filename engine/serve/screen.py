"""The engine's lines on the terminal."""

from __future__ import annotations

import logging
import sys

from bridge.system.plain_text import LINES, plain, printed


def say(text: str) -> None:
    """Print a line of progress.  [any]"""
    sys.stdout.write(printed(f"segue engine: {text}", sys.stdout) + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Print a line about an error to standard error.  [any]"""
    sys.stderr.write(printed(f"segue engine: {text}", sys.stderr) + "\n")


class PlainFormatter(logging.Formatter):
    """Removes control characters of foreign names and texts from log records."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as plain lines.  [any]"""
        return plain(super().format(record), LINES)


def log_plainly() -> None:
    """Log warnings and errors to standard error, one plain line each and a fault's traceback.  [main]"""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("segue engine: %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
