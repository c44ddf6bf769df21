"""How much memory there is, and what a contest needs of it: what does not fit is skipped, and said, not tried."""

from __future__ import annotations

from pathlib import Path

from engine.bench.floor import WEIGHT_BITS, all_weights, cache_bytes
from engine.bench.segue_side import ROWS
from engine.bench.shapes import Shape

USABLE = 0.8  # of what is free: others need some too
ROOM_BYTES = 1.2e9  # interpreter, torch, codec, what a product needs for itself


def available_bytes(device: str = "cpu") -> float | None:
    """Memory that may be used, on the device; None where the system does not say.  [any]"""
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.mem_get_info(torch.device(device))[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min(found[0], _limit_bytes() or found[0]) if found else None


def _limit_bytes() -> float | None:
    """What a container may have, less what it has; None where there is no limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        most, used = (folder / "memory.max").read_text().strip(), (folder / "memory.current").read_text().strip()
        return None if most == "max" else float(most) - float(used)
    except (OSError, ValueError):
        return None


def lane_bytes(shape: Shape, item_bytes: float, frames: int | None = None) -> float:
    """One lane's cache for a window of so many frames (None: the model's).  [any]"""
    positions = shape.prefix + shape.lm.sequence_steps(frames or shape.window_frames)
    return cache_bytes(shape.lm, ROWS, positions, item_bytes)


def base_precision(precisions: list[str]) -> str:
    """What the weights are made in, and prompts read in where steps are quantised: float32 where it can be.  [any]"""
    return "float32" if "float32" in precisions or "bfloat16" not in precisions else "bfloat16"


def needed_bytes(shape: Shape, precisions: list[str], reference: bool) -> float:
    """Weights of all precisions at once and a cache a side; transformers adds none, it looks at ours.  [any]"""
    count, total = all_weights(shape.lm), ROOM_BYTES
    base = base_precision(precisions)
    total += count * WEIGHT_BITS[base] / 8.0
    for precision in precisions:
        if precision != base:  # ONNX Runtime packs a second copy of what it is given
            total += count * WEIGHT_BITS[precision] / 8.0 * (2.2 if "int" in precision else 1.0)
        if precision == "bfloat16":
            total += count * 2.0  # the copy that a processor's matrix unit reads
        item = 1.0 if "int" in precision else WEIGHT_BITS[precision] / 8.0
        sides = 1.0 if "int" in precision or not reference else 2.5  # theirs is copied at each step
        total += sides * lane_bytes(shape, item)
    return total


def groups_that_fit(
    shape: Shape, precisions: list[str], reference: bool, free_bytes: float | None
) -> tuple[list[list[str]], dict[str, str]]:
    """Precisions that are measured in one process, group by group; and why others are skipped.  [any]"""
    groups: list[list[str]] = []
    skipped: dict[str, str] = {}
    for precision in precisions:
        limit = float("inf") if free_bytes is None else USABLE * free_bytes
        if groups and needed_bytes(shape, [*groups[-1], precision], reference) <= limit:
            groups[-1].append(precision)
            continue
        alone = needed_bytes(shape, [precision], reference)
        if alone <= limit:
            groups.append([precision])
        else:
            skipped[precision] = f"needs {alone / 1e9:.1f} GB of memory, {limit / 1e9:.1f} GB may be used"
    return groups, skipped
