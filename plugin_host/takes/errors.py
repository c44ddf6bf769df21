"""What can go wrong with a take."""

from __future__ import annotations

from bridge.errors import SegueError


class TakeError(SegueError):
    """A file is no take, or its recipe cannot be used; the message says why.  [any]"""

    code = "bad_take"


class TakeFailed(SegueError):
    """The engine did not make all of a take.  [any]"""

    code = "take_failed"
