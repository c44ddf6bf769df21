"""Steps of a language model on ONNX Runtime, for processors: what `engine.lm.fused` does, on 8-bit weights.

Prefill stays with torch, in float32; both write the same cache. A step reads a quarter of the weights' bytes and
calls one library function, so it takes less than half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from engine.lm import onnx_graph

if TYPE_CHECKING:
    from engine.lm.conditions import Conditions
    from engine.lm.model import LanguageModel
    from engine.lm.state import LMState


@dataclass
class BoundStep:
    """One state's buffers, bound to a session once; `run` moves them on by a step."""

    session: Any
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
        self.session.run_with_iobinding(self.binding)
        return self.logits[:, 0].clone()


class OnnxStepper:
    """Makes bound steps for one model's states; sessions are built when first needed."""

    def __init__(self, model: LanguageModel, bits: int | None = 8, threads: int = 1) -> None:
        self.model, self.bits, self.threads = model, bits, threads
        self._sessions: dict[bool, Any] = {}

    def session(self, cross: bool) -> Any:
        """The session for steps with or without a memory.  [generate]"""
        if cross not in self._sessions:
            graph = onnx_graph.build(self.model, cross, self.bits)
            self._sessions[cross] = _open(graph, self.threads)
        return self._sessions[cross]

    def bind(self, state: LMState, conditions: Conditions, capacity_steps: int) -> BoundStep:
        """Bind a new state's cache and memory.  [generate]"""
        model, config, rows = self.model, self.model.config, state.rows
        session = self.session(state.cross_kv is not None)
        binding = session.io_binding()
        bound = BoundStep(
            session,
            binding,
            tokens=torch.zeros(rows, 1, config.n_codebooks, dtype=torch.int64),
            added=torch.zeros(rows, 1, config.dim),
            lengths=torch.zeros(rows, dtype=torch.int32),
            total=torch.zeros(1, dtype=torch.int32),
            logits=torch.zeros(rows, 1, config.n_codebooks * config.card),
            known=model.known_inputs(conditions, capacity_steps, rows),
        )
        for name in ("tokens", "added", "lengths", "total"):
            _bind(binding.bind_input, name, getattr(bound, name))
        _bind(binding.bind_output, "logits", bound.logits)
        for index in range(config.n_layers):
            for part, cache in zip(("keys", "values"), state.cache[index], strict=True):
                _bind(binding.bind_input, f"layer{index}.{part}", cache)
                _bind(binding.bind_output, f"layer{index}.{part}.now", cache)
            if state.cross_kv is not None:
                for part, memory in zip(("keys", "values"), state.cross_kv[index], strict=True):
                    _bind(binding.bind_input, f"layer{index}.memory_{part}", memory)
        return bound


def _bind(bind: Any, name: str, tensor: Tensor) -> None:
    kinds = {torch.float32: np.float32, torch.int32: np.int32, torch.int64: np.int64}
    if not tensor.is_contiguous():
        raise ValueError(f"'{name}' is not contiguous")
    bind(name, "cpu", 0, kinds[tensor.dtype], tuple(tensor.shape), tensor.data_ptr())


def _open(graph: onnx_graph.StepGraph, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in graph.weights.values()]
    options.add_external_initializers(list(graph.weights), values)
    return onnxruntime.InferenceSession(graph.model, options, providers=["CPUExecutionProvider"])
