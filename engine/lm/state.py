"""What a stream keeps between steps: a static KV cache and the position. One value per lane and window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class LMState:
    """Keys and values [L, 2, R, H, C, D/H] written in place up to `length`, and each layer's cross keys and values.

    A state belongs to one window of one lane; prefill and steps advance it. The tokens are the truth, the cache
    is only their echo: to go back is to let it be written again. An 8-bit cache has `scales` [L, 2, H, 1, D/H].
    """

    cache: Tensor
    cross_kv: list[tuple[Tensor, Tensor]] | None
    length: int = 0
    step: int = 0
    scales: Tensor | None = None
    bound: Any = None  # whatever takes the steps keeps here what it has worked out for this state

    @property
    def rows(self) -> int:
        """R, the guidance rows.  [generate]"""
        return self.cache.shape[2]

    @property
    def capacity(self) -> int:
        """Positions the cache can hold, prefix included.  [generate]"""
        return self.cache.shape[4]

    def back_to(self, step: int) -> None:
        """Let the steps from `step` on be taken again; ValueError where they were not taken yet.  [generate]"""
        if not 0 <= step <= self.step:
            raise ValueError(f"cannot go back to step {step}, {self.step} were taken")
        self.length -= self.step - step
        self.step = step

    def extend(self, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write a layer's new keys and values [R, H, S, D/H] behind `length`; all there are then.  [generate]

        From an 8-bit cache the old ones come back rounded, the new ones as they are; its scales grow to fit the first
        ones that it takes (a prefix may reach further than music does).
        """
        start, end = self.length, self.length + keys.shape[2]
        cache, new = self.cache[index], torch.stack([keys, values])
        if self.scales is None:
            cache[..., start:end, :] = new
            return cache[0, ..., :end, :], cache[1, ..., :end, :]
        if start == 0:
            reach = new.abs().amax(dim=(1, 3)).unsqueeze(2) / 127.0  # [2, H, 1, D/H]
            torch.maximum(self.scales[index], reach.to(self.scales.dtype), out=self.scales[index])
        scale = self.scales[index].unsqueeze(1)
        cache[..., start:end, :] = (new / scale).round().clamp(-127, 127).to(torch.int8)
        every = torch.cat([cache[..., :start, :].to(new.dtype) * scale, new], dim=-2)
        return every[0], every[1]
