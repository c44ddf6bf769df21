"""Strict reading of a safetensors header, and of foreign JSON: input that is costly to parse is refused first.

    python -I -S header.py < FILE      the child that `header_apart` starts: a line of JSON, the header or its fault

Only the standard library is used, so that the child starts in about 20 ms and a file can reach nothing else. It has
limits on memory and time, writes nothing, and gets the file's open descriptor, so that a replaced path makes no
difference.
"""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import dataclass
from typing import Any

MAX_HEADER_BYTES = 4 << 20
MAX_TENSORS = 20_000
MAX_DIMENSIONS = 8
MAX_DIGITS = 64
MAX_COMMAS = 16 * MAX_TENSORS
MEMORY_BYTES = 512 << 20
CPU_SECONDS = 20
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class HeaderFault(Exception):
    """A header's fault, without the file's name.  [any]"""


@dataclass(frozen=True)
class Header:
    """`tensors`: name to (type, shape, first byte in the data), in that order; `data_at` is where the data begins."""

    tensors: dict[str, tuple[str, list[int], int]]
    metadata: dict[str, str]
    data_at: int
    file_bytes: int

    @property
    def n_parameters(self) -> int:
        """Elements of all tensors.  [any]"""
        return sum(math.prod(shape) for _, shape, _ in self.tensors.values())


def strict_json(text: bytes | str) -> Any:
    """Parse JSON in limited time and memory: no key twice, no number of thousands of digits.

    Raises ValueError, RecursionError among them.  [any]
    """
    commas = text.count(b",") if isinstance(text, bytes) else text.count(",")
    if commas > MAX_COMMAS:
        raise ValueError(f"{commas} values, the limit is {MAX_COMMAS}")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_int=_short)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _short(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits, the limit is {MAX_DIGITS}")
    return int(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise HeaderFault(f"it has '{twice[:200]}' twice")
    return found


def read_here(descriptor: int) -> Header:
    """The header of an open file, checked up to the last byte; HeaderFault names the invalid tensor.  [any]"""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, 0, os.SEEK_SET)
    length = int.from_bytes(_exactly(descriptor, 8), "little")
    if size < 8 or not 2 <= length <= size - 8:
        raise HeaderFault(f"a header of {length} bytes in a file of {size} (cut short?)")
    if length > MAX_HEADER_BYTES:
        raise HeaderFault(f"a header of {length} bytes, the limit is {MAX_HEADER_BYTES}")
    table = _table(_exactly(descriptor, length))
    metadata = _metadata(table.pop("__metadata__", {}))
    begins = _check_layout(table, size - 8 - length)
    tensors = {name: (table[name]["dtype"], table[name]["shape"], at) for name, at in begins.items()}
    return Header(tensors, metadata, 8 + length, size)


def _exactly(descriptor: int, count: int) -> bytes:
    parts = b""
    while len(parts) < count and (part := os.read(descriptor, count - len(parts))):
        parts += part
    return parts


def _table(text: bytes) -> dict[str, Any]:
    """The header as a dict; text that is costly to parse is refused first."""
    if text.count(b"data_offsets") > MAX_TENSORS or text.count(b"[") > 4 * MAX_TENSORS:
        raise HeaderFault(f"more than {MAX_TENSORS} tensors in the header, which is the limit")
    try:
        header = strict_json(text)
    except (ValueError, RecursionError) as fault:
        raise HeaderFault(f"the safetensors header is not JSON: {fault}") from fault
    if not isinstance(header, dict):
        raise HeaderFault(f"the safetensors header is a {type(header).__name__}, must be an object")
    if len(header) > MAX_TENSORS:
        raise HeaderFault(f"{len(header)} tensors in the header, the limit is {MAX_TENSORS}")
    return header


def _metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise HeaderFault("the header's __metadata__ must hold text only")
    return value


def _check_layout(header: dict[str, Any], data_bytes: int) -> dict[str, int]:
    """Check where each tensor begins in the data; HeaderFault names a misplaced tensor."""
    spans = sorted((*_span(name, entry), name) for name, entry in header.items())
    at = 0
    for begin, end, name in spans:
        if begin != at:
            fault = "overlaps the tensor before it" if begin < at else "leaves a gap before it"
            raise HeaderFault(f"tensor '{name[:200]}' {fault} (byte {begin}, must be {at})")
        at = end
    if at != data_bytes:
        raise HeaderFault(f"damaged or cut short: {data_bytes} bytes of tensors, the header has {at}")
    return {name: begin for begin, _, name in spans}


def _span(name: str, entry: Any) -> tuple[int, int]:
    """First and last byte of a tensor, with its entry checked."""
    where = f"tensor '{name[:200]}'"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise HeaderFault(f"{where} must have dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise HeaderFault(f"{where} is of type {str(dtype)[:40]!r}, known are {', '.join(ITEM_BYTES)}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not _whole(shape):
        raise HeaderFault(f"{where} has a shape that no tensor has: {str(shape)[:80]}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not _whole(offsets):
        raise HeaderFault(f"{where} has data_offsets {str(offsets)[:80]}, must be two whole numbers")
    n_bytes = math.prod(shape) * ITEM_BYTES[dtype]
    if offsets[1] - offsets[0] != n_bytes:
        raise HeaderFault(f"{where} has {offsets[1] - offsets[0]} bytes, its shape {shape} needs {n_bytes}")
    return offsets[0], offsets[1]


def _whole(numbers: list[Any]) -> bool:
    return all(type(number) is int and 0 <= number < 1 << 48 for number in numbers)


def _limit_this_process() -> None:
    """Limit memory, processor time and the size of written files, if the system can."""
    try:
        import resource
    except ImportError:  # Windows: the parent's time limit remains
        return
    limits = [(resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_CORE, 0)]
    for kind, value in [*limits, (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, MEMORY_BYTES)]:
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):  # macOS refuses RLIMIT_AS
            continue


def main() -> None:
    """Read standard input as a safetensors file; prints its header as a line of JSON.  [main]"""
    _limit_this_process()
    try:
        header = read_here(0)
        answer: dict[str, Any] = vars(header)
    except HeaderFault as fault:
        answer = {"error": str(fault)}
    except (OSError, MemoryError, RecursionError) as fault:
        answer = {"error": f"{type(fault).__name__}: {fault}"[:500]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
