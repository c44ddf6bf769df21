"""The open files of one load: state dicts of a folder in any published form; releases their memory, reports progress.

model.safetensors                      one file
model.safetensors.index.json           shards, none missing or left over
pytorch_model.bin (or its shards)      pickles, only if there is nothing else: converted once (`cache.py`)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.checkpoints.cache import converted
from engine.checkpoints.plain_file import must_be_a_file, read_json
from engine.checkpoints.safetensors_file import MappedFile
from engine.checkpoints.weights import refuse
from engine.errors import CheckpointError

RELEASE_BYTES = 32 << 20
Report = Callable[[str, float, float], None]


class Opened:
    """The open files of one load. `cache_dir` holds converted pickles; `report(stage, done, total)` in bytes."""

    def __init__(self, cache_dir: Path | None = None, report: Report | None = None) -> None:
        self.cache_dir = cache_dir
        self.report: Report = report or (lambda stage, done, total: None)
        self._files: list[MappedFile] = []
        self._since_release = 0

    def safetensors(self, path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Tensors of one file (read on use), and its metadata; CheckpointError if it is damaged.  [any]"""
        must_be_a_file(path)
        file = MappedFile(path)
        self._files.append(file)
        return file.tensors, file.metadata

    def pickled(self, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain data of a torch.save file, converted through the cache; CheckpointError.  [any]"""
        must_be_a_file(path)
        tensors, metadata = self.safetensors(converted(path, self.cache_dir, self.report))
        return tensors, json.loads(metadata["other"])

    def folder(self, folder: Path) -> dict[str, Tensor]:
        """Tensors of a folder in transformers' layout, safetensors before pickles; CheckpointError.  [any]"""
        file = weights_file(folder)
        if not file.exists():
            raise CheckpointError(f"{folder} has neither model.safetensors nor pytorch_model.bin, whole or in shards")
        if file.suffix == ".json":
            return _shards(file, Path(file.name.removesuffix(".index.json")).suffix, self._tensors)
        return self._tensors(file)

    def _tensors(self, path: Path) -> dict[str, Tensor]:
        return (self.pickled(path) if path.suffix == ".bin" else self.safetensors(path))[0]

    def used(self, n_bytes: int) -> None:
        """Note that bytes were read and copied; releases their pages from time to time.  [any]"""
        self._since_release += n_bytes
        if self._since_release >= RELEASE_BYTES:
            self.release()

    def release(self) -> None:
        """Release all pages that were read from the files.  [any]"""
        self._since_release = 0
        for file in self._files:
            file.release()


def weights_file(folder: Path) -> Path:
    """The weights file of a folder in transformers' layout; model.safetensors if there is none.  [any]"""
    names = [f"{single}{end}" for single in ("model.safetensors", "pytorch_model.bin") for end in ("", ".index.json")]
    return next((folder / name for name in names if (folder / name).exists()), folder / names[0])


def shard_names(index: Path, ending: str) -> Mapping[str, str]:
    """File names by tensor from an index; CheckpointError for names that are not files beside it.  [any]"""
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(name, str) for name in where.values()):
        raise CheckpointError(f"{index} has no 'weight_map' from tensor to file name")
    for name in set(where.values()):
        if Path(name).name != name or "\\" in name or ":" in name or "\0" in name or not name.endswith(ending):
            raise CheckpointError(f"{index} names the file '{name}', must be a {ending} file beside it")
    return where


def _shards(index: Path, ending: str, read: Callable[[Path], dict[str, Tensor]]) -> dict[str, Tensor]:
    where = shard_names(index, ending)
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(where.values())):
        shard = read(index.parent / name)
        refuse(index.parent / name, left_over=[tensor for tensor in shard if where.get(tensor) != name])
        tensors.update(shard)
    refuse(index, missing=[tensor for tensor in where if tensor not in tensors])
    return tensors
