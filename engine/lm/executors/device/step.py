"""The step: tensor operations on static buffers, none of which is read on the host.

Computes for N rows of any lanes what `executors.fused` computes for one lane: each row has its own position, memory and
frame features. Inactive rows are computed too; their writes lie after their valid data, and their own next step
overwrites them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.lm.executors.device.buffers import Buffers
from engine.lm.executors.device.draw import draw_columns
from engine.lm.executors.fused import FusedLayer, FusedStep
from engine.lm.executors.packed import plus_times, times
from engine.lm.model import LanguageModel


@dataclass(frozen=True)
class StepShape:
    """The constants of a step; a graph is captured for each.

    Uses the first `rows` rows, the first `positions` of the cache, the first `memory` vectors; `draws` the next column,
    or only leaves the logits.
    """

    rows: int
    positions: int
    memory: int = 0
    draws: bool = True


@dataclass(frozen=True)
class Places:
    """The position of each row in this step."""

    rows: Tensor  # [N]
    position: Tensor  # [N] in the cache
    reach: Tensor  # [N * H, 1, C] attention mask: 0 where a row may attend, minus infinity after
    memory_reach: Tensor | None  # [N * H, 1, M]


@torch.inference_mode()
def take_step(lm: LanguageModel, weights: FusedStep, buffers: Buffers, shape: StepShape) -> None:
    """Take one step of every active lane: updates cache, logits and, if it `draws`, sequence and `at`.  [generate]"""
    n, rows = shape.rows, buffers.row[: shape.rows]
    head = buffers.head[:n]
    at = buffers.at.index_select(0, head)
    column = buffers.sequence[head, :, at].clamp(min=0)  # unused rows may hold any value
    x = F.embedding(column + weights.offsets, weights.table).sum(dim=1) + buffers.known[rows, at]
    places = _places(lm, buffers, shape, buffers.prefix[:n] + at)
    for index, part in enumerate(weights.layers):
        x = _layer(part, x, buffers, index, places, shape)
    logits = times(_norm(x, lm.out_norm), weights.heads).float()
    buffers.logits[:n] = logits.view(n, lm.config.n_codebooks, lm.config.card)
    if shape.draws:
        draw_columns(buffers, n)


def _places(lm: LanguageModel, buffers: Buffers, shape: StepShape, position: Tensor) -> Places:
    numbers = buffers.position
    heads, dtype = lm.config.n_heads, buffers.cache.dtype
    reach = _reach(numbers[: shape.positions] <= position.unsqueeze(1), heads, dtype)
    memory = None
    if shape.memory and buffers.memory is not None:
        there = numbers[: shape.memory] < buffers.vectors[: shape.rows].clamp(min=1).unsqueeze(1)
        memory = _reach(there, heads, buffers.memory.dtype)
    return Places(buffers.row[: shape.rows], position, reach, memory)


def _reach(seen: Tensor, heads: int, dtype: torch.dtype) -> Tensor:
    """The visible positions [N, C] as an additive mask of all heads' scores [N * H, 1, C]."""
    bias = torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, float("-inf"))
    return bias.unsqueeze(1).expand(-1, heads, -1).reshape(-1, 1, bias.shape[1])


def _norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias)


def _layer(part: FusedLayer, x: Tensor, buffers: Buffers, index: int, places: Places, shape: StepShape) -> Tensor:
    layer, cache, n = part.layer, buffers.cache[index], shape.rows
    heads, width = cache.shape[2], cache.shape[4]
    qkv = times(_norm(x, layer.norm1), part.qkv).view(n, 3, heads, width).to(cache.dtype)
    cache[:, places.rows, :, places.position] = qkv[:, 1:]
    keys, values = cache[:, :n, :, : shape.positions]
    x = plus_times(x, _attend(qkv[:, 0], keys, values, places.reach).to(part.out.dtype), part.out)
    attended, memory = layer.cross_attention, buffers.memory
    if attended is not None and layer.norm_cross is not None and memory is not None and places.memory_reach is not None:
        query = times(_norm(x, layer.norm_cross), attended.in_proj_weight[: heads * width].t())
        keys, values = memory[index, :, :n, :, : shape.memory]
        seen = _attend(query.view(n, heads, width).to(memory.dtype), keys, values, places.memory_reach)
        matrix = attended.out_proj.weight.t()
        x = plus_times(x, seen.to(matrix.dtype), matrix)
    return plus_times(x, F.gelu(times(_norm(x, layer.norm2), part.widen)), part.narrow)


def _attend(query: Tensor, keys: Tensor, values: Tensor, reach: Tensor) -> Tensor:
    """Attention of one query per row [N, H, D/H] over [N, H, C, D/H]: [N, D].

    Two batched products: torch's fused kernels take one block per head of a row, however long the cache is, and leave
    most of a GPU idle with few rows.
    """
    rows, heads, width = query.shape
    flat_keys, flat_values = keys.flatten(0, 1), values.flatten(0, 1)  # views of the cache
    flat = query.reshape(rows * heads, 1, width)
    scores = torch.baddbmm(reach, flat, flat_keys.transpose(1, 2), alpha=width**-0.5)
    return torch.bmm(scores.softmax(dim=-1), flat_values).view(rows, heads * width)
