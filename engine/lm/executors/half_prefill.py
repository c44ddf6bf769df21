"""Prefill in bfloat16 with matrices packed once, for models whose steps use 8-bit or 4-bit weights.

Equal up to rounding to `LanguageModel.prefill` under autocast; but autocast converts each matrix again in every pass,
which for a piece of 25 frames took as long as the products themselves. The copies take two bytes a weight, so only
models whose copies fit in `MOST_BYTES` have them.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.lm.conditions import Conditions
from engine.lm.executors.packed import Packed, PackedWeights, can_pack, packed_product
from engine.lm.layers import DecoderLayer
from engine.lm.model import LanguageModel
from engine.lm.state import LMState

HALF = torch.bfloat16
MOST_BYTES = 1 << 30  # musicgen-small has 0.8 GB of them


class HalfPrefill:
    """Prefills one model in bfloat16.  [generate]"""

    def __init__(self, model: LanguageModel) -> None:
        self._model, self._packed = model, PackedWeights(model)

    def matrices(self) -> Packed | None:
        """The model's matrices in bfloat16, made once; None if they are too large or cannot be packed."""
        if not can_pack(HALF) or half_bytes(self._model) > MOST_BYTES:
            return None
        return self._packed.of(HALF)

    @torch.inference_mode()
    def read(self, tokens: Tensor, conditions: Conditions, state: LMState) -> Tensor:
        """See `LanguageModel.prefill`."""
        x = self._model.inputs(tokens, conditions, state)
        with torch.autocast("cpu", HALF):
            matrices = self.matrices()
            layers = None if matrices is None else partial(advance, self._model, matrices)
            return self._model.advance(x, state, layers)


def half_bytes(model: LanguageModel) -> int:
    """Memory of the copies of a model's matrices.  [any]"""
    matrices = (each for layer in model.layers for each in layer.parameters() if each.ndim == 2)
    return 2 * sum(matrix.numel() for matrix in matrices)


def advance(model: LanguageModel, matrices: Packed, x: Tensor, state: LMState, mask: Tensor | None) -> Tensor:
    """Inputs [R, S, D] with positions through all layers: hidden [R, S, D]; the caller sets `length`.  [generate]"""
    rows, steps, dim = x.shape
    for index, (layer, part) in enumerate(zip(model.layers, matrices.layers, strict=True)):
        qkv = _times(_norm(x, layer.norm1), part["qkv"]).view(rows, steps, 3, layer.self_attn.n_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        keys, values = state.extend(index, k, v)
        seen = F.scaled_dot_product_attention(q, keys, values, mask, is_causal=mask is None and steps > 1)
        x = x + _times(seen.transpose(1, 2).reshape(rows * steps, dim), part["out"]).view(rows, steps, dim)
        if state.cross_kv is not None:
            x = _cross(layer, part, x, *state.cross_kv[index])
        wide = F.gelu(_times(_norm(x, layer.norm2), part["widen"]))
        x = x + _times(wide, part["narrow"]).view(rows, steps, dim)
    return x


def _cross(layer: DecoderLayer, part: dict[str, Tensor], x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    if layer.cross_attention is None or layer.norm_cross is None:
        return x
    rows, steps, dim = x.shape
    query = _times(_norm(x, layer.norm_cross), part["query"]).view(rows, steps, layer.cross_attention.n_heads, -1)
    seen = F.scaled_dot_product_attention(query.transpose(1, 2), keys.to(HALF), values.to(HALF))
    return x + _times(seen.transpose(1, 2).reshape(rows * steps, dim), part["cross_out"]).view(rows, steps, dim)


def _norm(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    """LayerNorm of x [R, S, D] in bfloat16 [R * S, D]."""
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps).to(HALF).flatten(0, 1)


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    return packed_product(x, matrix)
