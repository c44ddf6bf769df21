"""`stems.json`: what an order has made so far, with figures and ranks, for people, panels and the next start.

    {"segue_stems": 1, "seed": 7, "state": "making", "lanes": "drums,bass", "variations": 4, "stems": [...], ...}

The stems themselves say what they are: of an old file only the seed is used, which may have been drawn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.control.arguments import WHOLE_MAX
from bridge.ring.form import Audio
from bridge.system.plain_text import plain
from plugin_host.console.output import put, read_note
from plugin_host.takes.errors import TakeError
from plugin_host.takes.stems.figures import Figures

NAME, VERSION = "stems.json", 1
BYTES_MAX = 2**23
OUTLINE = 240


@dataclass(frozen=True)
class StemRow:
    """One stem that is made: its file's name in the folder, its figures, its outline, notes for people."""

    variation: int
    lane: str
    file: str
    figures: Figures
    score: float
    how: str
    outline: Sequence[float] = ()
    note: str = ""


@dataclass(frozen=True)
class State:
    """An order's state; `about` has its facts for people, `scores` are those of complete variations.

    `mixes` are the outlines of the mixes that are written.
    """

    seed: int
    state: str
    about: Mapping[str, object]
    rows: Sequence[StemRow]
    scores: Mapping[int, float]
    ranks: Sequence[int]
    mixes: Mapping[int, Sequence[float]]


def write(folder: Path, state: State) -> None:
    """Write the file, whole; OutputError.  [main]"""
    rows = [{**vars(row), "figures": {name: _number(value) for name, value in vars(row.figures).items()},
             "score": _number(row.score)} for row in state.rows]  # fmt: skip
    table = {
        "segue_stems": VERSION, "seed": state.seed, "state": state.state, **state.about, "ranks": list(state.ranks),
        "mixes": {str(number): list(outline) for number, outline in state.mixes.items()},
        "scores": {str(number): _number(value) for number, value in state.scores.items()}, "stems": rows,
    }  # fmt: skip
    put(folder / NAME, json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def best_files(folder: Path) -> list[Path]:
    """The stems of the best variation in a folder; none before one is complete. TakeError.  [main]"""
    table = _table(folder)
    best = next(iter(table.get("ranks", [])), 0)
    rows = [row for row in table.get("stems", []) if row["variation"] == best]
    return [folder / str(int(best)) / Path(str(row["file"])).name for row in rows]  # never outside the folder


def outline(audio: Audio) -> tuple[float, ...]:
    """The highest sample of each of 240 equal parts of audio [n, channels], 0 to 1, for a picture.  [any]"""
    parts = np.array_split(np.abs(audio).max(axis=1), OUTLINE) if len(audio) else []
    return tuple(round(min(float(part.max(initial=0.0)), 1.0), 3) for part in parts)


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def seed_of(folder: Path) -> int:
    """The seed of the order that was begun in a folder; -1 for none. TakeError if its file is not Segue's.  [main]"""
    seed = _table(folder).get("seed", -1)
    return seed if type(seed) is int and 0 <= seed <= WHOLE_MAX else -1


def _table(folder: Path) -> dict[str, Any]:
    """The file's content; empty without a file."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        table: Any = json.loads(read_note(path, BYTES_MAX))
        if isinstance(table, dict) and table.get("segue_stems") == VERSION:
            return table
    except (ValueError, RecursionError):
        pass
    raise TakeError(f"{plain(str(path))} is no list of stems that this Segue reads: choose another folder")
