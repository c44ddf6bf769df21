"""The engine's lines on its screen."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One line of progress on the screen.  [any]"""
    sys.stdout.write(f"segue engine: {text}\n")
    sys.stdout.flush()
