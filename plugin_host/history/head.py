"""The head: the place in the tree where the music goes on. Every move of it can be undone and redone.

moves   1: take 3    2: take 3, up to bar 6    3: take 7    4: take 8
                                                 ^ head      ^ redo leads here; another move replaces it
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from plugin_host.history.database import faults, transaction
from plugin_host.history.errors import HistoryError
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.path import Piece, path_to


@dataclass(frozen=True)
class Head:
    """A node, and the bar of the song (from 0) before which its music ends; node 0: before all music."""

    node: int = 0
    bar: int = 0
    can_undo: bool = False
    can_redo: bool = False


def head(history: History) -> Head:
    """The head of a session.  [any]"""
    with faults(history.path):
        at = int(history.connection.execute("SELECT move FROM head").fetchone()[0])
        row = history.connection.execute("SELECT node, bar FROM move WHERE number = ?", (at,)).fetchone()
        later = history.connection.execute("SELECT 1 FROM move WHERE number > ? LIMIT 1", (at,)).fetchone()
        node, bar = (int(row["node"]), int(row["bar"])) if row else (0, 0)
    return Head(node, bar, at > 0, later is not None)


def pieces(history: History) -> list[Piece]:
    """The path to the head; empty before all music.  [any]"""
    now = head(history)
    return path_to(history, now.node, now.bar) if now.node else []


def go(history: History, number: int, bar: int = 0) -> Head:
    """Move the head to a node, up to `bar` in it (0: its end); node 0: before all music. HistoryError.  [any]"""
    if number:
        bar = path_to(history, number, bar)[-1].stop_bar
    with faults(history.path), transaction(history.connection):
        run = history.connection.execute
        at = int(run("SELECT move FROM head").fetchone()[0])
        run("DELETE FROM move WHERE number > ?", (at,))
        run("INSERT INTO move VALUES (?, ?, ?)", (at + 1, number, bar if number else 0))
        run("UPDATE head SET move = ?", (at + 1,))
    return head(history)


def rewind(history: History, bars: int) -> Head:
    """Move the head back by a number of bars, along its path; further than the beginning: before all music.  [any]"""
    if bars < 1:
        raise HistoryError(f"rewind by at least one bar, got {bars}")
    path = pieces(history)
    if not path:
        raise HistoryError("there is no music before this: nothing to rewind")
    bar = path[-1].stop_bar - bars
    for piece in reversed(path):
        if piece.start_bar < bar:
            return go(history, piece.node.number, bar)
    return go(history, 0)


def undo(history: History) -> Head:
    """Take the last move back; HistoryError if there is none.  [any]"""
    return _shift(history, -1, "there is nothing to undo")


def redo(history: History) -> Head:
    """Do the move again that was undone; HistoryError if there is none.  [any]"""
    return _shift(history, 1, "there is nothing to redo")


def _shift(history: History, by: int, otherwise: str) -> Head:
    with faults(history.path), transaction(history.connection):
        run = history.connection.execute
        at = int(run("SELECT move FROM head").fetchone()[0]) + by
        if at < 0 or (by > 0 and run("SELECT 1 FROM move WHERE number = ?", (at,)).fetchone() is None):
            raise HistoryError(otherwise)
        run("UPDATE head SET move = ?", (at,))
    return head(history)


def switch(history: History, letter: str, bar: int = 0) -> Node:
    """Change over to another take of the head's order on a bar line; returns the node that is heard from there.

    `bar` counts from 0; 0, or the take's first: the whole take. Otherwise what is heard before `bar` stays, and a node
    with the other take's music from there on is added. HistoryError if there is no such take or bar.  [any]
    """
    path = pieces(history)
    if not path:
        raise HistoryError("there is no take at the head: go to one first")
    now = path[-1].node
    order = history.batch(history.node(now.source) if now.source else now)
    other = next((node for node in order if node.letter == letter.upper()), None)
    if other is None:
        raise HistoryError(f"there is no take {letter[:8]!r} here: there is {', '.join(each.letter for each in order)}")
    if bar == 0 or bar == other.start_bar:
        go(history, other.number)
        return other
    if not now.start_bar < bar < other.end_bar:
        raise HistoryError(
            f"take {other.letter} is reached on bars {now.start_bar + 2} to {other.end_bar}, got {bar + 1}"
        )
    joined = replace(
        other, number=0, source=other.number, start_bar=bar, bars=other.end_bar - bar, made_at=0.0, tokens=b"",
        rating=0, kept=False, discarded=False,
    )  # fmt: skip
    (added,) = history.add([joined], now.number)
    go(history, added.number)
    return added
