"""State dicts: stored names translated to Segue's, modules filled completely, each tensor moved and converted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.checkpoints.names import Names
from engine.errors import CheckpointError


@dataclass(frozen=True)
class Joined:
    """Tensors of one shape that are stacked in ours; copied only when placed.  [any]"""

    parts: tuple[Tensor, ...]

    @property
    def shape(self) -> torch.Size:
        """Rows of all parts together; other sizes unchanged."""
        return torch.Size([sum(len(part) for part in self.parts), *self.parts[0].shape[1:]])

    def is_floating_point(self) -> bool:
        """Like a tensor's."""
        return all(part.is_floating_point() for part in self.parts)

    def to(self, device: torch.device | None, dtype: torch.dtype) -> Tensor:
        """One tensor on `device`, each part copied once."""
        whole = torch.empty(self.shape, dtype=dtype, device=device or self.parts[0].device)
        at = 0
        for part in self.parts:
            whole[at : at + len(part)].copy_(part)
            at += len(part)
        return whole


Stored = Tensor | Joined


def _float32(name: str) -> torch.dtype:
    return torch.float32


def _nothing(n_bytes: int) -> None:
    return None


@dataclass(frozen=True)
class TensorPlacement:
    """Placement of tensors: device (None: unchanged), type by Segue's name, and a callback for the bytes placed."""

    device: torch.device | None = None
    dtype_of: Callable[[str], torch.dtype] = _float32
    placed: Callable[[int], None] = _nothing

    def put(self, name: str, tensor: Stored) -> Tensor:
        """The placed tensor; the same one if nothing changes.  [any]"""
        dtype = self.dtype_of(name)
        if isinstance(tensor, Joined):
            put = tensor.to(self.device, dtype)
        else:
            put = tensor.to(device=self.device, dtype=dtype)
        self.placed(put.nbytes)
        return put


ANYWHERE = TensorPlacement()


def refuse(where: Path | str, **faults: Iterable[str]) -> None:
    """Raise CheckpointError if a list has entries; names the first few.  [any]"""
    parts = []
    for fault, names in faults.items():
        found = sorted(names)
        if found:
            more = f" and {len(found) - 4} more" if len(found) > 4 else ""
            parts.append(f"{len(found)} {fault.replace('_', ' ')}: {', '.join(found[:4])}{more}")
    if parts:
        raise CheckpointError(f"{where}: tensors " + "; ".join(parts))


def translate(stored: Mapping[str, Tensor], names: Names, where: Path | str) -> dict[str, Stored]:
    """Stored tensors under our names: unused ones dropped, tied ones checked, parts joined.

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
    refuse(where, left_over=unknown)
    return _put_together(ours, where)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and (a.is_meta or torch.equal(a, b))


def _put_together(parts: dict[str, Tensor], where: Path | str) -> dict[str, Stored]:
    """Fold weight norm, stack codebook tables, join q, k and v."""
    whole: dict[str, Stored] = {}
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in parts.items():
        stem, _, last = name.rpartition(".")
        grouped = stem.endswith((".weight", ".in_proj_weight", ".tables"))
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


def _join(group: dict[str, Tensor]) -> Stored:
    if set(group) == {"g", "v"}:
        g, v = group["g"].float(), group["v"].float()
        if g.shape != (v.shape[0],) + (1,) * (v.dim() - 1):
            raise RuntimeError("weight norm's g has another shape")
        return v * (g / v.flatten(1).norm(dim=1).view_as(g))
    if set(group) == {"q", "k", "v"}:
        if len({tensor.shape for tensor in group.values()}) != 1 or group["q"].dim() != 2:
            raise RuntimeError("q, k and v differ in shape")
        return Joined((group["q"], group["k"], group["v"]))
    return torch.stack([group[str(number)] for number in range(len(group))])


def part(tensors: Mapping[str, Stored], prefix: str) -> dict[str, Stored]:
    """The tensors whose names begin with `prefix`, without it.  [any]"""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fill(
    module: nn.Module, tensors: Mapping[str, Stored], where: Path | str, place: TensorPlacement = ANYWHERE
) -> None:
    """Put tensors into a module (made on the meta device): all of them, each of the right shape, float32 by default.

    A tensor that needs neither another type nor another device is not copied: the module then uses the mapped
    file.  Raises CheckpointError that names what is missing, left over or of another shape.  [any]
    """
    wanted = module.state_dict()
    wrong = [
        f"{name} {list(tensors[name].shape)} (must be {list(tensor.shape)})"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    missing = [name for name in wanted if name not in tensors]
    refuse(where, missing=missing, left_over=set(tensors) - set(wanted), of_another_shape=wrong)
    kinds = [name for name in wanted if not tensors[name].is_floating_point()]
    refuse(where, that_are_not_numbers_with_a_point=kinds)
    module.load_state_dict({name: place.put(name, tensors[name]) for name in wanted}, strict=True, assign=True)
    module.requires_grad_(False)
    module.eval()
