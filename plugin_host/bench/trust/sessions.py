"""Small sessions of takes; all of it [main]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plugin_host.console import output
from plugin_host.history.files import store_reference
from plugin_host.history.node import Node, Reference

_put = [output.put]


def write_bare() -> None:
    """From now on takes are written in place, as the broken twin does."""

    def bare(path: Path, data: bytes | str) -> None:
        try:
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        except OSError as error:
            raise output.OutputError(f"{path}: {error}") from None

    _put[0] = bare


def stretch(folder: Path, name: str, start_bar: int = 0, bars: int = 8, **more: Any) -> Node:
    """A node whose file and reference are in the session."""
    _put[0](folder / f"{name}.wav", f"music of {name}".encode() * 100)
    sha256 = store_reference(folder, f"riff of {name[0]}".encode() * 50)
    reference = Reference("continue", sha256, 120.0, 0.0, "riff.wav")
    return Node(
        start_bar, bars, 120.0, file=f"{name}.wav", file_start_bar=start_bar, references=(reference,),
        recipe={"prompt": name, "seed": 7}, tokens=name.encode() * 20, **{"prompt": name, **more},
    )  # fmt: skip
