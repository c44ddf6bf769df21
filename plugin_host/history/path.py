"""What is heard from the root of the tree to a place in it: stretches, end to end.

root   |--- bars 1 to 8 -----------|
child             |--- bars 5 to 12 ------------|
path   |- root ---|- child ----|   head: the child, up to bar 10
"""

from __future__ import annotations

from dataclasses import dataclass

from plugin_host.history.errors import HistoryError
from plugin_host.history.history import History
from plugin_host.history.node import Node


@dataclass(frozen=True)
class Piece:
    """Bars `start_bar` to before `stop_bar` of a node; `joined`: the music before is another take's."""

    node: Node
    start_bar: int
    stop_bar: int
    joined: bool = False


def path_to(history: History, number: int, bar: int = 0) -> list[Piece]:
    """The pieces from the root to a node, up to `bar` in it; 0: to its end. HistoryError.  [any]"""
    node = history.node(number)
    stop = bar or node.end_bar
    if not node.start_bar < stop <= node.end_bar:
        raise HistoryError(f"take {number} has bars {node.start_bar + 1} to {node.end_bar}, not up to bar {stop}")
    pieces: list[Piece] = []
    while True:
        pieces.append(Piece(node, node.start_bar, stop, bool(node.source)))
        if not node.parent:
            return pieces[::-1]
        before = history.node(node.parent)
        if before.number >= node.number or not before.start_bar < node.start_bar <= before.end_bar:
            raise HistoryError(f"take {node.number} does not follow take {before.number}: the history is damaged")
        node, stop = before, node.start_bar


def ancestors(history: History, number: int) -> set[int]:
    """The numbers of a node and of all before it.  [any]"""
    return {piece.node.number for piece in path_to(history, number)}
