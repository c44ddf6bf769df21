"""State dicts: safetensors files read with care, names put on ours, modules filled strictly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine.checkpoints.names import Names
from engine.errors import CheckpointError

MAX_HEADER_BYTES = 16 << 20
MAX_TENSORS = 20_000
MAX_JSON_BYTES = 16 << 20


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a small file, or CheckpointError.  [any]"""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise CheckpointError(f"{path} has {path.stat().st_size} bytes, the limit is {MAX_JSON_BYTES}")
        value = json.loads(path.read_bytes())
    except OSError as fault:
        raise CheckpointError(f"cannot read {path}: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise CheckpointError(f"{path} is not JSON: {fault}") from fault
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds a {type(value).__name__}, must be an object")
    return value


def _check_header(path: Path) -> None:
    """Bound what the header may hold, before the library reads it."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise CheckpointError(f"{path}: a safetensors header of {length} bytes in a file of {size}")
            entries = json.loads(file.read(length))
    except OSError as fault:
        raise CheckpointError(f"cannot read {path}: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        raise CheckpointError(f"{path}: the safetensors header is not JSON: {fault}") from fault
    if not isinstance(entries, dict) or len(entries) > MAX_TENSORS:
        raise CheckpointError(f"{path}: {len(entries)} tensors in the header, the limit is {MAX_TENSORS}")


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of one file, and its metadata. Raises CheckpointError for a damaged file.  [any]"""
    _check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as fault:
        raise CheckpointError(f"{path} is damaged or cut short: {fault}") from fault


def read_folder(folder: Path) -> dict[str, Tensor]:
    """Tensors of model.safetensors, or of all shards of its index, none missing or left over.  [any]"""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.exists() or not index.exists():
        return read_safetensors(single)[0]
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(name, str) for name in where.values()):
        raise CheckpointError(f"{index} has no 'weight_map' from tensor to file name")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(where.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise CheckpointError(f"{index} names the file '{name}', must be a safetensors file beside it")
        shard = read_safetensors(folder / name)[0]
        strange = [tensor for tensor in shard if where.get(tensor) != name]
        _refuse(folder / name, left_over=strange)
        tensors.update(shard)
    _refuse(index, missing=[tensor for tensor in where if tensor not in tensors])
    return tensors


def _refuse(where: Path | str, **faults: Iterable[str]) -> None:
    """Raise CheckpointError when any list has entries, naming the first few."""
    parts = []
    for fault, names in faults.items():
        found = sorted(names)
        if found:
            more = f" and {len(found) - 4} more" if len(found) > 4 else ""
            parts.append(f"{len(found)} {fault.replace('_', ' ')}: {', '.join(found[:4])}{more}")
    if parts:
        raise CheckpointError(f"{where}: tensors " + "; ".join(parts))


def translate(stored: Mapping[str, Tensor], names: Names, where: Path | str) -> dict[str, Tensor]:
    """Stored tensors under our names: known but unused ones dropped, tied ones checked, parts put together.

    Raises CheckpointError for unknown names and for two tensors of one name that differ.  [any]
    """
    ours: dict[str, Tensor] = {}
    unknown = []
    for name, tensor in stored.items():
        try:
            target = names.ours(name)
        except KeyError:
            unknown.append(name)
            continue
        if target is None:
            continue
        if target in ours and not _same(ours[target], tensor):
            raise CheckpointError(f"{where}: '{name}' and another tensor both mean '{target}' and differ")
        ours[target] = tensor
    _refuse(where, left_over=unknown)
    return _put_together(ours, where)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and (a.is_meta or torch.equal(a, b))


def _put_together(parts: dict[str, Tensor], where: Path | str) -> dict[str, Tensor]:
    """Fold weight norm, stack codebook tables, join q, k and v."""
    whole: dict[str, Tensor] = {}
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in parts.items():
        stem, _, last = name.rpartition(".")
        grouped = stem.endswith((".weight", ".in_proj_weight")) or stem == "codec.quantizer.tables"
        if grouped:
            groups.setdefault(stem, {})[last] = tensor
        else:
            whole[name] = tensor
    for stem, group in groups.items():
        try:
            whole[stem] = _join(group)
        except (KeyError, RuntimeError, IndexError) as fault:
            raise CheckpointError(f"{where}: '{stem}' has parts that do not fit: {sorted(group)}") from fault
    return whole


def _join(group: dict[str, Tensor]) -> Tensor:
    if set(group) == {"g", "v"}:
        g, v = group["g"].float(), group["v"].float()
        if g.shape != (v.shape[0],) + (1,) * (v.dim() - 1):
            raise RuntimeError("weight norm's g has another shape")
        return v * (g / v.flatten(1).norm(dim=1).view_as(g))
    if set(group) == {"q", "k", "v"}:
        if len({tensor.shape for tensor in group.values()}) != 1:
            raise RuntimeError("q, k and v differ in shape")
        return torch.cat([group["q"], group["k"], group["v"]])
    return torch.stack([group[str(number)] for number in range(len(group))])


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it.  [any]"""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fill(module: nn.Module, tensors: Mapping[str, Tensor], where: Path | str) -> None:
    """Put tensors into a module (made on the meta device), as float32: every one, each of the right shape.

    Raises CheckpointError that names what is missing, left over or of another shape.  [any]
    """
    wanted = module.state_dict()
    wrong = [
        f"{name} {list(tensors[name].shape)} (must be {list(tensor.shape)})"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    missing = [name for name in wanted if name not in tensors]
    _refuse(where, missing=missing, left_over=set(tensors) - set(wanted), of_another_shape=wrong)
    kinds = [name for name in wanted if not tensors[name].is_floating_point()]
    _refuse(where, that_are_not_numbers_with_a_point=kinds)
    module.load_state_dict({name: tensors[name].float() for name in wanted}, strict=True, assign=True)
    module.requires_grad_(False)
    module.eval()
