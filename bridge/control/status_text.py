"""What the text of `messages.STATUS` says while a model is loaded: written by the engine, read by who waits for it.

While one model plays and another is loaded the engine's state is `ready`: protocol 3 has no column that tells the two
apart, and `messages.EVENT_MODEL` may be lost and says nothing of a load that is cancelled. The text does; nobody else
looks at it.
"""

from __future__ import annotations

LOADING = "loading "


def loading_text(model: str, step: str = "") -> str:
    """The text while `model` is loaded, with how far it is: `loading small: reading 412 of 2764 MB`.  [any]"""
    return f"{LOADING}{model}: {step}" if step else f"{LOADING}{model}"


def is_loading(status_text: str) -> bool:
    """Whether a status says that.  [any]"""
    return status_text.startswith(LOADING)
