"""A torch.save archive as tensors and plain data, checked before use.

NAME/data.pkl       the pickle: names and storages of tensors, the configuration
NAME/data/0 ...     raw storages, never compressed
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from engine.checkpoints.nodes import ITEM_BYTES, TensorEntry
from engine.checkpoints.pickle_reader import read_pickle
from engine.errors import CheckpointError

MAX_ENTRIES = 20_000
MAX_TENSORS = 20_000
MAX_PICKLE_BYTES = 32 << 20
MAX_STORAGE_BYTES = 1 << 29  # of a storage of which a tensor is only a part
PIECE_BYTES = 4 << 20
_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)


class TorchZip:
    """An open archive of torch.save; raises CheckpointError for content that torch does not write.  [any]"""

    def __init__(self, file: BinaryIO) -> None:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            self.archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as fault:
            raise CheckpointError(f"not a whole zip archive of torch.save (cut short?): {fault}") from fault
        self.entries = self._checked_entries(size)
        pickles = [name for name in self.entries if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise CheckpointError(f"the archive has {len(pickles)} data.pkl, must be 1")
        self.prefix = pickles[0][: -len("data.pkl")]

    def _checked_entries(self, size: int) -> dict[str, zipfile.ZipInfo]:
        infos = self.archive.infolist()
        if len(infos) > MAX_ENTRIES:
            raise CheckpointError(f"the archive has {len(infos)} entries, the limit is {MAX_ENTRIES}")
        entries = {info.filename: info for info in infos}
        if len(entries) != len(infos):
            raise CheckpointError("the archive has two entries of one name")
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise CheckpointError(f"entry '{info.filename}' is compressed or encrypted; torch never does that")
        if sum(info.file_size for info in infos) > size:
            raise CheckpointError("the archive claims more bytes than the file has")
        return entries

    def _read(self, name: str, limit: int) -> bytes:
        info = self.entries.get(name)
        if info is None:
            raise CheckpointError(f"the archive has no '{name}'")
        if info.file_size > limit:
            raise CheckpointError(f"'{name}' has {info.file_size} bytes, the limit is {limit}")
        try:
            return self.archive.read(info)
        except _DAMAGE as fault:
            raise CheckpointError(f"'{name}' in the archive is damaged: {fault}") from fault

    def value(self) -> dict[str, Any]:
        """The saved value: a dict of plain data and TensorEntry.  [any]"""
        order = self.prefix + "byteorder"
        if order in self.entries and self._read(order, 16) != b"little":
            raise CheckpointError("the file was written on a big-endian machine, which is not supported")
        value = read_pickle(self._read(self.prefix + "data.pkl", MAX_PICKLE_BYTES))
        if not isinstance(value, dict):
            raise CheckpointError(f"the file holds a {type(value).__name__}, must be a dict")
        return value

    def pieces(self, tensor: TensorEntry) -> Iterator[bytes]:
        """The tensor's elements in row-major order, little-endian, piece by piece.

        A tensor that is its whole storage is never held at once.  CheckpointError if the storage has another size or
        is damaged, which may be detected only after some pieces.  [any]
        """
        storage = tensor.storage
        item = ITEM_BYTES[storage.dtype]
        name, size = f"{self.prefix}data/{storage.key}", storage.count * item
        info = self.entries.get(name)
        if info is None:
            raise CheckpointError(f"the archive has no '{name}'")
        if info.file_size != size:
            raise CheckpointError(f"storage {storage.key} has {info.file_size} bytes, must have {size}")
        if 0 in tensor.shape:
            return
        if _is_whole(tensor):
            yield from self._stream(info)
            return
        flat = np.frombuffer(self._read(name, MAX_STORAGE_BYTES), dtype=f"<u{item}")[tensor.offset :]
        strides = [stride * item for stride in tensor.strides]
        yield np.lib.stride_tricks.as_strided(flat, tensor.shape, strides).tobytes()

    def _stream(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """An entry's bytes; the checksum is checked at its end."""
        left = info.file_size
        try:
            with self.archive.open(info) as file:
                while piece := file.read(PIECE_BYTES):
                    left -= len(piece)
                    yield piece
        except _DAMAGE as fault:
            raise CheckpointError(f"'{info.filename}' in the archive is damaged: {fault}") from fault
        if left:
            raise CheckpointError(f"'{info.filename}' in the archive is damaged: {left} bytes are missing")

    def raw(self, tensor: TensorEntry) -> bytes:
        """All of `pieces` as one.  [any]"""
        return b"".join(self.pieces(tensor))


def _is_whole(tensor: TensorEntry) -> bool:
    """Whether a tensor is its whole storage, row by row."""
    expected = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return tensor.offset == 0 and expected == tensor.storage.count


def tensors_of(value: dict[str, Any]) -> Iterator[tuple[str, TensorEntry]]:
    """Names and tensors of a flat state dict; anything else in it is refused.  [any]"""
    if len(value) > MAX_TENSORS:
        raise CheckpointError(f"{len(value)} tensors, the limit is {MAX_TENSORS}")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, TensorEntry):
            raise CheckpointError(f"state dict entry '{name}' is a {type(tensor).__name__}, must be a tensor")
        yield name, tensor
