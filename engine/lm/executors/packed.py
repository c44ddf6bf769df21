"""Half-precision matrices packed for a CPU's matrix unit, in huge pages: faster, bit for bit the same.

oneDNN, PyTorch's library for half-precision products on a CPU, otherwise packs each matrix again in every product. The
packed copies exist beside the plain matrices, which prefill reads. PyTorch's own compiler uses the same two operators;
they have no public name, so if they are missing, or differ from the plain product, steps read the plain matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor

from engine.lm.layers import DecoderLayer
from engine.lm.model import LanguageModel
from engine.system import huge_pages

HALVES = (torch.bfloat16, torch.float16)
FEW_ROWS = 2  # rows of a step
PROBE = 64


@dataclass(frozen=True)
class Packed:
    """A model's packed matrices by the names of its layers' parts; `stamp` identifies their weights.  [any]"""

    stamp: tuple[int, ...]
    layers: tuple[dict[str, Tensor], ...]
    heads: Tensor

    def of(self, model: LanguageModel) -> bool:
        """Whether they are this model's present weights."""
        return self.stamp == _stamp(model)


class PackedWeights:
    """A model's packed matrices in one precision: packed on first use, and again if weights were replaced."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._packed: Packed | None = None

    def of(self, dtype: torch.dtype) -> Packed:
        """The matrices in half precision `dtype`.  [generate]"""
        packed = self._packed
        if packed is None or packed.heads.dtype != dtype or not packed.of(self._model):
            packed = self._packed = pack_all(self._model, dtype)
        return packed

    def own(self) -> Packed | None:
        """The matrices in the model's own precision; None if steps read the plain ones.  [generate]"""
        weight = cast(Tensor, self._model.linears[0].weight)
        if weight.device.type != "cpu" or weight.dtype not in HALVES or not can_pack(weight.dtype):
            return None
        return self.of(weight.dtype)


def _stamp(model: LanguageModel) -> tuple[int, ...]:
    return tuple(parameter.data_ptr() for parameter in model.parameters())


def pack_all(model: LanguageModel, dtype: torch.dtype) -> Packed:
    """All matrices of a step, packed in half precision `dtype`.  [generate]"""
    layers = tuple(
        {name: pack(matrix.to(dtype)) for name, matrix in _matrices(layer, model.config.dim).items()}
        for layer in model.layers
    )
    heads = pack(torch.cat([cast(Tensor, head.weight).to(dtype) for head in model.linears]))
    known = torch.ops.mkldnn
    if hasattr(known, "data_ptr") and hasattr(known, "_nbytes"):
        every = [heads, *(matrix for layer in layers for matrix in layer.values())]
        huge_pages.move((known.data_ptr(matrix), known._nbytes(matrix)) for matrix in every)
    return Packed(_stamp(model), layers, heads)


def _matrices(layer: DecoderLayer, dim: int) -> dict[str, Tensor]:
    """The matrices of a step by their names in `engine.lm.executors.fused`."""
    matrices: dict[str, Tensor] = {
        "qkv": layer.self_attn.in_proj_weight,
        "out": layer.self_attn.out_proj.weight,
        "widen": layer.linear1.weight,
        "narrow": layer.linear2.weight,
    }
    crossed = layer.cross_attention
    if crossed is not None:
        matrices |= {"query": crossed.in_proj_weight[:dim], "cross_out": crossed.out_proj.weight}
    return matrices


def pack(weight: Tensor) -> Tensor:
    """A weight [N, K] as an opaque tensor for `packed_product`.  [generate]"""
    with torch.inference_mode(False), torch.no_grad():
        plain = weight.detach().clone() if weight.is_inference() else weight.detach().contiguous()
        return cast(Tensor, torch.ops.mkldnn._reorder_linear_weight(plain, FEW_ROWS))


def packed_product(x: Tensor, matrix: Tensor) -> Tensor:
    """x [R, K] times a packed weight [N, K], transposed.  [generate]"""
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise(x, matrix, None, "none", [], ""))


def times(x: Tensor, matrix: Tensor) -> Tensor:
    """x @ matrix, in the matrix's precision; a packed one is used as its transpose.  [generate]"""
    x = x.to(matrix.dtype)
    return packed_product(x, matrix) if matrix.is_mkldnn else x @ matrix


def plus_times(base: Tensor, x: Tensor, matrix: Tensor) -> Tensor:
    """base + x @ matrix for [R, D]: the product in the matrix's precision, the sum in the base's.  [generate]"""
    if matrix.dtype == base.dtype:
        return torch.addmm(base, x, matrix)
    return base + times(x, matrix)


@lru_cache(maxsize=2)
def can_pack(dtype: torch.dtype) -> bool:
    """Whether packed half-precision products run here and equal the plain ones.  [any]"""
    generator = torch.Generator().manual_seed(0)
    weight, x = (torch.randn(rows, PROBE, generator=generator).to(dtype) for rows in (PROBE, FEW_ROWS))
    try:
        known = torch.ops.mkldnn
        if not (known._is_mkldnn_bf16_supported() if dtype == torch.bfloat16 else known._is_mkldnn_fp16_supported()):
            return False
        made = packed_product(x, pack(weight))
    except (AttributeError, RuntimeError):
        return False
    return torch.allclose(made.float(), (x @ weight.t()).float(), atol=0.2, rtol=0.02)
