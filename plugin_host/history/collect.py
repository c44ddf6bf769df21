"""Garbage collection: what the user's rule names is removed, and nothing that is kept or still needed.

Never removed: kept takes, the path to the head, and what comes before a take that stays. Rows go first, in one
transaction; then the files that no row names.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

from plugin_host.history.database import faults, transaction
from plugin_host.history.files import REFERENCES, inside, is_there
from plugin_host.history.head import head
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.path import ancestors

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Rule:
    """What may go: discarded takes; with `unrated` also those that are not rated, with `rated_below` those rated lower.

    Only takes made `older_days` ago or longer. `files_only` keeps the takes in the tree with their recipes and codes,
    and removes their files; they can be made again.
    """

    unrated: bool = False
    rated_below: int = 0
    older_days: float = 0.0
    files_only: bool = False

    def names(self, node: Node, now_seconds: float) -> bool:
        """Whether the rule names a node.  [any]"""
        wanted = node.discarded or (self.unrated and not node.rating) or 0 < node.rating < self.rated_below
        return wanted and not node.kept and now_seconds - node.made_at >= self.older_days * DAY_SECONDS


@dataclass(frozen=True)
class Removal:
    """What goes: nodes, files by their names in the session, and their size."""

    nodes: tuple[Node, ...]
    files: tuple[str, ...]
    n_bytes: int


def find(history: History, rule: Rule, now_seconds: float | None = None) -> Removal:
    """What the rule would remove now.  [any]"""
    now_seconds = time.time() if now_seconds is None else now_seconds
    nodes = {node.number: node for node in history.nodes()}
    needed: set[int] = set()
    here = head(history).node
    for node in nodes.values():
        if node.number == here or not rule.names(node, now_seconds):
            needed |= {node.source} | ancestors(history, node.number)
    gone = tuple(node for node in nodes.values() if node.number not in needed)
    stays = [node for node in nodes.values() if node.number in needed]
    names = ({node.file for node in gone} if rule.files_only else _used(gone) | _left_behind(history)) - _used(stays)
    files = tuple(sorted(name for name in names if name and is_there(history.folder, name)))
    return Removal(gone, files, sum(inside(history.folder, name).stat().st_size for name in files))


def collect(history: History, rule: Rule, now_seconds: float | None = None) -> Removal:
    """Remove what the rule names; returns it. HistoryNotWritten, and then nothing is removed.  [any]"""
    found = find(history, rule, now_seconds)
    with faults(history.path), transaction(history.connection):
        run = history.connection.execute
        for node in reversed(found.nodes):
            if rule.files_only:
                run("UPDATE node SET file = '', file_sha256 = '' WHERE number = ?", (node.number,))
            else:
                run("DELETE FROM reference WHERE node = ?", (node.number,))
                run("DELETE FROM node WHERE number = ?", (node.number,))
        if not rule.files_only:
            _forget_moves(history)
    with faults(history.path), transaction(history.connection):
        used = _used(history.nodes())  # another process may have added takes with the same references
        for name in set(found.files) - used:
            with contextlib.suppress(OSError):  # it stays behind, named by no row
                inside(history.folder, name).unlink()
    return found


def _used(nodes: Iterable[Node]) -> set[str]:
    """The files that nodes name."""
    return {name for node in nodes
            for name in (node.file, *(f"{REFERENCES}/{each.sha256}.flac" for each in node.references))}  # fmt: skip


def _left_behind(history: History) -> set[str]:
    """References of an earlier garbage collection that was ended: old files that no node names."""
    old = time.time() - DAY_SECONDS
    found = (history.folder / REFERENCES).glob("*.flac")
    return {f"{REFERENCES}/{path.name}" for path in found if path.lstat().st_mtime < old} - _used(history.nodes())


def _forget_moves(history: History) -> None:
    """Remove the head's moves to nodes that are gone; the others count up from 1 again."""
    run = history.connection.execute
    at = int(run("SELECT move FROM head").fetchone()[0])
    rows = run("SELECT number, node, bar FROM move WHERE node = 0 OR node IN (SELECT number FROM node) ORDER BY number")
    left = [tuple(row) for row in rows.fetchall()]
    run("DELETE FROM move")
    for index, (_, node, bar) in enumerate(left, 1):
        run("INSERT INTO move VALUES (?, ?, ?)", (index, node, bar))
    run("UPDATE head SET move = ?", (sum(number <= at for number, _, _ in left),))
