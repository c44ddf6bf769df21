"""A session's history in words."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bridge.system.plain_text import plain
from plugin_host.history.head import Head, head, pieces
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.tokens import unpack

PROMPT_MAX = 40


def line_of(node: Node) -> str:
    """A node as a line of text.  [any]"""
    marks = [
        "*" * node.rating, "kept" if node.kept else "", "discarded" if node.discarded else "",
        f"{node.lane}" if node.lane else "", "live" if "live" in node.recipe else "",
        f"from take {node.source}" if node.source else "",
    ]  # fmt: skip
    prompt = plain(node.prompt)[:PROMPT_MAX]
    words = [
        f"{node.number:4}", f"{node.letter}", f"bars {node.start_bar + 1} to {node.end_bar}", f"seed {node.seed}",
        *(mark for mark in marks if mark), f'"{prompt}"' if prompt else "", plain(node.file) or "no file",
    ]  # fmt: skip
    return "  ".join(word for word in words if word)


def tree(history: History, discarded: bool = False) -> Iterator[str]:
    """All nodes as lines, children below their parents; `>` marks the head. Discarded ones only if asked for.  [any]"""
    nodes, here = history.nodes(), head(history)
    under: dict[int, list[Node]] = {}
    for node in nodes:
        under.setdefault(node.parent, []).append(node)
    waiting = [(node, 0) for node in reversed(under.get(0, []))]
    while waiting:
        node, depth = waiting.pop()
        if discarded or not node.discarded or node.number == here.node:
            yield f"{'>' if node.number == here.node else ' '}{'  ' * depth}{line_of(node)}"
        waiting += [(child, depth + 1) for child in reversed(under.get(node.number, []))]


def head_line(history: History, now: Head | None = None) -> str:
    """The head as a line of text.  [any]"""
    now = now or head(history)
    if not now.node:
        return "head: before all music"
    path = ", ".join(
        f"take {piece.node.number} bars {piece.start_bar + 1} to {piece.stop_bar}" for piece in pieces(history)
    )
    return f"head: after bar {now.bar} of take {now.node}; heard: {path}"


def describe(history: History, node: Node) -> Iterator[str]:
    """Everything about a node, as lines.  [any]"""
    yield line_of(node).strip()
    made = _time(node.made_at)
    meter = f"{node.numerator}/{node.denominator}"
    yield f"made {made}, {node.bpm:g} bpm, {meter}, {node.rate_hz} Hz, order {node.batch}"
    yield f"model: {plain(node.model)}, {plain(node.precision)}, weights {plain(node.model_sha256[:12]) or 'not known'}"
    yield f"after take {node.parent}" if node.parent else "begins a tree"
    followers = ", ".join(str(child.number) for child in history.children(node.number))
    if followers:
        yield f"takes that go on from it: {followers}"
    for each in node.references:
        yield f"reference: {plain(each.role)}, {plain(each.name)}, {each.bpm:g} bpm, from beat {each.start_beats:g}"
    if node.tokens:
        yield f"codes: {_codes(node.tokens)}, {len(node.tokens)} bytes"
    if not history.has_file(node):
        yield f"its file is not there: `segue takes again {node.number}` makes it again"


def _time(seconds: float) -> str:
    """A time since 1970 in words; a session may come from elsewhere."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "at a time beyond all calendars"


def _codes(tokens: bytes) -> str:
    try:
        codes, rate = unpack(tokens)
    except ValueError as error:
        return f"damaged ({error})"
    return f"{codes.shape[1]} frames of {codes.shape[0]}, {rate:g} a second"
