"""What a stream keeps between steps: a static KV cache and the position. One value per lane and window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from engine.lm.fused import FusedStep
    from engine.lm.onnx_step import BoundStep


@dataclass
class LMState:
    """Keys and values [L, 2, R, H, C, D/H] written in place up to `length`, and each layer's cross keys and values.

    A state belongs to one window of one lane; `prefill` and `step` advance it. To go back, begin again from the
    tokens: they are the truth, the cache is only their echo.
    """

    cache: Tensor
    cross_kv: list[tuple[Tensor, Tensor]] | None
    fused: FusedStep | None
    length: int = 0
    step: int = 0
    bound: BoundStep | None = None  # where ONNX Runtime takes the steps, in place of `fused`

    @property
    def rows(self) -> int:
        """R, the guidance rows."""
        return self.cache.shape[2]

    @property
    def capacity(self) -> int:
        """Positions the cache can hold, prefix included."""
        return self.cache.shape[4]
