"""A thread's loop that outlives any fault of a turn, a lack of memory too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

PAUSE_SECONDS = 0.01  # after a fault, so that one that lasts takes no processor


def run_turns(turn: Callable[[], bool], name: str, log: logging.Logger) -> None:
    """Call `turn` until it returns False; a fault is logged with the thread's name, and the next turn comes.  [any]"""
    goes_on = True
    while goes_on:
        try:  # what comes from `_turned` itself; `suppress` would take memory
            goes_on = _turned(turn, name, log)
        except Exception:  # noqa: S112
            continue


def _turned(turn: Callable[[], bool], name: str, log: logging.Logger) -> bool:
    try:
        return turn()
    except Exception:
        with suppress(Exception):
            log.exception("a turn of %s failed", name)
        time.sleep(PAUSE_SECONDS)
        return True
