"""The text of `messages.STATUS` while a model is loaded: the engine writes it, clients that wait for the load read it.

While one model plays and another is loaded, the engine's state is `ready`: protocol 3 has no column for the load, and
`messages.EVENT_MODEL` may be lost and does not report cancelled loads. Only this text shows the load.
"""

from __future__ import annotations

LOADING = "loading "
DOWNLOADING, WARMING_UP = "downloading", "warming up"  # the first and the last stage of a load, in its words
STATE_LOADING, STATE_STOPPING = "loading", "stopping"  # states of the engine that clients act on


def loading_text(model: str, step: str = "") -> str:
    """The text while `model` is loaded, with its progress: `loading small: reading 412 of 2764 MB`.  [any]"""
    return f"{LOADING}{model}: {step}" if step else f"{LOADING}{model}"


def is_loading(status_text: str) -> bool:
    """Whether a status has such a text.  [any]"""
    return status_text.startswith(LOADING)
