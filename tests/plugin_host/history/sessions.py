"""Small sessions for the tests of the history."""

from __future__ import annotations

from plugin_host.bench.trust.sessions import stretch as stretch
from plugin_host.history.history import History


def order(history: History, name: str, parent: int = 0, start_bar: int = 0, bars: int = 8, count: int = 1) -> list[int]:
    """Add an order of takes A, B, ...; returns their numbers."""
    nodes = [
        stretch(history.folder, f"{name}-{number}", start_bar, bars, variation=number) for number in range(1, count + 1)
    ]
    return [node.number for node in history.add(nodes, parent)]
