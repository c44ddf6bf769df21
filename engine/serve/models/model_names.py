"""Names of models: which are on this machine, which can be downloaded, under what licence. Loads no torch."""

from __future__ import annotations

from engine.checkpoints.catalog import MODELS, MUSICGEN_LICENCE, short_name
from engine.checkpoints.find import find_here

EMBEDDED = "embedded"
EMBEDDED_LICENCE = "CC0-1.0"


def known_names() -> list[str]:
    """Names of the MusicGen models and of the one that ships with Segue.  [any]"""
    return [EMBEDDED, *MODELS]


def names_here() -> list[str]:
    """Names of models whose files are on this machine.  [any]"""
    return [name for name in known_names() if name == EMBEDDED or find_here(name)]


def license_of(name: str) -> str:
    """The licence of a model's weights, if known by its name; empty for folders.  [any]"""
    if name == EMBEDDED:
        return EMBEDDED_LICENCE
    return MUSICGEN_LICENCE if short_name(name) else ""
