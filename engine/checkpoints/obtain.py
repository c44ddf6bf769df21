"""A checkpoint's folder: on this machine, or downloaded from the hub."""

from __future__ import annotations

import os
from pathlib import Path

from engine.checkpoints.catalog import COMPANIONS, full_name, short_name
from engine.checkpoints.find import find, find_here
from engine.checkpoints.hub import Report, fetch


def obtain(name: str | os.PathLike[str], report: Report | None = None) -> Path:
    """Like `find.find`, but missing published models and companions are downloaded from the hub.

    `report("downloading", done, total)` in bytes.  Raises CheckpointError that says what to do.  [main]
    """
    here = find_here(name)
    if here is None and (short_name(str(name)) or full_name(str(name)) in COMPANIONS):
        return fetch(str(name), report)
    return here or find(name)
