"""Libraries that are loaded when they are first needed: one that does not load is said in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.system.dependencies import broken_library
from engine.errors import UnsupportedError


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Around imports: raises UnsupportedError, "`what` needs a library: ...", for one that does not load.  [any]"""
    try:
        yield
    except Exception as fault:
        told = broken_library(fault)
        if told is None:
            raise
        raise UnsupportedError(f"{what} needs a library: {told}") from fault
