"""Quantised weights laid out as the native step reads them: tiles of 16 outputs, four inputs of each side by side."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import UnsupportedError
from engine.ort.quantised import BLOCKS, quantise

Number = TypeVar("Number", bound=np.generic)
TILE = 16
ALIGNMENT = 64


def aligned(shape: tuple[int, ...], dtype: type[Number]) -> NDArray[Number]:
    """An array of zeros that starts at a line of the processor's cache.  [any]"""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(n_bytes + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + n_bytes].view(dtype).reshape(shape)


def block_of(width: int) -> int:
    """How many weights of a row share a scale; UnsupportedError where no block divides the row.  [any]"""
    for block in BLOCKS:
        if width % block == 0:
            return block
    raise UnsupportedError(f"rows of {width} weights cannot be cut into blocks of {BLOCKS[-1]}")


def tiled(weight: NDArray[np.float32], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], int]:
    """Weight [N, K] to codes [N / 16, K / 4, 16, 4], scales [N / 16, K / block, 16] and the block.  [any]

    The codes are those of `quantise`. With 4 bits two groups of four inputs share bytes: [N / 16, K / 8, 16, 4], the
    first in the low halves. Missing outputs of the last tile are zeros.
    """
    rows, width = weight.shape
    block, tiles = block_of(width), -(-rows // TILE)
    codes, scales = quantise(weight, bits, block)
    made = np.zeros((tiles * TILE, width // block), np.float32)
    made[:rows] = scales.reshape(rows, -1)
    kept_scales = aligned((tiles, width // block, TILE), np.float32)
    kept_scales[:] = made.reshape(tiles, TILE, -1).transpose(0, 2, 1)
    groups = width * bits // 32  # lines of a tile
    kept = aligned((tiles, groups, TILE), np.uint32)
    for tile in range(tiles):
        part = codes[tile * TILE : (tile + 1) * TILE].reshape(-1, width * bits // 8)
        if bits == 4:
            part = _halves(part)
        kept[tile, :, : len(part)] = part.view(np.uint32).T
    return kept.view(np.uint8).reshape(tiles, groups, TILE, 4), kept_scales, block


def _halves(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bytes [n, K / 2] of neighbours to bytes whose low halves are four inputs and whose high ones the next four."""
    low, high = codes & 15, codes >> 4
    each = np.stack([low, high], axis=-1).reshape(len(codes), -1, 2, 4)
    return np.ascontiguousarray(each[:, :, 0] | each[:, :, 1] << 4).reshape(len(codes), -1)
