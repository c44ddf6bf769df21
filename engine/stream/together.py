"""One step of several lanes in one pass: weights are read once for all of them, caches stay each lane's own.

    rows of lane A | rows of lane B | ...      through every matrix together
         |                |
    own cache        own cache                 attention, each over its own past

Equal to each lane's own step up to rounding, and so not on the CPU, where a lane's tokens are the same to the last
bit whatever plays beside it (see `lanes`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.lm import LanguageModel, LMState, fused
from engine.lm.fused import FusedStep
from engine.lm.layers import plus_times, times
from engine.stream.window import Window, step_frames


def can_join(window: Window) -> bool:
    """Whether a window's next step is one step of torch's in one pass: no prefill, no two-step guidance.  [generate]"""
    return window.next_step > 0 and len(window.states) == 1 and window.states[0].fused is not None


def _fused(state: LMState) -> FusedStep:
    """A joining state's weights; `can_join` has seen that it has them."""
    assert state.fused is not None
    return state.fused


@torch.inference_mode()
def step_together(windows: Sequence[Window]) -> list[Tensor]:
    """Logits [R, K, card] of each window's next step; all of one model, all `can_join`.  [generate]"""
    lm, states = windows[0].lm, [window.states[0] for window in windows]
    rows = [state.rows for state in states]
    x = torch.cat([_inputs(lm, window, state) for window, state in zip(windows, states, strict=True)])
    for index in range(len(lm.layers)):
        x = _layer(x, index, states, rows)
    for state in states:
        state.length += 1
        state.step += 1
    hidden = F.layer_norm(x, x.shape[-1:], lm.out_norm.weight, lm.out_norm.bias)
    logits = times(hidden, _fused(states[0]).heads).float().view(-1, lm.config.n_codebooks, lm.config.card)
    return list(logits.split(rows))


def _inputs(lm: LanguageModel, window: Window, state: LMState) -> Tensor:
    """A lane's rows [R, D]: embeddings, frame features, position."""
    if state.length >= state.capacity:
        raise ValueError(f"cache holds {state.capacity} positions, {state.length + 1} needed")
    x = fused.embed(_fused(state), window.last_column().expand(state.rows, -1))
    frames = step_frames(window.conditions[0], state.step)
    if lm.frame_proj is not None and frames is not None:
        x = x + lm.frame_proj(frames)
    return x + lm.positions(state.length, 1, x)


def _layer(x: Tensor, index: int, states: Sequence[LMState], rows: list[int]) -> Tensor:
    parts = [_fused(state).layers[index] for state in states]
    part, layer, dim = parts[0], parts[0].layer, x.shape[-1]
    qkv = times(F.layer_norm(x, (dim,), layer.norm1.weight, layer.norm1.bias), part.qkv)
    seen = [_attend(own, state, index) for own, state in zip(qkv.split(rows), states, strict=True)]
    x = plus_times(x, torch.cat(seen).to(part.out.dtype), part.out)
    if layer.cross_attention is not None:
        memories = [None if state.cross_kv is None else state.cross_kv[index] for state in states]
        lanes = zip(parts, x.split(rows), memories, strict=True)
        x = torch.cat([fused.cross(own, own_x, memory) for own, own_x, memory in lanes])
    normed = F.layer_norm(x, (dim,), layer.norm2.weight, layer.norm2.bias)
    return plus_times(x, F.gelu(times(normed, part.widen)), part.narrow)


def _attend(qkv: Tensor, state: LMState, index: int) -> Tensor:
    """One lane's self-attention over its own cache: [R, 3 D] to [R, D]."""
    cache, at = state.cache[index], state.length
    heads, width = cache.shape[2], cache.shape[4]
    split = qkv.view(state.rows, 3, heads, width)
    cache[:, :, :, at] = split[:, 1:].transpose(0, 1)
    keys, values = cache[:, :, :, : at + 1]
    seen = F.scaled_dot_product_attention(split[:, 0].unsqueeze(2).to(cache.dtype), keys, values)
    return seen.reshape(state.rows, heads * width)
