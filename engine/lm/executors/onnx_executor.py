"""Steps of a language model on ONNX Runtime on a CPU: like `engine.lm.executors.fused`, on 8-bit weights.

torch does the prefill, in float32; both write the same cache. A step reads a quarter of the bytes of weights, keys and
values, and is one call: on a busy machine that is three times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.lm.conditions import Conditions
from engine.lm.executors import onnx_graph
from engine.lm.executors.basic import BasicExecutor
from engine.lm.executors.cache_scales import cache_scales
from engine.lm.executors.known import lie_row_by_row, renew_known
from engine.lm.model import LanguageModel
from engine.lm.state import LMState
from engine.ort.session import Session
from engine.ort.taken import let_go


@dataclass
class OnnxBound:
    """One state's buffers, bound to a session once; `run` advances them by a step.  [generate]"""

    executor: OnnxExecutor
    session: Session
    binding: Any
    tokens: Tensor  # [R, 1, K] int64
    added: Tensor  # [R, 1, D]
    lengths: Tensor  # [R] int32: positions in the cache
    total: Tensor  # [1] int32
    logits: Tensor  # [R, 1, K * card]
    known: Tensor  # [R, S, D] known inputs: position and frame features of every step
    memory: list[tuple[Tensor, ...]]  # keys and values to attend to, layer by layer: float32 whatever the weights are

    def run(self, tokens: Tensor, state: LMState) -> Tensor:
        """Tokens [R, K] of the state's next step to logits [R, K * card]."""
        self.tokens.copy_(tokens.unsqueeze(1))
        self.added.copy_(self.known[:, state.step : state.step + 1])
        self.lengths.fill_(state.length)
        self.total.fill_(state.length + 1)
        self.session.run(self.binding)
        return self.logits[:, 0].clone()

    def conditions_changed(self, conditions: Conditions, first_row: int) -> None:
        """Update `known` to frame features that changed from a row on."""
        renew_known(self.executor.lm, self.known, conditions, first_row)

    def rebound(self, state: LMState) -> OnnxBound:
        """Buffers of a copy of the state; shares the known inputs."""
        return self.executor.bind_known(state, self.known)


class OnnxExecutor(BasicExecutor):
    """Takes each state's step in ONNX Runtime; opens sessions when first needed.  [generate]"""

    def __init__(self, lm: LanguageModel, bits: int | None = 8, prefill_half: bool = False) -> None:
        """Weights in `bits` 8 or 4 and the cache in 8; None = both in float32."""
        super().__init__(lm, torch.float32 if bits is None else torch.int8, prefill_half)
        self.bits = bits
        self.scales = None if bits is None else cache_scales(lm)
        self._sessions: dict[bool, Session] = {}

    @property
    def precision(self) -> str:
        """Precision of a step's weights."""
        return super().precision if self.bits is None else f"int{self.bits}"

    def session(self, cross: bool) -> Session:
        """The session for steps with or without a memory."""
        if cross not in self._sessions:
            graph = onnx_graph.build(self.lm, cross, self.bits, small_cache=self.scales is not None)
            self._sessions[cross] = session = Session(graph, what="a step of the language model")
            let_go(session, graph)
        return self._sessions[cross]

    def ready(self, *crosses: bool) -> OnnxExecutor:
        """Open its sessions for steps with (True) or without (False) a memory; returns itself.

        Raises UnsupportedError if ONNX Runtime cannot run them.
        """
        for cross in crosses:
            self.session(cross)
        return self

    @property
    def held_bytes(self) -> int:
        """Memory of its sessions' weights.  [any]"""
        return sum(session.held_bytes for session in self._sessions.values())

    def bind(self, state: LMState, conditions: Conditions, capacity_steps: int) -> OnnxBound:
        """A new state's buffers bound to its session."""
        lie_row_by_row(state)
        return self.bind_known(state, self.lm.known_inputs(conditions, capacity_steps, state.rows))

    def bind_known(self, state: LMState, known: Tensor) -> OnnxBound:
        """The same with known inputs `known` [R, S, D]."""
        config, rows = self.lm.config, state.rows
        session = self.session(state.cross_kv is not None)
        binding = session.binding()
        bound = OnnxBound(
            self,
            session,
            binding,
            tokens=torch.zeros(rows, 1, config.n_codebooks, dtype=torch.int64),
            added=torch.zeros(rows, 1, config.dim),
            lengths=torch.zeros(rows, dtype=torch.int32),
            total=torch.zeros(1, dtype=torch.int32),
            logits=torch.zeros(rows, 1, config.n_codebooks * config.card),
            known=known,
            memory=[tuple(part.float() for part in pair) for pair in state.cross_kv or ()],
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
            if bound.memory:
                for part, memory in zip(onnx_graph.PARTS, bound.memory[index], strict=True):
                    session.bind_input(binding, f"layer{index}.memory_{part}", memory)
        return bound
