"""Whether a session is whole: its database, the tree, and the files that it names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from plugin_host.history.errors import HistoryError
from plugin_host.history.files import checksum, inside, is_there, reference_name
from plugin_host.history.history import History
from plugin_host.history.path import path_to


def faults_of(history: History) -> Iterator[str]:
    """A line for each fault; reads all files.  [any]"""
    try:
        for row in history.connection.execute("PRAGMA integrity_check(8)"):
            if row[0] != "ok":
                yield f"{history.path}: {row[0]}"
        nodes = history.nodes()
    except (sqlite3.Error, HistoryError) as error:
        yield str(error)
        return
    for node in nodes:
        try:
            path_to(history, node.number)
        except HistoryError as error:
            yield str(error)
        if node.file:
            yield from _fault(history, node.number, node.file, node.file_sha256)
    for sha256 in sorted({each.sha256 for node in nodes for each in node.references}):
        try:
            yield from _fault(history, 0, reference_name(sha256), sha256)
        except HistoryError as error:
            yield str(error)


def _fault(history: History, number: int, name: str, sha256: str) -> Iterator[str]:
    who = f"take {number}: " if number else ""
    if not is_there(history.folder, name):
        yield f"{who}{name} is not there any more" + (": it can be made again" if number else "")
    elif checksum(inside(history.folder, name)) != sha256:
        yield f"{who}{name} has changed since it was made"
