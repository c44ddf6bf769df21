"""Writes files in the layouts of torch.save and safetensors, tensor by tensor, without holding a tensor in memory.

Only for checkpoints made of random numbers (`make_random.py`); the pickle is written opcode by opcode.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bridge.system.whole_file import put, writing
from engine.checkpoints.nodes import ITEM_BYTES, STORAGES

_STORAGE_OF = {dtype: name for name, dtype in STORAGES.items()}
_SAFETENSORS_BLOCK = 8


@dataclass(frozen=True)
class TensorSpec:
    """A tensor to be written: name, element type by its safetensors name, shape.  [any]"""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Its size."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


class TensorPieces:
    """Yields the bytes of a tensor, a few megabytes at a time."""

    def __call__(self, spec: TensorSpec) -> Iterator[bytes]:
        """The elements in row-major order, little-endian.  [any]"""
        raise NotImplementedError


class _Pickle:
    """A pickle of protocol 2, written value by value. `omegaconf` wraps dicts and lists as configuration objects."""

    def __init__(self) -> None:
        self.out = bytearray(b"\x80\x02")
        self._memo = 0
        self._storages = 0

    def text(self, value: str) -> None:
        data = value.encode()
        self.out += b"X" + struct.pack("<I", len(data)) + data

    def name(self, module: str, name: str) -> None:
        self.out += f"c{module}\n{name}\n".encode()

    def value(self, value: Any) -> None:
        """None, numbers, text, lists, dicts."""
        if value is None:
            self.out += b"N"
        elif isinstance(value, bool):
            self.out += b"\x88" if value else b"\x89"
        elif isinstance(value, int):
            self.out += b"\x8a\x08" + value.to_bytes(8, "little", signed=True)
        elif isinstance(value, float):
            self.out += b"G" + struct.pack(">d", value)
        elif isinstance(value, str):
            self.text(value)
        elif isinstance(value, tuple):
            self.out += b"("
            for item in value:
                self.value(item)
            self.out += b"t"
        elif isinstance(value, list):
            self.out += b"]("
            for item in value:
                self.value(item)
            self.out += b"e"
        else:
            self.pairs(value)

    def pairs(self, value: dict[str, Any]) -> None:
        self.out += b"}("
        for key, item in value.items():
            self.text(key)
            self.value(item)
        self.out += b"u"

    def tensor(self, spec: TensorSpec) -> None:
        """A tensor that is its whole storage, as torch's rebuild call."""
        strides = tuple(math.prod(spec.shape[at + 1 :]) for at in range(len(spec.shape)))
        self.name("torch._utils", "_rebuild_tensor_v2")
        self.out += b"(("
        self.text("storage")
        self.name("torch", _STORAGE_OF[spec.dtype])
        self.text(str(self._storages))
        self.text("cpu")
        self.value(math.prod(spec.shape))
        self.out += b"tQ"
        for part in (0, spec.shape, strides, False):
            self.value(part)
        self.name("collections", "OrderedDict")
        self.out += b")RtR"
        self._storages += 1

    def omegaconf(self, value: Any, key: str | None = None, parent: int | None = None) -> None:
        """A configuration as OmegaConf's own objects."""
        if not isinstance(value, (dict, list)):
            self._node("omegaconf.nodes", "AnyNode", parent)
            self._metadata("Metadata", key)
            self.text("_val")
            self.value(value)
            self.out += b"ub"
            return
        mapping = isinstance(value, dict)
        kind = "Dict" if mapping else "List"
        here = self._node(f"omegaconf.{kind.lower()}config", f"{kind}Config", parent)
        self._metadata("ContainerMetadata", key)
        self.text("_content")
        self.out += b"}(" if mapping else b"]("
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            if mapping:
                self.text(str(name))
            self.omegaconf(item, str(name) if mapping else None, here)
        self.out += b"u" if mapping else b"e"
        self.out += b"ub"

    def _node(self, module: str, name: str, parent: int | None) -> int:
        """Open an object and its state; returns its memo index."""
        self.name(module, name)
        self.out += b")\x81r" + struct.pack("<I", self._memo)
        here, self._memo = self._memo, self._memo + 1
        self.out += b"}("
        self.text("_parent")
        self.out += b"N" if parent is None else b"j" + struct.pack("<I", parent)
        self.text("_flags_cache")
        self.out += b"N"
        return here

    def _metadata(self, kind: str, key: str | None) -> None:
        self.text("_metadata")
        self.name("omegaconf.base", kind)
        self.out += b")\x81}("
        state: dict[str, Any] = {"optional": True, "key": key, "flags": {}, "flags_root": False}
        for name, value in state.items():
            self.text(name)
            self.value(value)
        for name in ("ref_type", "object_type"):
            self.text(name)
            self.name("typing", "Any")
        self.out += b"ub"


def write_torch(
    path: Path, tensors: Sequence[TensorSpec], pieces: TensorPieces, rest: dict[str, Any], nodes: bool = False
) -> None:
    """A torch.save file: {"best_state": tensors, **rest}, or the tensors alone if `rest` is empty.

    `nodes`: "xp.cfg" as OmegaConf's objects instead of text.  [any]
    """
    pickle = _Pickle()
    pickle.out += b"}("
    if rest:
        pickle.text("best_state")
        pickle.out += b"}("
    for spec in tensors:
        pickle.text(spec.name)
        pickle.tensor(spec)
    pickle.out += b"u" if rest else b""
    for key, value in rest.items():
        pickle.text(key)
        if nodes and key == "xp.cfg":
            pickle.omegaconf(value)
        else:
            pickle.value(value)
    pickle.out += b"u."
    with writing(path) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(f"{path.stem}/data.pkl", bytes(pickle.out))
        archive.writestr(f"{path.stem}/byteorder", b"little")
        for index, spec in enumerate(tensors):
            with archive.open(zipfile.ZipInfo(f"{path.stem}/data/{index}"), "w", force_zip64=True) as file:
                for piece in pieces(spec):
                    file.write(piece)
        archive.writestr(f"{path.stem}/version", b"3\n")


def write_safetensors(path: Path, tensors: Sequence[TensorSpec], pieces: TensorPieces) -> None:
    """A safetensors file.  [any]"""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for spec in tensors:
        end = at + spec.n_bytes
        header[spec.name] = {"dtype": spec.dtype, "shape": list(spec.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _SAFETENSORS_BLOCK)
    with writing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        _write_all(file, tensors, pieces)


def _write_all(file: IO[bytes], tensors: Sequence[TensorSpec], pieces: TensorPieces) -> None:
    for spec in tensors:
        for piece in pieces(spec):
            file.write(piece)


def write_shards(folder: Path, tensors: Sequence[TensorSpec], pieces: TensorPieces, shard_bytes: int) -> None:
    """model.safetensors, or shards of at most `shard_bytes` with their index.  [any]"""
    groups: list[list[TensorSpec]] = [[]]
    for spec in tensors:
        if groups[-1] and sum(one.n_bytes for one in groups[-1]) + spec.n_bytes > shard_bytes:
            groups.append([])
        groups[-1].append(spec)
    if len(groups) == 1:
        write_safetensors(folder / "model.safetensors", tensors, pieces)
        return
    where: dict[str, str] = {}
    for number, group in enumerate(groups, 1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        write_safetensors(folder / name, group, pieces)
        where |= {spec.name: name for spec in group}
    total = sum(spec.n_bytes for spec in tensors)
    index = {"metadata": {"total_size": total}, "weight_map": where}
    put(folder / "model.safetensors.index.json", json.dumps(index, indent=1).encode())
