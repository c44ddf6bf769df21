"""Causal attention with a gradient on a CPU, in blocks of queries, which skip most of the masked half.

torch's fused kernel is the fastest forward pass, but its backward pass takes twice as long on a CPU as plain products,
and plain products of whole sequences also compute the half above the diagonal. Here each block of queries uses the keys
up to its own end. Products are fastest if the number of steps is a multiple of 16.
"""

from typing import Any

import torch
from torch import Tensor

BLOCK_STEPS = 128


class CausalAttention(torch.autograd.Function):
    """Causal softmax(q k^T / sqrt(D)) v of [B, S, D] each, in the precision of its inputs."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """[B, S, D]; stores the attention weights for the backward pass.  [generate]"""
        steps, out, weights = q.shape[1], torch.empty_like(q), []
        for start in range(0, steps, BLOCK_STEPS):
            end = min(start + BLOCK_STEPS, steps)
            later = torch.full((end - start, end), float("-inf"), dtype=q.dtype).triu(1 + start)
            scores = torch.baddbmm(later, q[:, start:end], k[:, :end].transpose(1, 2), alpha=q.shape[2] ** -0.5)
            weights.append(scores.softmax(dim=-1).to(q.dtype))
            out[:, start:end] = torch.bmm(weights[-1], v[:, :end])
        ctx.save_for_backward(q, k, v, *weights)
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of q, k and v, block by block.  [generate]"""
        q, k, v, *weights = ctx.saved_tensors
        scale, grad = q.shape[2] ** -0.5, grad_outputs[0].contiguous()
        to_q, to_k, to_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for index, seen in enumerate(weights):
            start = index * BLOCK_STEPS
            end = seen.shape[2]
            part = grad[:, start:end]
            to_v[:, :end] += torch.bmm(seen.transpose(1, 2), part)
            to_seen = torch.bmm(part, v[:, :end].transpose(1, 2))
            to_scores = torch.ops.aten._softmax_backward_data(to_seen, seen, -1, seen.dtype)
            to_q[:, start:end] = torch.bmm(to_scores, k[:, :end]) * scale
            to_k[:, :end] += torch.bmm(to_scores.transpose(1, 2), q[:, start:end]) * scale
        return to_q, to_k, to_v


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of [R, H, S, D] on a CPU, with a gradient.  [generate]"""
    rows, heads, steps, width = q.shape
    flat = (x.reshape(rows * heads, steps, width) for x in (q, k, v))
    attended: Tensor = CausalAttention.apply(*flat)
    return attended.view(rows, heads, steps, width)
