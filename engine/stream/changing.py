"""Conditions that change while a window is open: the weights of a lane's prompts and styles.

frame     ... 40 41 42 | 43 44 ...          version 2 begins at frame 43: steps before it keep what they read,
version        1       |    2               steps from it on attend to the new vectors
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol, runtime_checkable

from engine.lm import Conditions
from engine.stream.window import Window


@runtime_checkable
class ChangingConditions(Protocol):
    """Conditions that change within a window, by what `Conditions.version` says.  [generate]"""

    def version_at(self, frame: int) -> Hashable:
        """The version for the step that draws a stream frame; the same for the same frame."""

    def renewed(self, offset_frames: int, window_frames: int, version: Any) -> tuple[Conditions, ...]:
        """The conditions of an open window in another version, of the same shape."""


def renew(window: Window, conditions: object, offset_frames: int, frame: int) -> None:
    """Bring an open window at stream frame `offset_frames` to the version for its next step, which draws `frame`.

    Does nothing for conditions that do not change within a window.  [generate]
    """
    if isinstance(conditions, ChangingConditions):
        version = conditions.version_at(frame)
        if version != window.conditions[0].version:
            window.renew(conditions.renewed(offset_frames, window.n_frames, version))
