"""The errors of a jam."""

from __future__ import annotations

from bridge.errors import SegueError


class JamError(SegueError):
    """A jam cannot be played as it was asked for; the message says why."""

    code = "jam"
