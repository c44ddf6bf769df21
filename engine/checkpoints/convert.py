"""The child process that turns one pickled checkpoint into safetensors and plain JSON.

    python -m engine.checkpoints.convert SOURCE TARGET

Runs with limits on memory, time and file size, imports no torch and calls nothing named in the file.
Prints one line of JSON: {"sha256": ...} or {"error": ...}.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from engine.checkpoints.nodes import ITEM_BYTES, TensorEntry, plain
from engine.checkpoints.torch_zip import TorchZip, tensors_of
from engine.errors import CheckpointError

STATE = "best_state"
CONFIG = "xp.cfg"
MAX_CONFIG_BYTES = 1 << 20
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 1200


def limit_this_process(target_bytes: int) -> None:
    """Limit memory, processor time and the size of written files, if the system can.  [any]"""
    try:
        import resource
    except ImportError:  # Windows: the parent's time limit remains
        return
    limits = [(resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_CORE, 0)]
    limits += [(resource.RLIMIT_FSIZE, target_bytes), (resource.RLIMIT_AS, MEMORY_BYTES)]
    for kind, value in limits:
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (bound, bound))
        except (ValueError, OSError):  # macOS refuses RLIMIT_AS
            continue


def sha256_of(file: BufferedReader) -> str:
    """SHA-256 of an open file, from its beginning; leaves it at its beginning.  [any]"""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def _configuration(value: Any) -> Any:
    """The training configuration as plain data, from YAML text or OmegaConf nodes."""
    if isinstance(value, str):
        if len(value) > MAX_CONFIG_BYTES:
            raise CheckpointError(f"the configuration has {len(value)} letters, the limit is {MAX_CONFIG_BYTES}")
        try:
            value = yaml.safe_load(value)
            return json.loads(json.dumps(plain(value), allow_nan=False))
        except (yaml.YAMLError, RecursionError, ValueError, TypeError) as fault:
            raise CheckpointError(f"the configuration is not YAML of plain data: {fault}") from fault
    return plain(value)


def describe(value: dict[str, Any]) -> tuple[dict[str, TensorEntry], dict[str, Any]]:
    """Tensors of `best_state`, and everything else as plain data; or a plain dict of tensors.  [any]"""
    if value and all(isinstance(item, TensorEntry) for item in value.values()):
        return dict(tensors_of(value)), {}
    state = value.get(STATE, {})
    if not isinstance(state, dict):
        raise CheckpointError(f"'{STATE}' is a {type(state).__name__}, must be a dict of tensors")
    rest = {key: item for key, item in value.items() if key not in (STATE, CONFIG)}
    other = plain(rest)
    if CONFIG in value:
        other[CONFIG] = _configuration(value[CONFIG])
    if not state and "pretrained" not in other:
        raise CheckpointError(
            f"the file has neither '{STATE}' nor 'pretrained', and is not a dict of tensors; is it a checkpoint?"
        )
    return dict(tensors_of(state)), other


def header_of(tensors: dict[str, TensorEntry], other: dict[str, Any], sha256: str) -> bytes:
    """The safetensors header: tensors in the order of the state dict, the rest as metadata.  [any]"""
    header: dict[str, Any] = {"__metadata__": {"source_sha256": sha256, "other": json.dumps(other)}}
    at = 0
    for name, tensor in tensors.items():
        size = ITEM_BYTES[tensor.storage.dtype]
        for length in tensor.shape:
            size *= length
        header[name] = {"dtype": tensor.storage.dtype, "shape": tensor.shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def convert(source: Path, target: Path) -> str:
    """Write `target` (safetensors) from `source`; returns the SHA-256 of the source.  [any]"""
    with source.open("rb") as file:
        sha256 = sha256_of(file)
        archive = TorchZip(file)
        tensors, other = describe(archive.value())
        with target.open("wb") as out:
            out.write(header_of(tensors, other, sha256))
            for name, tensor in tensors.items():
                _write(out, archive, name, tensor)
    return sha256


def _write(out: BinaryIO, archive: TorchZip, name: str, tensor: TensorEntry) -> None:
    try:
        for piece in archive.pieces(tensor):
            out.write(piece)
    except CheckpointError as fault:
        raise CheckpointError(f"tensor '{name[:200]}': {fault}") from fault


def main(arguments: list[str]) -> int:
    """Convert and print the result; any fault becomes a line of JSON.  [main]"""
    source, target = Path(arguments[0]), Path(arguments[1])
    if hasattr(os, "nice"):
        os.nice(10)  # an engine may be playing meanwhile
    try:
        limit_this_process(2 * source.stat().st_size + (64 << 20))
        print(json.dumps({"sha256": convert(source, target)}))
    except CheckpointError as fault:
        print(json.dumps({"error": str(fault)}))
    except (OSError, RecursionError, ValueError, MemoryError) as fault:
        print(json.dumps({"error": f"{type(fault).__name__}: {fault}"[:500]}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
