"""Layers of the decoder transformer; parameter names are those of the published checkpoints.

Source: MusicGen (Copet et al. 2023): pre-norm layers, sinusoidal positions, no biases except in LayerNorm.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.core.config import LMConfig
from engine.lm.causal import causal_attention


def sinusoidal(positions: Tensor, dim: int, max_period: float) -> Tensor:
    """Position vectors [S, dim] for positions [S]: cosines first, then sines; exponent i / (dim/2 - 1).  [any]"""
    half = dim // 2
    exponent = torch.arange(half, device=positions.device, dtype=torch.float32) / max(1, half - 1)
    angle = positions.to(torch.float32).unsqueeze(-1) / (max_period**exponent)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, causal: bool = False) -> Tensor:
    """Attention of whole sequences [R, H, S, D/H], with a gradient if required.

    torch's fused kernel is the fastest forward pass, but its backward pass on a CPU takes twice as long as plain
    products.
    [generate]
    """
    if not (torch.is_grad_enabled() and q.requires_grad and q.device.type == "cpu"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    if causal:
        return causal_attention(q, k, v)
    rows, heads, steps, width = q.shape
    flat_q, flat_k, flat_v = (x.reshape(rows * heads, -1, width) for x in (q, k, v))
    scores = torch.baddbmm(q.new_zeros(1, 1), flat_q, flat_k.transpose(1, 2), alpha=width**-0.5)
    return torch.bmm(scores.softmax(dim=-1), flat_v).view(rows, heads, steps, width)


class Matrix(nn.Linear):
    """A linear layer without bias that accepts an input of any precision and computes in its own."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., n_in] to [..., n_out] in the weight's precision.  [generate]"""
        return F.linear(x.to(self.weight.dtype), self.weight)


class Attention(nn.Module):
    """Multi-head attention with one fused [3D, D] input matrix and no biases."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.head_dim = dim // n_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.out_proj = Matrix(dim, dim)
        nn.init.normal_(self.in_proj_weight, std=1.0 / math.sqrt(dim))

    def split(self, x: Tensor) -> Tensor:
        """[R, S, D] to [R, H, S, D/H].  [generate]"""
        return x.view(*x.shape[:2], self.n_heads, self.head_dim).transpose(1, 2)

    def query_key_value(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Self-attention's three projections of x [R, S, D], split into heads.  [generate]"""
        weight = self.in_proj_weight
        q, k, v = F.linear(x.to(weight.dtype), weight).chunk(3, dim=-1)
        return self.split(q), self.split(k), self.split(v)

    def query(self, x: Tensor) -> Tensor:
        """The query of x [R, S, D] (cross-attention).  [generate]"""
        dim = x.shape[-1]
        weight = self.in_proj_weight[:dim]
        return self.split(F.linear(x.to(weight.dtype), weight))

    def key_value(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a memory [R, M, D]; constant over a window, so computed once.  [generate]"""
        dim = memory.shape[-1]
        weight = self.in_proj_weight[dim:]
        k, v = F.linear(memory.to(weight.dtype), weight).chunk(2, dim=-1)
        return self.split(k), self.split(v)

    def merge(self, heads: Tensor) -> Tensor:
        """[R, H, S, D/H] back to [R, S, D], through the output matrix.  [generate]"""
        rows, _, steps, _ = heads.shape
        return self.out_proj(heads.transpose(1, 2).reshape(rows, steps, -1))


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention if configured, feed-forward; each after its LayerNorm."""

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        dim = config.dim
        self.self_attn = Attention(dim, config.n_heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attention = Attention(dim, config.n_heads) if config.cross_attention else None
        self.norm_cross = nn.LayerNorm(dim) if config.cross_attention else None
        self.linear1 = Matrix(dim, config.ffn_mult * dim)
        self.linear2 = Matrix(config.ffn_mult * dim, dim)
        self.norm2 = nn.LayerNorm(dim)

    def cross(self, x: Tensor, cross_kv: tuple[Tensor, Tensor] | None) -> Tensor:
        """Add cross-attention; without a memory x is unchanged. No mask, like the reference.  [generate]"""
        if self.cross_attention is None or self.norm_cross is None or cross_kv is None:
            return x
        query = self.cross_attention.query(self.norm_cross(x))
        heads = attend(query, *cross_kv)
        return x + self.cross_attention.merge(heads)

    def feed_forward(self, x: Tensor) -> Tensor:
        """Add the feed-forward part (exact GELU).  [generate]"""
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))
