"""Small sessions for the tests of the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugin_host.console.output import put
from plugin_host.history.files import store_reference
from plugin_host.history.history import History
from plugin_host.history.node import Node, Reference


def stretch(folder: Path, name: str, start_bar: int = 0, bars: int = 8, **more: Any) -> Node:
    """A node whose file and reference are in the session."""
    put(folder / f"{name}.wav", f"music of {name}".encode() * 100)
    sha256 = store_reference(folder, f"riff of {name[0]}".encode() * 50)
    reference = Reference("continue", sha256, 120.0, 0.0, "riff.wav")
    return Node(
        start_bar, bars, 120.0, file=f"{name}.wav", file_start_bar=start_bar, references=(reference,),
        recipe={"prompt": name, "seed": 7}, tokens=name.encode() * 20, **{"prompt": name, **more},
    )  # fmt: skip


def order(history: History, name: str, parent: int = 0, start_bar: int = 0, bars: int = 8, count: int = 1) -> list[int]:
    """Add an order of takes A, B, ...; returns their numbers."""
    nodes = [
        stretch(history.folder, f"{name}-{number}", start_bar, bars, variation=number) for number in range(1, count + 1)
    ]
    return [node.number for node in history.add(nodes, parent)]
