"""Libraries that are loaded on first use: one that does not load raises an error of one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.system.dependencies import broken_library, is_missing
from engine.errors import NotInstalled, UnsupportedError


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Around imports: raises UnsupportedError, "`what` needs a library: ...", for one that does not load.

    NotInstalled if it is missing.  [any]
    """
    try:
        yield
    except Exception as fault:
        reason = broken_library(fault)
        if reason is None:
            raise
        kind = NotInstalled if is_missing(fault) else UnsupportedError
        raise kind(f"{what} needs a library: {reason}") from fault
