"""Matrix products on 8-bit or 4-bit weights, in the format of ONNX Runtime's MatMulNBits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.ort.graph import CONTRIB, Graph

BLOCKS = (128, 64, 32, 16)  # weights of a row that share a scale; the largest that divides the row
PIECE = 1 << 16  # weights that are quantised at once: they stay in the CPU's cache
MANY = 1 << 20  # weights from which on a matrix is worth several threads
TINY = np.float32(1e-12)
INT8_PRODUCTS = 4  # MatMulNBits' accuracy level at which inputs are rounded to 8 bits, block by block


def block_of(width: int) -> int | None:
    """Weights of a row of `width` that share a scale; None if no block divides it.  [any]"""
    return next((size for size in BLOCKS if width % size == 0), None)


def array_of(tensor: Tensor) -> NDArray[np.float32]:
    """A weight in float32 on the CPU, without a copy if it is that already.  [any]"""
    return tensor.detach().float().cpu().numpy()


def quantise(weight: NDArray[np.float32], bits: int, block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Weight [N, K] to codes [N, K / block, block * bits / 8] and scales [N * K / block], symmetric.  [any]

    The zero is 2^(bits - 1), ONNX Runtime's default without zero points. In 8 bits the code 0 is not used, so that a
    weight and its negative are treated alike; in 4 bits it is the block's largest weight, whose sign the scale has: all
    16 levels are used, and the error is an eighth smaller.
    """
    rows, width = weight.shape
    codes = np.empty((rows, width // block, block * bits // 8), np.uint8)
    scales = np.empty((rows, width // block), np.float32)
    count = max(1, PIECE // width)

    def some(begin: int, end: int) -> None:
        for at in range(begin, end, count):
            part = slice(at, min(at + count, end))
            codes[part], scales[part] = _quantise(weight[part].reshape(-1, width // block, block), bits)

    threads = torch.get_num_threads() if weight.size > MANY else 1  # numpy releases the GIL while it computes
    each = -(-rows // threads)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda at: some(at, min(at + each, rows)), range(0, rows, each)))
    return codes, scales.reshape(-1)


def _quantise(blocks: NDArray[np.float32], bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Blocks [n, B, block] to codes [n, B, block * bits / 8] and scales [n, B]."""
    zero = 1 << (bits - 1)
    low, high = blocks.min(axis=-1), blocks.max(axis=-1)
    if bits == 4:
        scales = np.where(-low >= high, low, high) / np.float32(-zero)
    else:
        scales = np.maximum(-low, high) / np.float32(zero - 1)
    scales = np.where(np.abs(scales) < TINY, TINY, scales)
    steps = blocks / scales[..., None]
    np.rint(steps, out=steps)
    steps += zero
    np.clip(steps, 0, 2 * zero - 1, out=steps)
    codes: NDArray[np.uint8] = steps.astype(np.uint8)
    if bits == 4:
        return np.bitwise_or(codes[..., 0::2], codes[..., 1::2] << np.uint8(4)), scales
    return codes, scales


def product(graph: Graph, x: str, weight: Tensor, name: str, bits: int | None, bias: Tensor | None = None) -> str:
    """x [..., K] times weight [N, K] transposed, and a bias: quantised if `bits` is set and a block fits K.  [any]"""
    matrix = array_of(weight)
    rows, width = matrix.shape
    block = block_of(width)
    added = [] if bias is None else [graph.weight(f"{name}.bias", array_of(bias))]
    if block is None or bits is None:
        made = graph.one("MatMul", x, graph.weight(f"{name}.weight", matrix.T))
        return graph.one("Add", made, *added) if added else made
    codes, scales = quantise(matrix, bits, block)
    inputs = [x, graph.weight(f"{name}.codes", codes), graph.weight(f"{name}.scales", scales)]
    graph.lent |= dict.fromkeys(inputs[1:], (rows, width, bits))
    sizes: dict[str, Any] = {"K": width, "N": rows, "bits": bits, "block_size": block}
    more = ["", "", *added] if added else []
    return graph.one("MatMulNBits", *inputs, *more, domain=CONTRIB, accuracy_level=INT8_PRODUCTS, **sizes)
