"""Answers to messages about a session's history, on the thread that calls `answer`; see history_rows.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.control import history_rows as rows
from bridge.control.arguments import Message, Value
from bridge.errors import UnknownAddress
from plugin_host.history import head
from plugin_host.history.errors import HistoryError
from plugin_host.history.files import inside
from plugin_host.history.head import Head
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.history.path import path_to
from plugin_host.takes.join import export
from plugin_host.takes.live import with_files
from plugin_host.takes.live_order import check_journal
from plugin_host.takes.names import cut

LIST_CHARACTERS_MAX = 900
PROMPT_BYTES, PATH_BYTES_MAX = 200, 700  # so that the answer stays under 1,400
Values = Mapping[str, Value]
Answer = tuple[object, ...]
ROWS: dict[str, Message] = {row.address: row for row in rows.TAKES_REQUESTS}


def answer(session: Path, row: Message, values: Values, order: Callable[[Values], None]) -> Answer:
    """Do a request of `ROWS`, and return the values of its answer; `order` gets one for more takes.

    HistoryError, OutputError, UnknownAddress, RenderError, TakeError.  [any]
    """
    if row is rows.TAKES_EXTEND:
        with History(session) as history:
            if not head.head(history).node:
                raise HistoryError("there is no music before this to go on from: make a take first")
        order(values)
        return ()
    if row is rows.TAKES_LIVE:
        check_journal(values)
        order(values)
        return ()
    with History(session, create=True) as history:
        return _HANDLERS[row.address](history, values)


def _whole(values: Values, name: str) -> int:
    return int(str(values[name]))


def _list(history: History, values: Values) -> Answer:
    numbers = [node.number for node in history.find(str(values["find"]))]
    after = _whole(values, "after")
    left = numbers[numbers.index(after) + 1 :] if after in numbers else numbers
    text = " ".join(map(str, left))
    if len(text) > LIST_CHARACTERS_MAX:
        text = text[: text.rindex(" ", 0, LIST_CHARACTERS_MAX)]
    return len(numbers), text


def _node(history: History, values: Values) -> Answer:
    return _row(history, history.node(_whole(values, "take")))


def _row(history: History, node: Node) -> Answer:
    path = str(inside(history.folder, node.file)) if history.has_file(node) else ""
    path = path if len(path.encode("utf-8", "replace")) <= PATH_BYTES_MAX else ""
    return (
        node.number, node.parent, node.batch, node.letter, node.lane[:64], node.start_bar, node.bars, node.bpm,
        max(0, node.seed), node.rating, int(node.kept), int(node.discarded),
        cut(node.prompt, PROMPT_BYTES, PROMPT_BYTES), path,
    )  # fmt: skip


def _head(now: Head) -> Answer:
    return now.node, now.bar, int(now.can_undo), int(now.can_redo)


def _switch(history: History, values: Values) -> Answer:
    head.switch(history, str(values["letter"]), _whole(values, "bar"))
    return _head(head.head(history))


def _export(history: History, values: Values) -> Answer:
    path, number = Path(str(values["path"])), _whole(values, "take")
    if not path.is_absolute():
        raise UnknownAddress(f"{str(path)!r} is not a full path")
    pieces = path_to(history, number) if number else head.pieces(history)
    export(history, with_files(history, pieces, lambda line: None), path)
    return (pieces[-1].stop_bar - pieces[0].start_bar,)


def _marked(change: Callable[[History, Values], object]) -> Callable[[History, Values], Answer]:
    def handler(history: History, values: Values) -> Answer:
        change(history, values)
        return ()

    return handler


_HANDLERS: dict[str, Callable[[History, Values], Answer]] = {
    rows.TAKES_LIST.address: _list,
    rows.TAKES_NODE.address: _node,
    rows.TAKES_HEAD.address: lambda history, values: _head(head.head(history)),
    rows.TAKES_GO.address: lambda history, values: _head(
        head.go(history, _whole(values, "take"), _whole(values, "bar"))
    ),
    rows.TAKES_REWIND.address: lambda history, values: _head(head.rewind(history, _whole(values, "bars"))),
    rows.TAKES_UNDO.address: lambda history, values: _head(head.undo(history)),
    rows.TAKES_REDO.address: lambda history, values: _head(head.redo(history)),
    rows.TAKES_SWITCH.address: _switch,
    rows.TAKES_EXPORT.address: _export,
    rows.TAKES_KEEP.address: _marked(
        lambda history, values: history.keep([_whole(values, "take")], bool(values["on"]))
    ),
    rows.TAKES_DISCARD.address: _marked(
        lambda history, values: history.discard([_whole(values, "take")], bool(values["on"]))
    ),
    rows.TAKES_RATE.address: _marked(
        lambda history, values: history.rate([_whole(values, "take")], _whole(values, "rating"))
    ),
}
