"""Names of models: which are on this machine, which can be had, under what licence. Loads no torch."""

from __future__ import annotations

from engine.checkpoints.find import SIZES, find, full_name
from engine.errors import EngineError

EMBEDDED = "embedded"
EMBEDDED_LICENSE = "CC0 1.0"
PUBLISHED_LICENSE = "CC-BY-NC 4.0"


def known_names() -> list[str]:
    """Every name that stands for a model of the family, and the one that ships.  [any]"""
    return [EMBEDDED, *SIZES]


def names_here() -> list[str]:
    """Those whose files are on this machine.  [any]"""
    return [name for name in known_names() if name == EMBEDDED or _is_here(name)]


def _is_here(name: str) -> bool:
    try:
        find(name)
    except EngineError:
        return False
    return True


def license_of(name: str) -> str:
    """The licence of a model's weights, as far as its name tells; empty for folders.  [any]"""
    if name == EMBEDDED:
        return EMBEDDED_LICENSE
    return PUBLISHED_LICENSE if full_name(name).startswith("facebook/musicgen-") else ""
