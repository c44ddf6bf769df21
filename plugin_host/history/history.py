"""The tree of a session's takes. All of it on the thread that opened it; each change is on the disk when it returns."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from plugin_host.history.database import NAME, connect, faults, transaction
from plugin_host.history.errors import HistoryError, NoSuchNode
from plugin_host.history.files import checksum, inside, is_there, reference_name
from plugin_host.history.node import RATING_MAX, Node, Reference

RECIPE_BYTES_MAX = 2**20
_COLUMNS = tuple(each.name for each in fields(Node) if each.name != "references")
_STORED = tuple(name for name in _COLUMNS if name != "number")
_INSERT = f"INSERT INTO node ({', '.join(_STORED)}) VALUES ({', '.join('?' * len(_STORED))})"  # noqa: S608


class History:
    """The takes of one session; also a context manager.  [main], or another thread of its own"""

    def __init__(self, folder: Path, create: bool = False) -> None:
        """Open a session's history; `create`: make one where there is none. HistoryError, HistoryNotWritten."""
        self.folder = folder.absolute()
        self.path = self.folder / NAME
        self.connection = connect(self.folder, create)

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    # -- reading --------------------------------------------------------------------------------------

    def node(self, number: int) -> Node:
        """A node by its number; NoSuchNode."""
        rows = self.nodes("number = ?", (number,))
        if not rows:
            raise NoSuchNode(f"there is no take {number} in {self.folder}")
        return rows[0]

    def nodes(self, where: str = "1", values: Sequence[object] = ()) -> list[Node]:
        """The nodes of an SQL condition, oldest first."""
        with faults(self.path):
            rows = self.connection.execute(f"SELECT * FROM node WHERE {where} ORDER BY number", values).fetchall()  # noqa: S608
            return [self._from_row(row) for row in rows]

    def children(self, number: int) -> list[Node]:
        """The nodes that go on from a node; 0: those that begin a tree."""
        return self.nodes("parent IS NULL") if number == 0 else self.nodes("parent = ?", (number,))

    def batch(self, node: Node) -> list[Node]:
        """The takes of a node's order in its lane: A, B, C, ..."""
        return self.nodes("batch = ? AND lane = ? AND source IS NULL", (node.batch, node.lane))

    def find(self, words: str, lane: str = "") -> list[Node]:
        """The nodes whose prompt has all these words, in any case and order, best rated first."""
        wanted = words.casefold().split()
        found = [
            node for node in self.nodes("lane = ?" if lane else "1", (lane,) if lane else ())
            if all(word in node.prompt.casefold() for word in wanted)
        ]  # fmt: skip
        return sorted(found, key=lambda node: (-node.rating, not node.kept, node.number))

    def has_file(self, node: Node) -> bool:
        """Whether a node's file is in the session."""
        return bool(node.file) and is_there(self.folder, node.file)

    # -- writing --------------------------------------------------------------------------------------

    def add(self, nodes: Iterable[Node], parent: int = 0) -> list[Node]:
        """Add the takes of one order after a node, all or none; returns them with their numbers.

        Their files and references must be in the session, flushed to the disk. HistoryError if they do not follow
        `parent` on one of its bar lines, or a file is missing.
        """
        before = self.node(parent) if parent else None
        with faults(self.path):
            ready = [self._checked(node, before) for node in nodes]
        with faults(self.path), transaction(self.connection):
            self._check_files(ready)  # now that no other process collects garbage
            batch = self.connection.execute("SELECT COALESCE(MAX(batch), 0) + 1 FROM node").fetchone()[0]
            return [self._insert(replace(node, batch=node.batch or batch)) for node in ready]

    def keep(self, numbers: Iterable[int], on: bool = True) -> list[Node]:
        """Keep nodes, so that nothing removes them; or no longer. A kept node is not discarded."""
        return self._mark(numbers, "kept = ?, discarded = discarded AND NOT ?", (int(on), int(on)))

    def discard(self, numbers: Iterable[int], on: bool = True) -> list[Node]:
        """Mark nodes as no longer wanted, or wanted again; nothing is removed. HistoryError for a kept one."""
        numbers = list(numbers)
        kept = [number for number in numbers if on and self.node(number).kept]
        if kept:
            raise HistoryError(f"take {kept[0]} is kept: say that it is not before it is discarded")
        return self._mark(numbers, "discarded = ?", (int(on),))

    def rate(self, numbers: Iterable[int], rating: int) -> list[Node]:
        """Rate nodes from 1 to 5; 0 removes the rating. HistoryError for other numbers."""
        if not 0 <= rating <= RATING_MAX:
            raise HistoryError(f"a rating is 1 to {RATING_MAX}, or 0 for none; got {rating}")
        return self._mark(numbers, "rating = ?", (rating,))

    def made_again(self, number: int, file: str) -> Node:
        """Name a node's file, after it was made again; also for nodes that have their music from it."""
        with faults(self.path):
            digest = checksum(inside(self.folder, file))
        same = [number, *(node.number for node in self.nodes("source = ?", (number,)))]
        return self._mark(same, "file = ?, file_sha256 = ?", (file, digest))[0]

    def _mark(self, numbers: Iterable[int], change: str, values: Sequence[object]) -> list[Node]:
        numbers = [self.node(number).number for number in numbers]
        with faults(self.path), transaction(self.connection):
            for number in numbers:
                self.connection.execute(f"UPDATE node SET {change} WHERE number = ?", (*values, number))  # noqa: S608
        return [self.node(number) for number in numbers]

    # -- rows -----------------------------------------------------------------------------------------

    def _checked(self, node: Node, before: Node | None) -> Node:
        if before is not None and node.grid != before.grid:
            raise HistoryError("a take goes on in the tempo, signature and sample rate of the one before it")
        if before is not None and not before.start_bar < node.start_bar <= before.end_bar:
            raise HistoryError(
                f"a take after number {before.number} begins on bar {before.start_bar + 2} to {before.end_bar + 1}, "
                f"got bar {node.start_bar + 1}"
            )
        self._check_files([node])
        if node.file and not node.file_sha256:
            node = replace(node, file_sha256=checksum(inside(self.folder, node.file)))
        return replace(node, parent=before.number if before else 0, made_at=node.made_at or time.time())

    def _check_files(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            names = [node.file] if node.file else []
            for name in (*names, *(reference_name(each.sha256) for each in node.references)):
                if not is_there(self.folder, name):
                    raise HistoryError(f"{name} is not in {self.folder}")

    def _insert(self, node: Node) -> Node:
        cursor = self.connection.execute(_INSERT, [_WRITE.get(name, _same)(getattr(node, name)) for name in _STORED])
        number = int(cursor.lastrowid or 0)
        for each in node.references:
            row = (number, each.role, each.sha256, each.bpm, each.start_beats, each.name)
            self.connection.execute("INSERT INTO reference VALUES (?, ?, ?, ?, ?, ?)", row)
        return replace(node, number=number)

    def _from_row(self, row: Any) -> Node:
        rows = self.connection.execute("SELECT * FROM reference WHERE node = ? ORDER BY rowid", (row["number"],))
        try:
            references = tuple(
                Reference(str(each["role"]), str(each["sha256"]), float(each["bpm"]), float(each["start_beats"]),
                          str(each["name"])) for each in rows
            )  # fmt: skip
            return Node(**{name: _READ.get(name, _same)(row[name]) for name in _COLUMNS}, references=references)
        except (ValueError, TypeError, OverflowError, zlib.error) as error:
            raise HistoryError(f"take {row['number']} in {self.path} is damaged: {error}") from None


def _same(value: Any) -> Any:
    return value


def _packed(recipe: Any) -> bytes:
    return zlib.compress(json.dumps(dict(recipe), separators=(",", ":"), allow_nan=False).encode(), 9)


def _unpacked(data: bytes) -> dict[str, object]:
    opened = zlib.decompressobj()
    text = opened.decompress(data, RECIPE_BYTES_MAX)
    if opened.unconsumed_tail:
        raise ValueError(f"its recipe is larger than {RECIPE_BYTES_MAX} bytes")
    table = json.loads(text)
    if not isinstance(table, dict):
        raise ValueError("its recipe is no table")
    return table


def _none_if_0(number: int) -> int | None:
    return number or None


def _0_if_none(number: int | None) -> int:
    return number or 0


_WRITE: dict[str, Callable[[Any], Any]] = {
    "parent": _none_if_0, "source": _none_if_0, "recipe": _packed, "kept": int, "discarded": int,
}  # fmt: skip
_READ: dict[str, Callable[[Any], Any]] = {
    "parent": _0_if_none, "source": _0_if_none, "recipe": _unpacked, "kept": bool, "discarded": bool,
    "tokens": bytes, "bpm": float, "made_at": float,
    **dict.fromkeys(("start_bar", "bars", "numerator", "denominator", "rate_hz", "number", "batch", "variation",
                     "seed", "file_start_bar", "rating"), int),
    **dict.fromkeys(("lane", "prompt", "model", "precision", "model_sha256", "file", "file_sha256"), str),
}  # fmt: skip
