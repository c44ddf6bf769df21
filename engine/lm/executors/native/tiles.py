"""Quantised weights in the layout of the native step: one sequence of tiles of 16 outputs.

    tile 0: block 0: lines of 16 outputs x 4 codes ..., one line of 16 scales; block 1: ...; tile 1: ...

A line is 64 bytes: for each of 16 outputs the codes of four inputs side by side; with 4 bits the low halves are four
inputs, the high ones the next four.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import UnsupportedError
from engine.lm.executors.native import library
from engine.ort import quantised
from engine.ort.quantised import BLOCKS
from engine.system import huge_pages

TILE = 16
SLAB_BYTES = 64 << 20


class PagedMemory:
    """Memory for consecutive matrices in large pages; `held_bytes` are in use.  [generate]"""

    def __init__(self) -> None:
        self.held_bytes = 0
        self._slabs: list[NDArray[np.uint32]] = []
        self._used = 0  # used part of the last slab

    def take(self, shape: tuple[int, ...]) -> NDArray[np.uint32]:
        """Zeros that start at a cache line of the CPU; `shape` is whole lines."""
        count = int(np.prod(shape))
        if not self._slabs or self._used + count > len(self._slabs[-1]):
            self._slabs.append(_slab(max(4 * count, SLAB_BYTES)))
            self._used = 0
        part = self._slabs[-1][self._used : self._used + count]
        self._used += count
        self.held_bytes += 4 * count
        return part.reshape(shape)

    def settle(self) -> None:
        """Move everything written into large pages, if it is not in them yet."""
        huge_pages.move((slab.ctypes.data, slab.nbytes) for slab in self._slabs[:-1])
        if self._slabs:
            huge_pages.move([(self._slabs[-1].ctypes.data, 4 * self._used)])


def _slab(n_bytes: int) -> NDArray[np.uint32]:
    """At least `n_bytes` zeros from the start of a large page on; the system allocates them on use."""
    slab = np.zeros(n_bytes + huge_pages.PAGE_BYTES, np.uint8)
    start = -slab.ctypes.data % huge_pages.PAGE_BYTES
    return slab[start : start + n_bytes // 4 * 4].view(np.uint32)


def block_of(width: int) -> int:
    """Weights of a row that share a scale; UnsupportedError if no block divides the row.  [any]"""
    block = quantised.block_of(width)
    if block is None:
        raise UnsupportedError(f"rows of {width} weights cannot be cut into blocks of {BLOCKS[-1]}")
    return block


def tiled(weight: NDArray[np.float32], bits: int, paged_memory: PagedMemory) -> NDArray[np.uint32]:
    """Weight [N, K] to lines [N / 16, K / block, block * bits / 32 + 1, 16] in `room`, on all of PyTorch's threads.

    The codes equal those of `engine.ort.quantised.quantise`. Missing outputs of the last tile have zero scales. Raises
    UnsupportedError without the library, and for a K that no block divides.  [generate]
    """
    rows, width = weight.shape
    weight, native = np.ascontiguousarray(weight), library.load()
    block, tiles, threads = block_of(width), -(-rows // TILE), torch.get_num_threads()
    made = paged_memory.take((tiles, width // block, block * bits // 32 + 1, TILE))

    def some(begin: int) -> None:
        end = min(begin + each, tiles)
        native.segue_tile(weight.ctypes.data, rows, width, block, bits, begin, end, made.ctypes.data)

    each = -(-tiles // threads)
    with ThreadPoolExecutor(threads) as pool:  # native code releases the GIL
        list(pool.map(some, range(0, tiles, each)))
    return made
