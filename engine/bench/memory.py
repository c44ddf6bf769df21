"""The available memory, and a contest's needs: contests that do not fit are skipped and reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from engine.bench.floor import WEIGHT_BITS, all_weights, cache_bytes
from engine.bench.segue_side import ROWS
from engine.bench.shapes import Shape

USABLE = 0.85  # of the free memory: other programs need some
ROOM_BYTES = 1.2e9  # interpreter, torch, codec, temporary memory of products


def available_bytes(device: str = "cpu") -> float | None:
    """Usable memory on the device; None if the system does not report it.  [any]"""
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
    """A container's limit less its use; None without a limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        most, used = (folder / "memory.max").read_text().strip(), (folder / "memory.current").read_text().strip()
        return None if most == "max" else float(most) - float(used)
    except (OSError, ValueError):
        return None


def lane_bytes(shape: Shape, item_bytes: float, frames: int | None = None) -> float:
    """Bytes of one lane's cache for a window of this many frames (None: the model's).  [any]"""
    positions = shape.prefix + shape.lm.sequence_steps(frames or shape.window_frames)
    return cache_bytes(shape.lm, ROWS, positions, item_bytes)


@dataclass(frozen=True)
class Group:
    """Precisions that one process measures; weights are made in `base`, in which prompts of quantised steps are read.

    `reference`: whether there is memory for transformers, `compiled`: and for its compiled form.  [any]
    """

    precisions: list[str]
    base: str = "float32"
    reference: bool = True
    compiled: bool = True

    def needed_bytes(self, shape: Shape) -> float:
        """Bytes of all precisions' weights and a cache for each side; transformers shares Segue's weights.  [any]"""
        count = all_weights(shape.lm)
        total = ROOM_BYTES + count * WEIGHT_BITS[self.base] / 8.0
        for precision in self.precisions:
            item = 1.0 if "int" in precision else WEIGHT_BITS[precision] / 8.0
            if "int" in precision:  # ONNX Runtime packs a second copy of its weights
                total += count * WEIGHT_BITS[precision] / 8.0 * 2.2
            elif precision != self.base:
                total += count * item
            if precision == "bfloat16":
                total += count * item  # the packed copy for a processor's matrix unit
            theirs = self.reference and "int" not in precision
            caches = (2.2 + self.compiled) if theirs else 1.0  # transformers copies its growing cache
            total += caches * lane_bytes(shape, item)
        return total


def _ways(precisions: list[str], reference: bool, compiled: bool) -> list[Group]:
    """Possible groups for one process, best first."""
    base = "bfloat16" if "bfloat16" in precisions and "float32" not in precisions else "float32"
    ways = [Group(precisions, base, reference, reference and compiled)]
    if not set(precisions) & {"float32", "bfloat16"}:
        ways.append(replace(ways[0], base="bfloat16"))
    return ways


def groups_that_fit(
    shape: Shape, precisions: list[str], reference: bool, free_bytes: float | None, compiled: bool = True
) -> tuple[list[Group], dict[str, str]]:
    """The groups, each measured in one process; and the reasons for skipped precisions.  [any]"""
    groups: list[Group] = []
    skipped: dict[str, str] = {}
    limit = float("inf") if free_bytes is None else USABLE * free_bytes
    for precision in precisions:
        last = groups[-1] if groups else None
        together = [] if last is None else _ways([*last.precisions, precision], last.reference, last.compiled)
        fitting = [way for way in together if way.needed_bytes(shape) <= limit]
        if fitting:
            groups[-1] = fitting[0]
            continue
        less = ((reference, compiled), (reference, False), (False, False))
        alone = [way for theirs, also in less for way in _ways([precision], theirs, also)]
        fitting = [way for way in alone if way.needed_bytes(shape) <= limit]
        if fitting:
            groups.append(fitting[0])
        else:
            least = min(way.needed_bytes(shape) for way in alone)
            skipped[precision] = f"needs {least / 1e9:.1f} GB of memory, {limit / 1e9:.1f} GB may be used"
    return groups, skipped
