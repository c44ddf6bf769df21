"""Errors of a session's history."""

from __future__ import annotations

from bridge.errors import SegueError
from plugin_host.console.output import OutputError


class HistoryError(SegueError):
    """A session cannot be used so: the message says why.  [any]"""

    code = "bad_history"


class NoSuchNode(HistoryError):
    """There is no take of this number.  [any]"""

    code = "no_such_take"


class HistoryNotWritten(OutputError):
    """The history cannot be written: full disk, no permission, locked by another program.  [any]"""

    code = "output"
