"""Guidance and sampling of all lanes at once, each with its own numbers: `guidance.combine` and `sampling.draw`.

Random numbers are an input: a lane's own generator fills its row of `noise` before the step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.core.sampling import TINY, keep_from, keep_top_p
from engine.lm.executors.base import UNKNOWN
from engine.lm.executors.device.buffers import Buffers


def guided(buffers: Buffers, n: int) -> Tensor:
    """Guided logits [N, K, card] of each row's lane.

    A lane of two rows uses its first as the middle one, a lane of one row uses it for all: the extra terms are then
    exactly zero.  [generate]
    """
    conditional, middle, null = (
        buffers.logits.index_select(0, rows[:n]) for rows in (buffers.head, buffers.middle, buffers.null)
    )
    mixed = middle + _of_rows(buffers.beta, n) * (conditional - middle)
    return null + _of_rows(buffers.cfg, n) * (mixed - null)


def draw_rows(buffers: Buffers, n: int) -> Tensor:
    """One token [N, K] per row and codebook, by the sampling of the row.  [generate]"""
    logits = guided(buffers, n)
    probs = torch.softmax(logits / _of_rows(buffers.temperature, n), dim=-1)
    ordered, order = torch.sort(probs, dim=-1, descending=True)
    top_k, top_p = _of_rows(buffers.top_k, n), _of_rows(buffers.top_p, n)
    last = (top_k - 1).clamp(0, probs.shape[-1] - 1).expand(-1, probs.shape[1], -1)
    by_count = torch.where(top_k > 0, keep_from(probs, ordered.gather(-1, last)), probs)
    kept = torch.where(top_p > 0.0, keep_top_p(ordered, order, top_p), by_count)
    noise = buffers.noise[:n].log().neg().clamp(min=TINY)
    return torch.where(buffers.greedy[:n].unsqueeze(1), logits.argmax(dim=-1), (kept / noise).argmax(dim=-1))


def draw_columns(buffers: Buffers, n: int) -> None:
    """Fill the unknown cells of every active lane's next column and advance it.  [generate]"""
    rows, at, active = buffers.row[:n], buffers.at[:n], buffers.active[:n]
    column = buffers.sequence[rows, :, at + 1]
    unknown = (column == UNKNOWN) & active.unsqueeze(1)
    buffers.sequence[rows, :, at + 1] = torch.where(unknown, draw_rows(buffers, n), column)
    at.add_(active)


def _of_rows(numbers: Tensor, n: int) -> Tensor:
    return numbers[:n].view(n, 1, 1)
