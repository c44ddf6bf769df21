"""safetensors files, mapped into memory: what the header says is checked to the last byte, then tensors are views.

    8 bytes  length of the header, little-endian
    header   JSON: name -> {dtype, shape, data_offsets}, and __metadata__ of text
    data     tensors, one after the other, without gap or overlap, to the file's last byte

Nothing is read until a tensor is used, and pages that were read can be given back (`MappedFile.release`).
"""

from __future__ import annotations

import json
import math
import mmap
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import CheckpointError

MAX_HEADER_BYTES = 4 << 20
MAX_TENSORS = 20_000
MAX_DIMENSIONS = 8
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class MappedFile:
    """One open file: `tensors` by name (views of the mapping, private to this process) and `metadata`.

    Raises CheckpointError when the file cannot be opened or anything in its header is not as it must be.  [any]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(0)
                length = int.from_bytes(file.read(8), "little")
                if size < 8 or not 2 <= length <= size - 8:
                    raise CheckpointError(f"{path}: a header of {length} bytes in a file of {size} (cut short?)")
                if length > MAX_HEADER_BYTES:
                    raise CheckpointError(f"{path}: a header of {length} bytes, the limit is {MAX_HEADER_BYTES}")
                header = _header(file.read(length), path)
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError) as fault:
            raise CheckpointError(f"cannot read {path}: {fault}") from fault
        self.metadata = _metadata(header.pop("__metadata__", {}), path)
        self.data_bytes = size - 8 - length
        begins = _check_layout(header, self.data_bytes, path)
        self.tensors = {name: self._view(header[name], 8 + length + at) for name, at in begins.items()}

    def _view(self, entry: dict[str, Any], at: int) -> Tensor:
        dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
        count = math.prod(shape)
        if count == 0:
            return torch.empty(shape, dtype=dtype)
        if at % dtype.itemsize:
            copy = bytearray(self._map[at : at + count * dtype.itemsize])
            return torch.frombuffer(copy, dtype=dtype).view(shape)
        return torch.frombuffer(self._map, dtype=dtype, count=count, offset=at).view(shape)

    def release(self) -> None:
        """Give back the memory of what was read so far; it comes back from the file when it is used again.  [any]"""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise CheckpointError(f"the header has '{twice[:200]}' twice")
    return found


def _header(text: bytes, path: Path) -> dict[str, Any]:
    """The header as a dict; what would be costly to parse is refused before."""
    if text.count(b"data_offsets") > MAX_TENSORS or text.count(b"[") > 4 * MAX_TENSORS:
        raise CheckpointError(f"{path}: more than {MAX_TENSORS} tensors in the header, which is the limit")
    try:
        header = json.loads(text, object_pairs_hook=_once)
    except CheckpointError as fault:
        raise CheckpointError(f"{path}: {fault}") from None
    except (ValueError, RecursionError) as fault:
        raise CheckpointError(f"{path}: the safetensors header is not JSON: {fault}") from fault
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: the safetensors header is a {type(header).__name__}, must be an object")
    if len(header) > MAX_TENSORS:
        raise CheckpointError(f"{path}: {len(header)} tensors in the header, the limit is {MAX_TENSORS}")
    return header


def _metadata(value: Any, path: Path) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise CheckpointError(f"{path}: the header's __metadata__ must hold text only")
    return value


def _check_layout(header: dict[str, Any], data_bytes: int, path: Path) -> dict[str, int]:
    """Where each tensor begins in the data; CheckpointError names the tensor that is not where it should be."""
    spans = sorted((*_span(name, entry, path), name) for name, entry in header.items())
    at = 0
    for begin, end, name in spans:
        if begin != at:
            fault = "overlaps the tensor before it" if begin < at else "leaves a gap before it"
            raise CheckpointError(f"{path}: tensor '{name[:200]}' {fault} (byte {begin}, must be {at})")
        at = end
    if at != data_bytes:
        raise CheckpointError(f"{path} is damaged or cut short: {data_bytes} bytes of tensors, the header has {at}")
    return {name: begin for begin, _, name in spans}


def _span(name: str, entry: Any, path: Path) -> tuple[int, int]:
    """First and last byte of a tensor, its entry checked."""
    where = f"{path}: tensor '{name[:200]}'"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where} must have dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CheckpointError(f"{where} is of type {str(dtype)[:40]!r}, known are {', '.join(DTYPES)}")
    if not _whole(shape) or len(shape) > MAX_DIMENSIONS:
        raise CheckpointError(f"{where} has a shape that no tensor has: {str(shape)[:80]}")
    if not _whole(offsets) or len(offsets) != 2:
        raise CheckpointError(f"{where} has data_offsets {str(offsets)[:80]}, must be two whole numbers")
    n_bytes = math.prod(shape) * DTYPES[dtype].itemsize
    if offsets[1] - offsets[0] != n_bytes:
        raise CheckpointError(f"{where} has {offsets[1] - offsets[0]} bytes, its shape {shape} needs {n_bytes}")
    return offsets[0], offsets[1]


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and 0 <= number < 1 << 48 for number in numbers)
