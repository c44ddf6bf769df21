"""A lane's journal without its music: where its host played, and what the lane was asked for when.

A journal only grows: what is known of it is its first bytes, up to its last complete line. It may come from elsewhere;
nothing in it is executed.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plugin_host.render.again import JOURNAL, lanes_of
from plugin_host.render.heard import transport_of
from plugin_host.render.places import HostPlaces, RenderError, Stretch

REFERENCES = "references"
BYTES_MAX = 2**30


@dataclass(frozen=True)
class Asked:
    """What a lane was asked for when its host had heard so many samples of the recording."""

    heard_samples: int
    prompt: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    model: str = ""
    precision: str = ""


@dataclass(frozen=True)
class LaneJournal:
    """The complete lines of a journal: `n_bytes` of its file. `asked` in order; empty before any music."""

    folder: Path
    n_bytes: int
    lane: int
    rate_hz: int
    channels: int
    stretches: tuple[Stretch, ...]
    asked: tuple[Asked, ...]


def complete_lines(folder: Path) -> bytes:
    """A journal's bytes up to its last complete line; RenderError.  [main]"""
    path = folder / JOURNAL
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > BYTES_MAX:
            raise RenderError(f"{path} is no plain file of at most {BYTES_MAX} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise RenderError(f"{path} cannot be read: {error.strerror or error}") from None
    return data[: data.rfind(b"\n") + 1]


def read_lane(folder: Path) -> LaneJournal:
    """A lane's journal, also one that is still written; RenderError names the line that is none.  [main]"""
    data = complete_lines(folder)
    rows = _rows(folder, data)
    first = next(rows, (0, {}))[1]
    try:
        rate, channels, lane = (int(first[name]) for name in ("sample_rate_hz", "channels", "lane"))
        if first["kind"] != "journal":
            raise ValueError(first["kind"])
    except (KeyError, TypeError, ValueError):
        raise RenderError(f"{folder / JOURNAL} is no journal of a lane") from None
    places, asked, host = HostPlaces(rate), list[Asked](), None
    for number, row in rows:
        try:
            host = transport_of(row["transport"]) if row["kind"] == "host" else host
            if host is not None:
                places.play(host, host.position_samples if row["kind"] == "host" else int(row["sample"]))
            said = _asked(row, asked[-1] if asked else Asked(0), places.heard_samples)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise RenderError(f"{folder / JOURNAL}, line {number}: {type(error).__name__}: {error}") from None
        asked += [said] if said is not None else []
    return LaneJournal(folder, len(data), lane, rate, channels, tuple(places.stretches), tuple(asked))


def newest_lanes(folder: Path) -> list[list[Path]]:
    """The journals in a folder, for each of its lanes the newest first: an engine begins one at each opening.

    RenderError without any.  [main]
    """
    lanes: dict[str, list[tuple[int, Path]]] = {}
    for path in lanes_of(folder):
        if path == folder:
            return [[folder]]
        parts = re.match(r"(lane-\d+)(?:-(\d+))?\Z", path.name)
        name, number = (parts[1], int(parts[2] or 1)) if parts else (path.name, 1)
        lanes.setdefault(name, []).append((number, path))
    return [[path for _, path in sorted(found, reverse=True)] for found in lanes.values()]


def _rows(folder: Path, data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(data.splitlines(), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RenderError(f"{folder / JOURNAL}, line {number} cannot be read: {error}") from None
        if not isinstance(row, dict):
            raise RenderError(f"{folder / JOURNAL}, line {number} is no table")
        yield number, row


def _asked(row: dict[str, Any], before: Asked, heard_samples: int) -> Asked | None:
    """What a line asks for; None if it asks for nothing else than before."""
    if row["kind"] == "begin":
        model, precision = str(row["model"]), str(row.get("precision", ""))
        before = replace(before, seed=int(row["seed"]), model=model, precision=precision)
        settings = row["settings"]
    else:
        args = row.get("args", [])
        settings = next((each for each in args if isinstance(each, dict) and each.get("is") == "LaneSettings"), None)
    if settings is None:
        return None
    values = {str(name): float(value) for name, value in settings["values"]["of"]}
    return replace(before, heard_samples=heard_samples, prompt=str(settings["prompt"]), values=values)
