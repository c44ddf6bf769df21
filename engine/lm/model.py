"""The token language model: one class for every size, trained and published checkpoints alike.

    input of step s  =  sum over codebooks of emb_k(token[k, s])  +  frame features of frame s  +  position
    output of step s ->  logits of step s + 1, that is of code (k, s - delay[k])

Source: MusicGen (Copet et al. 2023). Positions count from the first prefix vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.core.config import LMConfig
from engine.lm import half_prefill
from engine.lm.conditions import Conditions
from engine.lm.executors import fused, select
from engine.lm.executors.packed import packed
from engine.lm.layers import DecoderLayer, Matrix, attend, sinusoidal
from engine.lm.state import LMState

if TYPE_CHECKING:
    from engine.lm.executors.device import DeviceStepper
    from engine.lm.executors.device.runner import Runner

POSITIONS_AT_LEAST = 2048


class Transformer(nn.Module):
    """Holder of the layers, so that parameter names equal the published ones."""

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.n_layers))


class LanguageModel(nn.Module):
    """Decoder transformer over K delayed codebooks; `forward` whole, `prefill` and `step` streamed."""

    def __init__(self, config: LMConfig) -> None:
        super().__init__()
        self.config = config
        self._positions: Tensor | None = None
        self.cache_dtype: torch.dtype | None = None  # of keys and values; None = that of the weights
        self.stepper: select.Stepper | None = None  # takes the steps in place of the layers here (processors)
        self.prefill_half = False  # whether prefill computes its products in bfloat16
        self._device_step: DeviceStepper | None = None
        self.emb = nn.ModuleList(nn.Embedding(config.card + 1, config.dim) for _ in range(config.n_codebooks))
        self.frame_proj = nn.Linear(config.frame_features, config.dim) if config.frame_features else None
        self.transformer = Transformer(config)
        self.out_norm = nn.LayerNorm(config.dim)
        self.linears = nn.ModuleList(Matrix(config.dim, config.card) for _ in range(config.n_codebooks))

    @property
    def device_step(self) -> DeviceStepper | None:
        """What takes the steps of all windows together: on every device but processors, there by `step_together`.

        [generate]
        """
        if self._device_step is None and self.out_norm.weight.device.type != "cpu":
            self.step_together()
        return self._device_step

    def step_together(self, runner: Runner | None = None) -> DeviceStepper:
        """From now on steps are taken as on a GPU; ValueError where a stepper takes them.  [generate]"""
        from engine.lm.executors.device import DeviceStepper

        if self.stepper is not None:
            raise ValueError("the steps of this model are taken on few-bit weights, with a cache of their own")
        self._device_step = DeviceStepper(self, runner)
        return self._device_step

    @property
    def precision(self) -> str:
        """Of the weights that a step reads: float32, float16, bfloat16, int8 or int4.  [generate]"""
        if self.stepper is not None and self.stepper.bits is not None:
            return f"int{self.stepper.bits}"
        return str(self.linears[0].weight.dtype).removeprefix("torch.")

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
        """What the logits of a whole delayed sequence [R, K, S] are read from: [R, S, D], before the last norm.

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

    @torch.inference_mode()
    def init_state(self, rows: int, capacity_steps: int, conditions: Conditions) -> LMState:
        """An empty cache for `capacity_steps` audio steps and the prefix; cross keys computed once.  [generate]"""
        config, weight = self.config, self.out_norm.weight
        capacity = capacity_steps + conditions.prefix_steps
        shape = (config.n_layers, 2, rows, config.n_heads, capacity, config.head_dim)
        cross = None
        if conditions.memory is not None and config.cross_attention:
            memory = conditions.memory
            cross = [layer.cross_attention.key_value(memory) for layer in self.layers if layer.cross_attention]
        together = self.device_step
        stepper = self.stepper or (select.plain(self) if together is None else None)
        if stepper is not None:
            if cross is not None:
                cross = [(keys.contiguous(), values.contiguous()) for keys, values in cross]
            scales = None if stepper.scales is None else stepper.scales.clone()
            state = LMState(torch.zeros(shape, dtype=stepper.cache_dtype), cross, None, scales=scales)
            state.bound = stepper.bind(state, self.known_inputs(conditions, capacity_steps, rows))
            return state
        cache = torch.zeros(shape, dtype=self.cache_dtype or weight.dtype, device=weight.device)
        return LMState(cache, cross, fused.fuse(self, cross, packed(self)) if together is None else together.weights)

    def known_inputs(self, conditions: Conditions, n_steps: int, rows: int) -> Tensor:
        """What is added to the embeddings of every step [R, S, D]: position and frame features.  [generate]"""
        weight = self.out_norm.weight
        known = self.positions(conditions.prefix_steps, n_steps, weight).expand(rows, -1, -1).clone()
        if self.frame_proj is not None and conditions.frames is not None:
            frames = conditions.frames[:, :n_steps]
            known[:, : frames.shape[1]] += self.frame_proj(frames)
        return known

    @torch.inference_mode()
    def hear_anew(self, conditions: Conditions, state: LMState, first_row: int) -> None:
        """Frame features have changed from a row on that no step has read: what was worked out of them follows.

        [generate]
        """
        if state.bound is not None and conditions.frames is not None:
            known = state.bound.known
            known[:, first_row:] = self.known_inputs(conditions, known.shape[1], state.rows)[:, first_row:]
        if self.device_step is not None:
            self.device_step.hear_anew(conditions, first_row)

    @torch.inference_mode()
    def prefill(self, tokens: Tensor, conditions: Conditions, state: LMState) -> Tensor:
        """Run known steps [R, K, S] (and, first, the prefix); logits [R, K, card] of the last one.  [generate]

        May be called again with later steps; frames are read at the state's own step.
        """
        n_steps = tokens.shape[-1]
        frames = conditions.frames
        if frames is not None:
            frames = frames[:, state.step : state.step + n_steps]
        x = self.embed(tokens, frames)
        if state.length == 0 and conditions.prefix is not None:
            x = torch.cat([conditions.prefix, x], dim=1)
        state.step += n_steps
        half = self.prefill_half or torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return self._advance(x, state).float()

    @torch.inference_mode()
    def step(self, tokens: Tensor, state: LMState, frames: Tensor | None = None) -> Tensor:
        """One step: tokens [R, K], features of this step [R, F] or None; logits [R, K, card].  [generate]"""
        if state.length >= state.capacity:
            raise ValueError(f"cache holds {state.capacity} positions, {state.length + 1} needed")
        if state.bound is not None:
            logits = state.bound.run(tokens, state.step, state.length)
            state.step, state.length = state.step + 1, state.length + 1
            return logits.view(-1, self.config.n_codebooks, self.config.card)
        assert state.fused is not None
        x = fused.embed(state.fused, tokens)
        if self.frame_proj is not None and frames is not None:
            x = x + self.frame_proj(frames)
        state.step += 1
        return fused.advance(self, x + self.positions(state.length, 1, x), state)

    def _advance(self, x: Tensor, state: LMState) -> Tensor:
        """Inputs [R, S, D] through the layers with the cache; logits [R, K, card] of the last position."""
        count, start = x.shape[1], state.length
        end = start + count
        if end > state.capacity:
            raise ValueError(f"cache holds {state.capacity} positions, {end} needed")
        x = x + self.positions(start, count, x)
        mask = self._causal(count, start, x.device)
        matrices = half_prefill.halves(self)
        x = self._through(x, state, mask) if matrices is None else half_prefill.advance(self, x, state, matrices, mask)
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
        """Mask [count, start + count] when both old and several new positions are there, else None."""
        if count == 1 or start == 0:
            return None
        ones = torch.ones(count, start + count, dtype=torch.bool, device=device)
        return ones.tril(diagonal=start)
