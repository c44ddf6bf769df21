"""Steps of a language model on ONNX Runtime, for processors: what `engine.lm.executors.fused` does, on 8-bit weights.

Prefill stays with torch, in float32; both write the same cache. A step reads a quarter of the bytes, of weights and
of keys and values, and is one call: with a busy machine around it that is worth a factor of three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from engine.lm.conditions import Conditions
from engine.lm.executors import onnx_graph
from engine.lm.precision import half_is_faster
from engine.lm.state import LMState
from engine.ort.session import Session
from engine.ort.taken import let_go

if TYPE_CHECKING:
    from engine.lm.model import LanguageModel

CALIBRATION_STEPS = 256
HEADROOM = 2.0  # of the 8-bit cache over what calibration saw


@dataclass
class BoundStep:
    """One state's buffers, bound to a session once; `run` moves them on by a step."""

    stepper: OnnxStepper
    session: Session
    binding: Any
    tokens: Tensor  # [R, 1, K] int64
    added: Tensor  # [R, 1, D]
    lengths: Tensor  # [R] int32: positions already there
    total: Tensor  # [1] int32
    logits: Tensor  # [R, 1, K * card]
    known: Tensor  # [R, S, D]: position and frame features of every step

    def run(self, tokens: Tensor, step: int, length: int) -> Tensor:
        """Tokens [R, K] of one step at a cache of `length` positions; logits [R, K * card].  [generate]"""
        self.tokens.copy_(tokens.unsqueeze(1))
        self.added.copy_(self.known[:, step : step + 1])
        self.lengths.fill_(length)
        self.total.fill_(length + 1)
        self.session.run(self.binding)
        return self.logits[:, 0].clone()


class OnnxStepper:
    """Makes states whose steps ONNX Runtime takes, for one model; sessions are built when first needed."""

    def __init__(self, model: LanguageModel, bits: int | None = 8) -> None:
        """Weights in `bits` 8 or 4 and the cache in 8; None = both in float32.  [generate]"""
        self.model, self.bits = model, bits
        self.scales = None if bits is None else cache_scales(model)  # [L, 2, H, 1, D/H]
        self.cache_dtype = torch.float32 if bits is None else torch.int8
        self._sessions: dict[bool, Session] = {}

    def session(self, cross: bool) -> Session:
        """The session for steps with or without a memory.  [generate]"""
        if cross not in self._sessions:
            graph = onnx_graph.build(self.model, cross, self.bits, small_cache=self.scales is not None)
            self._sessions[cross] = session = Session(graph, what="a step of the language model")
            let_go(session, graph)
        return self._sessions[cross]

    def ready(self, *crosses: bool) -> OnnxStepper:
        """Itself, its sessions open for steps with (True) or without (False) a memory.

        Raises UnsupportedError where ONNX Runtime cannot run them.  [generate]
        """
        for cross in crosses:
            self.session(cross)
        return self

    @property
    def held_bytes(self) -> int:
        """Of the weights that its sessions have.  [any]"""
        return sum(session.held_bytes for session in self._sessions.values())

    def bind(self, state: LMState, known: Tensor) -> BoundStep:
        """A state's buffers bound to its session; `known` [R, S, D] is added to the steps' inputs.  [generate]"""
        config, rows = self.model.config, state.rows
        session = self.session(state.cross_kv is not None)
        binding = session.binding()
        bound = BoundStep(
            self,
            session,
            binding,
            tokens=torch.zeros(rows, 1, config.n_codebooks, dtype=torch.int64),
            added=torch.zeros(rows, 1, config.dim),
            lengths=torch.zeros(rows, dtype=torch.int32),
            total=torch.zeros(1, dtype=torch.int32),
            logits=torch.zeros(rows, 1, config.n_codebooks * config.card),
            known=known,
        )
        for name in ("tokens", "added", "lengths", "total"):
            session.bind_input(binding, name, getattr(bound, name))
        session.bind_output(binding, "logits", bound.logits)
        for index in range(config.n_layers):
            for part, cache in zip(onnx_graph.PARTS, state.cache[index], strict=True):
                session.bind_input(binding, f"layer{index}.{part}", cache)
                session.bind_output(binding, f"layer{index}.{part}.after", cache)
            if state.scales is not None:
                for part, scale in zip(onnx_graph.PARTS, state.scales[index].flatten(1), strict=True):
                    session.bind_input(binding, f"layer{index}.{part}.scale", scale)
            if state.cross_kv is not None:
                for part, memory in zip(onnx_graph.PARTS, state.cross_kv[index], strict=True):
                    session.bind_input(binding, f"layer{index}.memory_{part}", memory)
        return bound


@torch.inference_mode()
def cache_scales(model: LanguageModel) -> Tensor:
    """Scales [L, 2, H, 1, D/H] of an 8-bit cache: twice what the channels reach on random tokens.  [generate]

    Music stays below 1.7 times of it (the embedded model, its training data), so nothing is cut off.
    """
    config = model.config
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, config.card, (2, config.n_codebooks, CALIBRATION_STEPS), generator=generator)
    shape = (config.n_layers, 2, 2, config.n_heads, CALIBRATION_STEPS, config.head_dim)
    state = LMState(torch.zeros(shape), None, None)
    with torch.autocast("cpu", torch.bfloat16, enabled=half_is_faster()):
        model.prefill(tokens, Conditions(), state)
    largest = state.cache.abs().amax(dim=(2, 4)).unsqueeze(3)
    return largest.clamp(min=1e-6) * (HEADROOM / 127.0)
