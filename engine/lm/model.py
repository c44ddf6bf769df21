"""The token language model: one class for every size, trained and published checkpoints alike.

    input of step s  =  sum over codebooks of emb_k(token[k, s])  +  frame features of frame s  +  position
    output of step s ->  logits of step s + 1, that is of code (k, s - delay[k])

Source: MusicGen (Copet et al. 2023). Positions count from the first prefix vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.core.config import LMConfig
from engine.lm.conditions import Conditions
from engine.lm.layers import DecoderLayer, Matrix, attend, sinusoidal
from engine.lm.state import LMState

POSITIONS_AT_LEAST = 2048
Layers = Callable[[Tensor, LMState, Tensor | None], Tensor]  # inputs [R, S, D], state, mask -> hidden [R, S, D]


class Transformer(nn.Module):
    """Holds the layers, so that parameter names equal the published ones."""

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.n_layers))


class LanguageModel(nn.Module):
    """Decoder transformer over K delayed codebooks: `forward` whole, `prefill` with a cache.

    Executors (`engine.lm.executors`) take single steps; the model does not depend on them.
    """

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        self.config = config
        self._positions: Tensor | None = None
        self.emb = nn.ModuleList(nn.Embedding(config.card + 1, config.dim) for _ in range(config.n_codebooks))
        self.frame_proj = nn.Linear(config.frame_features, config.dim) if config.frame_features else None
        self.transformer = Transformer(config)
        self.out_norm = nn.LayerNorm(config.dim)
        self.linears = nn.ModuleList(Matrix(config.dim, config.card) for _ in range(config.n_codebooks))

    @property
    def device(self) -> torch.device:
        """The weights' device.  [any]"""
        return self.out_norm.weight.device

    @property
    def layers(self) -> list[DecoderLayer]:
        """The decoder layers, typed.  [generate]"""
        return cast(list[DecoderLayer], list(self.transformer.layers))

    def embed(self, tokens: Tensor, frames: Tensor | None) -> Tensor:
        """Tokens [R, K, S] and features of the same steps [R, <=S, F] to inputs [R, S, D], without positions.

        [generate]
        """
        x = self.emb[0](tokens[:, 0])
        for k in range(1, self.config.n_codebooks):
            x = x + self.emb[k](tokens[:, k])
        if self.frame_proj is not None and frames is not None and frames.shape[1]:
            known = self.frame_proj(frames)
            x = x + F.pad(known, (0, 0, 0, tokens.shape[-1] - frames.shape[1]))
        return x

    def positions(self, start: int, count: int, like: Tensor) -> Tensor:
        """Position vectors [count, D] from position `start`.  [generate]"""
        table = self._positions
        if table is None or len(table) < start + count or table.device != like.device:
            at = torch.arange(max(POSITIONS_AT_LEAST, 2 * (start + count)), device=like.device)
            table = self._positions = sinusoidal(at, self.config.dim, self.config.max_period)
        return table[start : start + count].to(like.dtype)

    def logits(self, x: Tensor) -> Tensor:
        """Hidden [R, S, D] to logits [R, K, S, card], float32.  [generate]"""
        x = self.out_norm(x)
        return torch.stack([head(x) for head in self.linears], dim=1).float()

    def forward(self, tokens: Tensor, conditions: Conditions) -> Tensor:
        """Logits [R, K, S, card] of a whole delayed sequence [R, K, S]; no cache (training, checks).  [generate]"""
        return self.logits(self.hidden(tokens, conditions))

    def hidden(self, tokens: Tensor, conditions: Conditions) -> Tensor:
        """Hidden states [R, S, D] of a whole delayed sequence [R, K, S], before the last norm.

        [generate]
        """
        frames = conditions.frames
        x = self.embed(tokens, None if frames is None else frames[:, : tokens.shape[-1]])
        prefix_steps = conditions.prefix_steps
        if conditions.prefix is not None:
            x = torch.cat([conditions.prefix, x], dim=1)
        x = x + self.positions(0, x.shape[1], x)
        for layer in self.layers:
            q, k, v = layer.self_attn.query_key_value(layer.norm1(x))
            x = x + layer.self_attn.merge(attend(q, k, v, causal=True))
            memory = conditions.memory
            if layer.cross_attention is not None and memory is not None:
                x = layer.cross(x, layer.cross_attention.key_value(memory))
            x = layer.feed_forward(x)
        return x[:, prefix_steps:]

    def cross_keys_values(self, conditions: Conditions) -> list[tuple[Tensor, Tensor]] | None:
        """Each layer's keys and values of the conditions' memory; None without a memory.  [generate]"""
        memory = conditions.memory
        if memory is None or not self.config.cross_attention:
            return None
        return [layer.cross_attention.key_value(memory) for layer in self.layers if layer.cross_attention]

    def known_inputs(self, conditions: Conditions, n_steps: int, rows: int) -> Tensor:
        """Known inputs [R, S, D], added to every step's embeddings: position and frame features.  [generate]"""
        weight = self.out_norm.weight
        known = self.positions(conditions.prefix_steps, n_steps, weight).expand(rows, -1, -1).clone()
        if self.frame_proj is not None and conditions.frames is not None:
            frames = conditions.frames[:, :n_steps]
            known[:, : frames.shape[1]] += self.frame_proj(frames)
        return known

    @torch.inference_mode()
    def prefill(self, tokens: Tensor, conditions: Conditions, state: LMState) -> Tensor:
        """Run known steps [R, K, S], the prefix before the first; logits [R, K, card] of the last one.

        May be called again with later steps; frames are read at the state's own step. ValueError if the cache is too
        short.  [generate]
        """
        return self.advance(self.inputs(tokens, conditions, state), state)

    def inputs(self, tokens: Tensor, conditions: Conditions, state: LMState) -> Tensor:
        """Inputs [R, S, D] of known steps [R, K, S] of a state, the prefix before the first.  [generate]"""
        frames = conditions.frames
        if frames is not None:
            frames = frames[:, state.step : state.step + tokens.shape[-1]]
        x = self.embed(tokens, frames)
        if state.length == 0 and conditions.prefix is not None:
            x = torch.cat([conditions.prefix, x], dim=1)
        state.step += tokens.shape[-1]
        return x

    def advance(self, x: Tensor, state: LMState, layers: Layers | None = None) -> Tensor:
        """Inputs [R, S, D] through the layers with the cache; logits [R, K, card] of the last position.

        `layers` replaces the computation of all layers.  [generate]
        """
        count, start = x.shape[1], state.length
        end = start + count
        if end > state.capacity:
            raise ValueError(f"cache holds {state.capacity} positions, {end} needed")
        x = x + self.positions(start, count, x)
        x = (layers or self._through)(x, state, self._causal(count, start, x.device))
        state.length = end
        return self.logits(x[:, -1:])[:, :, 0]

    def _through(self, x: Tensor, state: LMState, mask: Tensor | None) -> Tensor:
        """Inputs [R, S, D], positions added, through all layers: hidden [R, S, D]."""
        for index, layer in enumerate(self.layers):
            q, k, v = layer.self_attn.query_key_value(layer.norm1(x))
            keys, values = state.extend(index, k, v)
            heads = F.scaled_dot_product_attention(
                q.to(keys.dtype), keys, values, attn_mask=mask, is_causal=mask is None and x.shape[1] > 1
            )
            x = x + layer.self_attn.merge(heads.to(x.dtype))
            x = layer.cross(x, None if state.cross_kv is None else state.cross_kv[index])
            x = layer.feed_forward(x)
        return x

    @staticmethod
    def _causal(count: int, start: int, device: torch.device) -> Tensor | None:
        """Mask [count, start + count] for several new positions after old ones, else None."""
        if count == 1 or start == 0:
            return None
        ones = torch.ones(count, start + count, dtype=torch.bool, device=device)
        return ones.tril(diagonal=start)
