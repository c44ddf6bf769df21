"""One step with as few torch operations as possible: on a CPU a small model's time goes into calling them.

`LanguageModel.forward` regrouped: one table for all codebooks, one matrix for all heads, residual sums inside the
matrix products, and cross-attention's query and output matrices multiplied into the memory once a window (if that is
small). Equal to the plain layers up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.lm.conditions import Conditions
from engine.lm.executors.packed import Packed, plus_times, times
from engine.lm.layers import DecoderLayer, attend
from engine.lm.model import LanguageModel
from engine.lm.state import LMState

ABSORBED_BYTES = 64 * 2**20


@dataclass(frozen=True)
class FusedLayer:
    """A layer's weights, transposed views or packed ones.

    Cross-attention has `query` and `cross_out`, or `absorb` [R, D, H*M] and `release` [R, H*M, D] in their place.
    """

    layer: DecoderLayer
    qkv: Tensor
    out: Tensor
    widen: Tensor
    narrow: Tensor
    query: Tensor | None = None
    cross_out: Tensor | None = None
    absorb: Tensor | None = None
    release: Tensor | None = None


@dataclass(frozen=True)
class FusedStep:
    """The weights of one window's steps."""

    table: Tensor  # [K * (card + 1), D]
    offsets: Tensor  # [K]
    heads: Tensor  # [D, K * card]
    layers: tuple[FusedLayer, ...]


def fuse(
    model: LanguageModel, cross_kv: list[tuple[Tensor, Tensor]] | None, laid_out: Packed | None = None
) -> FusedStep:
    """Regroup the weights for one window's memory; `laid_out` are packed matrices to use instead.  [generate]"""
    config = model.config
    table = torch.cat([cast(Tensor, table.weight) for table in model.emb])
    offsets = torch.arange(config.n_codebooks, device=table.device) * (config.card + 1)
    kept = cross_kv if cross_kv is not None and _can_absorb(model, cross_kv) else None
    layers = []
    for index, layer in enumerate(model.layers):
        matrices = _transposed(layer) if laid_out is None else laid_out.layers[index]
        absorbed = (None, None) if kept is None else _absorb(layer, *kept[index])
        layers.append(FusedLayer(layer, **matrices, absorb=absorbed[0], release=absorbed[1]))
    if laid_out is not None:
        return FusedStep(table, offsets, laid_out.heads, tuple(layers))
    heads = torch.cat([cast(Tensor, head.weight) for head in model.linears]).t()
    return FusedStep(table, offsets, heads, tuple(layers))


def _can_absorb(model: LanguageModel, cross_kv: list[tuple[Tensor, Tensor]]) -> bool:
    """Whether it is small, and in float32: a half-precision product would be rounded once more."""
    keys = cross_kv[0][0]
    rows, heads, vectors, _ = keys.shape
    n_bytes = 2 * model.config.n_layers * rows * heads * vectors * model.config.dim * keys.element_size()
    return keys.dtype == torch.float32 and n_bytes <= ABSORBED_BYTES


def _transposed(layer: DecoderLayer) -> dict[str, Tensor]:
    """A layer's matrices by their names in `FusedLayer`, as views."""
    attention, attended = layer.self_attn, layer.cross_attention
    views = {
        "qkv": attention.in_proj_weight.t(),
        "out": attention.out_proj.weight.t(),
        "widen": layer.linear1.weight.t(),
        "narrow": layer.linear2.weight.t(),
    }
    if attended is not None:
        query = attended.in_proj_weight[: attended.n_heads * attended.head_dim]
        views |= {"query": query.t(), "cross_out": attended.out_proj.weight.t()}
    return views


def _absorb(layer: DecoderLayer, keys: Tensor, values: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The memory's keys and values [R, H, M, D/H] multiplied into cross-attention's query and output matrices."""
    attended = layer.cross_attention
    if attended is None:
        return None, None
    rows, heads, vectors, width = keys.shape
    dim = heads * width
    query = attended.in_proj_weight[:dim].view(heads, width, dim)
    out = attended.out_proj.weight.t().reshape(heads, width, dim)
    scores = torch.einsum("hwd,rhmw->rdhm", query, keys) * width**-0.5
    release = torch.einsum("rhmw,hwd->rhmd", values, out).reshape(rows, heads * vectors, dim).contiguous()
    return scores.reshape(rows, dim, heads * vectors).contiguous(), release


def embed(fused: FusedStep, tokens: Tensor) -> Tensor:
    """Tokens [R, K] to the sum of their embeddings [R, D].  [generate]"""
    return F.embedding_bag(tokens + fused.offsets, fused.table, mode="sum")


def advance(model: LanguageModel, fused: FusedStep, x: Tensor, state: LMState) -> Tensor:
    """Inputs [R, D] of one position, positions added, through all layers; logits [R, K * card].  [generate]"""
    for index, part in enumerate(fused.layers):
        x = _layer(part, x, state, index, state.length)
    hidden = F.layer_norm(x, x.shape[-1:], model.out_norm.weight, model.out_norm.bias)
    return times(hidden, fused.heads).float()


@dataclass(frozen=True)
class FusedBound:
    """Data of one state's steps: the weights regrouped for its memory, and the conditions whose frames are read.

    [generate]
    """

    model: LanguageModel
    weights: FusedStep
    conditions: Conditions

    def run(self, tokens: Tensor, state: LMState) -> Tensor:
        """Logits [R, K * card] of the state's next step, tokens [R, K]."""
        x = embed(self.weights, tokens)
        frames = self.conditions.frames
        if self.model.frame_proj is not None and frames is not None and state.step < frames.shape[1]:
            x = x + self.model.frame_proj(frames[:, state.step])
        return advance(self.model, self.weights, x + self.model.positions(state.length, 1, x), state)

    def conditions_changed(self, conditions: Conditions, first_row: int) -> None:
        """Nothing to do: steps read the conditions directly."""

    def rebound(self, state: LMState) -> FusedBound:
        """Itself, also for a copy of its state."""
        return self


def _layer(part: FusedLayer, x: Tensor, state: LMState, index: int, at: int) -> Tensor:
    layer, cache = part.layer, state.cache[index]
    rows, dim = x.shape
    heads, width = cache.shape[2], cache.shape[4]
    normed = F.layer_norm(x, (dim,), layer.norm1.weight, layer.norm1.bias)
    qkv = times(normed, part.qkv).view(rows, 3, heads, width)
    cache[:, :, :, at] = qkv[:, 1:].transpose(0, 1)
    keys, values = cache[:, :, :, : at + 1]
    seen = F.scaled_dot_product_attention(qkv[:, 0].unsqueeze(2).to(cache.dtype), keys, values)
    x = plus_times(x, seen.reshape(rows, dim).to(part.out.dtype), part.out)
    x = cross(part, x, None if state.cross_kv is None else state.cross_kv[index])
    normed = F.layer_norm(x, (dim,), layer.norm2.weight, layer.norm2.bias)
    return plus_times(x, F.gelu(times(normed, part.widen)), part.narrow)


def cross(part: FusedLayer, x: Tensor, cross_kv: tuple[Tensor, Tensor] | None) -> Tensor:
    """Add cross-attention: from the absorbed matrices if there are any, else from keys and values.  [generate]"""
    norm = part.layer.norm_cross
    if cross_kv is None or norm is None or part.query is None or part.cross_out is None:
        return x
    rows, heads, vectors, width = cross_kv[0].shape
    normed = F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias)
    if part.absorb is None or part.release is None:
        query = times(normed, part.query).view(rows, heads, 1, width)
        return plus_times(x, attend(query, *cross_kv).reshape(rows, -1), part.cross_out)
    scores = torch.bmm(normed.unsqueeze(1), part.absorb).view(rows, heads, vectors)
    weights = scores.softmax(dim=-1).view(rows, 1, heads * vectors)
    return torch.baddbmm(x.unsqueeze(1), weights, part.release)[:, 0]
