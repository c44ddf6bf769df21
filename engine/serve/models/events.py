"""The loader's events: one protocol, of which it gets an object."""

from __future__ import annotations

from typing import Protocol


class ModelEvents(Protocol):
    """Receives the events of models and of the engine as a whole. All of it [any]."""

    def model_changed(self, state: str, model: str, text: str) -> None:
        """A model is loading, ready, failed, unloaded; or a note on it."""

    def engine_changed(self, state: str, text: str) -> None:
        """The engine is `state` from now on."""

    def start_failed(self, text: str) -> None:
        """The start model cannot be used: the engine ends."""
