"""Measurements that are made once on a machine and remembered, each kind in a JSON file of the cache folder.

    <cache>/NAME.json     {key: {what was measured}}

A key is a hash of everything that the measurement depends on: another machine, library or size has another key.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge.system.whole_file import put

_log = logging.getLogger(__name__)


def key_of(*facts: object) -> str:
    """The key of a measurement that depends on these facts (JSON values).  [any]"""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def read(memory: Path) -> dict[str, Any]:
    """The measurements in a file; empty if it is missing or broken.  [any]"""
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in known.items() if isinstance(value, dict)} if isinstance(known, dict) else {}


def settle(memory: Path, key: str, found: dict[str, Any], usable: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Store a measurement, and return the one that counts: what another process stored meanwhile, if it is `usable`.

    So processes that measured at once, with other work beside them, choose alike: their audio has the same bits.
    If the disk refuses, each measures again.  [any]
    """
    known = read(memory)
    if usable(known.get(key, {})):
        return dict(known[key])
    _write(memory, known | {key: found})
    return found


def _write(memory: Path, known: dict[str, Any]) -> None:
    """Replace the measurements in a file."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        put(memory, (json.dumps(known, indent=1) + "\n").encode())
    except OSError as fault:
        _log.info("%s could not be remembered: %s", memory.stem, fault)
