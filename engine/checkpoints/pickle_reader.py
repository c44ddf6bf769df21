"""Reads a pickle as data: a small machine with few opcodes and few names, which calls nothing.

A pickle is a program. Python's own reader imports and calls any names in the file; this one never imports or
calls. A name must be in `NAMES` and only becomes a `Name`; building an object from a name only makes plain data
(see `nodes.py`). Everything else is refused, with its content and position.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from engine.checkpoints.nodes import Name, build, new, reduce, tensor_storage
from engine.errors import CheckpointError

MAX_OPCODES = 2_000_000
MAX_MEMO = 1_000_000
MAX_STRING_BYTES = 4 << 20

_MARK = object()


class _Cursor:
    """Bytes of the pickle and the position in them; reading past the end is an error, not short data."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            raise CheckpointError(f"pickle is cut short at byte {self.at}")
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 512)
        if end < 0:
            raise CheckpointError(f"pickle has a name without an end at byte {self.at}")
        text = self.take(end + 1 - self.at)[:-1]
        return _utf8(text)


def _utf8(piece: bytes) -> str:
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise CheckpointError("pickle holds text that is not UTF-8") from fault


class _Machine:
    """Stack, marks and memo of one reading."""

    def __init__(self, data: bytes) -> None:
        self.cursor = _Cursor(data)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise CheckpointError(f"pickle takes from an empty stack at byte {self.cursor.at}")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise CheckpointError(f"pickle reads an empty stack at byte {self.cursor.at}")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self.stack:
            item = self.stack.pop()
            if item is _MARK:
                items.reverse()
                return items
            items.append(item)
        raise CheckpointError(f"pickle has no mark at byte {self.cursor.at}")

    def remember(self, index: int) -> None:
        if len(self.memo) >= MAX_MEMO:
            raise CheckpointError(f"pickle remembers more than {MAX_MEMO} values")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise CheckpointError(f"pickle recalls value {index}, which was never stored")
        self.stack.append(self.memo[index])

    def text(self, length: int) -> None:
        if length > MAX_STRING_BYTES:
            raise CheckpointError(f"pickle holds a text of {length} bytes, the limit is {MAX_STRING_BYTES}")
        self.stack.append(_utf8(self.cursor.take(length)))


def _collect_tuple(machine: _Machine, count: int) -> None:
    items = [machine.pop() for _ in range(count)]
    machine.stack.append(tuple(reversed(items)))


def _long(machine: _Machine) -> None:
    length = machine.cursor.number("<B")
    if length > 8:
        raise CheckpointError(f"pickle holds an integer of {length} bytes, the limit is 8")
    machine.stack.append(int.from_bytes(machine.cursor.take(length), "little", signed=True))


def _is_scalar(value: Any) -> bool:
    return type(value) in (str, int, float, bool, type(None))


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.top()
    if type(target) is not dict or len(items) % 2:
        raise CheckpointError(f"pickle fills a {type(target).__name__} as if it were a dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not _is_scalar(key) and not (type(key) is tuple and all(map(_is_scalar, key))):
            raise CheckpointError(f"pickle uses a {type(key).__name__} as a key")
        target[key] = value


def _append(machine: _Machine, items: list[Any]) -> None:
    target = machine.top()
    if type(target) is not list:
        raise CheckpointError(f"pickle fills a {type(target).__name__} as if it were a list")
    target.extend(items)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, [key, value])


def _append_one(machine: _Machine) -> None:
    item = machine.pop()
    _append(machine, [item])


def _global(machine: _Machine) -> None:
    module = machine.cursor.line()
    machine.stack.append(Name.known(module, machine.cursor.line()))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(Name.known(module, name))


def _two(machine: _Machine, make: Callable[[Any, Any], Any]) -> None:
    second, first = machine.pop(), machine.pop()
    machine.stack.append(make(first, second))


def _persistent(machine: _Machine) -> None:
    machine.stack.append(tensor_storage(machine.pop()))


def _proto(machine: _Machine) -> None:
    version = machine.cursor.number("<B")
    if not 2 <= version <= 5:
        raise CheckpointError(f"pickle protocol {version}, known are 2 to 5")


_Step = Callable[[_Machine], None]

_OPCODES: dict[int, _Step] = {
    0x80: _proto,
    0x95: lambda m: (m.cursor.number("<Q"), None)[1],  # FRAME: only a length
    ord("("): lambda m: m.stack.append(_MARK),
    ord("0"): lambda m: (m.pop(), None)[1],
    ord("N"): lambda m: m.stack.append(None),
    0x88: lambda m: m.stack.append(True),
    0x89: lambda m: m.stack.append(False),
    ord("K"): lambda m: m.stack.append(m.cursor.number("<B")),
    ord("M"): lambda m: m.stack.append(m.cursor.number("<H")),
    ord("J"): lambda m: m.stack.append(m.cursor.number("<i")),
    0x8A: _long,
    ord("G"): lambda m: m.stack.append(m.cursor.number(">d")),
    ord("X"): lambda m: m.text(m.cursor.number("<I")),
    0x8C: lambda m: m.text(m.cursor.number("<B")),
    0x8D: lambda m: m.text(m.cursor.number("<Q")),
    ord("}"): lambda m: m.stack.append({}),
    ord("]"): lambda m: m.stack.append([]),
    ord(")"): lambda m: m.stack.append(()),
    0x85: lambda m: _collect_tuple(m, 1),
    0x86: lambda m: _collect_tuple(m, 2),
    0x87: lambda m: _collect_tuple(m, 3),
    ord("t"): lambda m: m.stack.append(tuple(m.pop_to_mark())),
    ord("l"): lambda m: m.stack.append(m.pop_to_mark()),
    ord("s"): _set_item,
    ord("u"): lambda m: _set_items(m, m.pop_to_mark()),
    ord("a"): _append_one,
    ord("e"): lambda m: _append(m, m.pop_to_mark()),
    ord("q"): lambda m: m.remember(m.cursor.number("<B")),
    ord("r"): lambda m: m.remember(m.cursor.number("<I")),
    0x94: lambda m: m.remember(len(m.memo)),
    ord("h"): lambda m: m.recall(m.cursor.number("<B")),
    ord("j"): lambda m: m.recall(m.cursor.number("<I")),
    ord("c"): _global,
    0x93: _stack_global,
    ord("Q"): _persistent,
    ord("R"): lambda m: _two(m, reduce),
    0x81: lambda m: _two(m, new),
    ord("b"): lambda m: _two(m, build),
}


def read_pickle(data: bytes) -> Any:
    """The value of a pickle as plain data, with tensors as `TensorEntry`.

    Raises CheckpointError for an opcode or name that is not on the list, for truncated data and for data beyond the
    limits.  [any]
    """
    machine = _Machine(data)
    for _ in range(MAX_OPCODES):
        at = machine.cursor.at
        opcode = machine.cursor.number("<B")
        if opcode == ord("."):
            if len(machine.stack) != 1:
                raise CheckpointError(f"pickle ends with {len(machine.stack)} values, must be 1")
            return machine.top()
        step = _OPCODES.get(opcode)
        if step is None:
            raise CheckpointError(f"pickle opcode 0x{opcode:02x} at byte {at} is not allowed")
        step(machine)
    raise CheckpointError(f"pickle has more than {MAX_OPCODES} steps")
