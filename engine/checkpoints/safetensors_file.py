"""safetensors files, mapped into memory: the header is checked up to the last byte, then tensors are views.

    8 bytes  length of the header, little-endian
    header   JSON: name -> {dtype, shape, data_offsets}, and __metadata__ of text
    data     tensors, one after the other, without gap or overlap, to the file's last byte

The header is read in a child process (`plain_file.header_apart`). Nothing of the data is read until a tensor is used,
and pages that were read can be given back (`MappedFile.release`).
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.header import Header
from engine.checkpoints.plain_file import header_apart, open_plain
from engine.errors import CheckpointError

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

    Raises CheckpointError if the file cannot be opened or its header is invalid.  [any]
    """

    def __init__(self, path: Path, read: Callable[[BufferedReader, Path], Header] = header_apart) -> None:
        self.path = path
        with open_plain(path) as file:
            header = read(file, path)
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except (OSError, ValueError) as fault:
                raise CheckpointError(f"cannot read {path}: {fault}") from fault
        if len(self._map) != header.file_bytes:
            raise CheckpointError(f"{path} changed while it was read")
        self.metadata = header.metadata
        begin, entries = header.data_at, header.tensors.items()
        self.tensors = {name: self._view(DTYPES[kind], shape, begin + at) for name, (kind, shape, at) in entries}

    def _view(self, dtype: torch.dtype, shape: list[int], at: int) -> Tensor:
        count = math.prod(shape)
        if count == 0:
            return torch.empty(shape, dtype=dtype)
        if at % dtype.itemsize:
            copy = bytearray(self._map[at : at + count * dtype.itemsize])
            return torch.frombuffer(copy, dtype=dtype).view(shape)
        return torch.frombuffer(self._map, dtype=dtype, count=count, offset=at).view(shape)

    def release(self) -> None:
        """Release the memory of pages read so far; they are read again on use.  [any]"""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
