"""Quantised weights laid out as the native step reads them: one stream of tiles of 16 outputs.

    tile 0: block 0: lines of 16 outputs x 4 codes ..., one line of 16 scales; block 1: ...; tile 1: ...

A line is 64 bytes: for each of 16 outputs the codes of four inputs side by side; with 4 bits the low halves are four
inputs, the high ones the next four.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine import huge_pages
from engine.errors import UnsupportedError
from engine.ort import quantised
from engine.ort.quantised import BLOCKS, quantise

TILE = 16
SLAB_BYTES = 64 << 20


class Room:
    """Memory for matrices, one behind the other in large pages; `held_bytes` are those that are used.  [generate]"""

    def __init__(self) -> None:
        self.held_bytes = 0
        self._slabs: list[NDArray[np.uint32]] = []
        self._used = 0  # of the last slab

    def take(self, shape: tuple[int, ...]) -> NDArray[np.uint32]:
        """Zeros that start at a line of the processor's cache; `shape` is of whole lines."""
        count = int(np.prod(shape))
        if not self._slabs or self._used + count > len(self._slabs[-1]):
            self._slabs.append(_slab(max(4 * count, SLAB_BYTES)))
            self._used = 0
        part = self._slabs[-1][self._used : self._used + count]
        self._used += count
        self.held_bytes += 4 * count
        return part.reshape(shape)

    def settle(self) -> None:
        """Once all is written: into large pages, where it is not in them yet."""
        huge_pages.move((slab.ctypes.data, slab.nbytes) for slab in self._slabs[:-1])
        if self._slabs:
            huge_pages.move([(self._slabs[-1].ctypes.data, 4 * self._used)])


def _slab(n_bytes: int) -> NDArray[np.uint32]:
    """At least so many bytes of zeros from the start of a large page on; the system gives them as they are used."""
    room = np.zeros(n_bytes + huge_pages.PAGE_BYTES, np.uint8)
    start = -room.ctypes.data % huge_pages.PAGE_BYTES
    return room[start : start + n_bytes // 4 * 4].view(np.uint32)


def block_of(width: int) -> int:
    """How many weights of a row share a scale; UnsupportedError where no block divides the row.  [any]"""
    block = quantised.block_of(width)
    if block is None:
        raise UnsupportedError(f"rows of {width} weights cannot be cut into blocks of {BLOCKS[-1]}")
    return block


def tiled(weight: NDArray[np.float32], bits: int, room: Room) -> NDArray[np.uint32]:
    """Weight [N, K] to lines [N / 16, K / block, block * bits / 32 + 1, 16] in `room`.  [generate]

    The codes are those of `quantise`. Missing outputs of the last tile have scales of zero.
    """
    rows, width = weight.shape
    block, tiles = block_of(width), -(-rows // TILE)
    codes, scales = quantise(weight, bits, block)
    words = _words(codes.reshape(rows, -1), bits).reshape(rows, width // block, -1)
    made = room.take((tiles, width // block, block * bits // 32 + 1, TILE))
    bits_of_scales = scales.view(np.uint32).reshape(rows, -1)
    for tile in range(tiles):
        part = slice(tile * TILE, (tile + 1) * TILE)
        count = len(words[part])
        made[tile, :, :-1, :count] = words[part].transpose(1, 2, 0)
        made[tile, :, -1, :count] = bits_of_scales[part].T
    return made


def _words(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint32]:
    """Codes [N, K * bits / 8], neighbours in one byte, to what each output has in a line [N, K * bits / 32]."""
    if bits == 4:
        low, high = codes & 15, codes >> 4
        each = np.stack([low, high], axis=-1).reshape(len(codes), -1, 2, 4)
        codes = np.ascontiguousarray(each[:, :, 0] | each[:, :, 1] << 4).reshape(len(codes), -1)
    return codes.view(np.uint32)
