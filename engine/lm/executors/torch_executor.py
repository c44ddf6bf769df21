"""Steps in PyTorch, on the model's own weights: used if no faster executor can be."""

from __future__ import annotations

import torch

from engine.lm.conditions import Conditions
from engine.lm.executors.basic import BasicExecutor
from engine.lm.executors.fused import FusedBound, fuse
from engine.lm.executors.packed import PackedWeights
from engine.lm.model import LanguageModel
from engine.lm.state import LMState


class TorchExecutor(BasicExecutor):
    """Takes each state's step separately, with as few torch operations as possible.  [generate]"""

    def __init__(self, lm: LanguageModel, cache_dtype: torch.dtype | None = None, prefill_half: bool = False) -> None:
        super().__init__(lm, cache_dtype, prefill_half)
        self._packed = PackedWeights(lm)

    def bind(self, state: LMState, conditions: Conditions, capacity_steps: int) -> FusedBound:
        """The weights regrouped for the state's memory."""
        return FusedBound(self.lm, fuse(self.lm, state.cross_kv, self._packed.own()), conditions)
