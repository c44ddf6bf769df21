"""A run's checkpoints: weights as shards that may travel and lie in a repository, and the whole state for this machine.

    OUT/NAME-01-of-05.safetensors ...   weights in half precision, each under 15 MB, with the progress in each
    WORK/NAME.state                     float32 weights, the optimiser's state and the progress: exactly as it was

The optimiser's state is three times as large as what may come back from a lent machine, so shards alone go on with a
new one, warmed up again.

All of it [main].
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from bridge.system.whole_file import put, settle
from engine.train.export import shards as split

SCALE = ".scale_of_rows"


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps, seconds trained, frames or segments seen, seeds used, and its sizes by name."""

    step: int = 0
    spent_seconds: float = 0.0
    seen: int = 0
    next_seed: int = 0
    sizes: str = ""


def halves(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in half precision, as they are shipped."""
    return {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in tensors.items()}


def eighths(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices in 8 bits a weight with a scale for each row, the rest in half precision: it fits beside the sounds."""
    out = {}
    for name, value in tensors.items():
        if value.dim() < 2:
            out[name] = value.to(torch.float16)
            continue
        scale = value.abs().amax(dim=-1, keepdim=True).clamp(min=1e-6) / 127.0
        out[name], out[name + SCALE] = (value / scale).round().to(torch.int8), scale.to(torch.float32)
    return out


def save_shards(folder: Path, name: str, small: dict[str, Tensor], progress: Progress) -> list[Path]:
    """Write weights (of `halves` or `eighths`) as shards; those of an earlier checkpoint go.

    Each is complete or absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = split(small)
    paths = [folder / f"{name}-{n + 1:02d}-of-{len(parts):02d}.safetensors" for n in range(len(parts))]
    told = {"progress": json.dumps(asdict(progress))}
    for path, content in zip(paths, [save(part, told) for part in parts], strict=True):
        put(path, content)
    for old in folder.glob(f"{name}-*-of-*.safetensors"):
        if old not in paths:
            old.unlink()
    return paths


def load_shards(folder: Path, name: str) -> tuple[dict[str, Tensor], Progress] | None:
    """Weights (float32) and progress; None without any.  ValueError where shards of two checkpoints are mixed."""
    paths, told = sorted(folder.glob(f"{name}-*-of-*.safetensors")), set()
    stored: dict[str, Tensor] = {}
    for path in paths:
        with safe_open(str(path), "pt") as file:
            told.add(file.metadata()["progress"])
            stored |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if not paths:
        return None
    count = int(paths[0].stem.rsplit("-", 1)[1])
    if len(told) > 1 or len(paths) != count:
        raise ValueError(f"{folder} holds {len(paths)} of {count} shards of '{name}', of {len(told)} checkpoints: "
                         "all of one are needed")  # fmt: skip
    tensors = {key: value.float() * stored.get(key + SCALE, 1.0) for key, value in stored.items()
               if not key.endswith(SCALE)}  # fmt: skip
    return tensors, Progress(**json.loads(told.pop()))


def save_state(path: Path, state: dict[str, Any], progress: Progress) -> None:
    """Write the exact state; complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    torch.save({**state, "progress": asdict(progress)}, part)
    settle(part, path)


def load_state(path: Path) -> tuple[dict[str, Any], Progress] | None:
    """An exact state; None without one."""
    if not path.is_file():
        return None
    state = torch.load(path, weights_only=True, map_location="cpu")
    return state, Progress(**state.pop("progress"))
