"""The speed at which this machine reads and copies memory, with the models' threads, on their device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from engine.system import huge_pages

CPU_BYTES, GPU_BYTES = 256 * 2**20, 2 * 2**30
TRIES = 3


@dataclass(frozen=True)
class Bandwidth:
    """Bytes a second. A copy counts what it reads and what it writes.  [any]"""

    read: float
    copy: float

    @property
    def best(self) -> float:
        """The faster of the two, so that the floor is the strictest.  [any]"""
        return max(self.read, self.copy)


def measure(device: str, n_bytes: int = 0) -> Bandwidth:
    """The best of several tries over blocks larger than any processor cache.  [generate]"""
    place = torch.device(device)
    count = (n_bytes or (GPU_BYTES if place.type == "cuda" else CPU_BYTES)) // 4
    source, target = torch.ones(count, device=place), torch.zeros(count, device=place)
    if place.type == "cpu":  # the fastest way to read memory
        huge_pages.move((tensor.data_ptr(), tensor.nbytes) for tensor in (source, target))
    folded = source.view(torch.int32)

    def wait() -> None:
        if place.type == "cuda":
            torch.cuda.synchronize(place)

    reads: tuple[Callable[[], object], ...] = (source.sum, lambda: torch.dot(source, source), folded.max)
    seconds = min(_best_seconds(read, wait) for read in reads[: 3 if place.type == "cpu" else 1])
    copied = _best_seconds(lambda: target.copy_(source), wait)
    return Bandwidth(4.0 * count / seconds, 8.0 * count / copied)


def _best_seconds(work: Callable[[], object], wait: Callable[[], None]) -> float:
    took = []
    for _ in range(TRIES):
        wait()
        began = time.perf_counter()
        work()
        wait()
        took.append(time.perf_counter() - began)
    return min(took)
