"""Errors of takes."""

from __future__ import annotations

from bridge.errors import SegueError


class TakeError(SegueError):
    """A file is no take, or its recipe is invalid; the message says why.  [any]"""

    code = "bad_take"


class TakeFailed(SegueError):
    """The engine did not make a complete take.  [any]"""

    code = "take_failed"
