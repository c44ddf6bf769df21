"""The language model's state between steps: a static KV cache and the position, one per pass of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class LMState:
    """Keys and values [L, 2, R, H, C, D/H] written in place up to `length`, and each layer's cross keys and values.

    A state belongs to one window of one lane; prefill and steps advance it. The cache is derived from the tokens, so
    going back only overwrites it. An 8-bit cache has `scales` [L, 2, H, 1, D/H].
    """

    cache: Tensor
    cross_kv: list[tuple[Tensor, Tensor]] | None
    length: int = 0
    step: int = 0
    scales: Tensor | None = None
    bound: Any = None  # the executor's data for this state

    @property
    def rows(self) -> int:
        """R, the guidance rows.  [generate]"""
        return self.cache.shape[2]

    @property
    def capacity(self) -> int:
        """Positions that the cache can hold, including the prefix.  [generate]"""
        return self.cache.shape[4]

    def back_to(self, step: int) -> None:
        """Go back so that the steps from `step` on are taken again; ValueError if they were not taken.  [generate]"""
        if not 0 <= step <= self.step:
            raise ValueError(f"cannot go back to step {step}, {self.step} were taken")
        self.length -= self.step - step
        self.step = step

    def extend(self, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write a layer's new keys and values [R, H, S, D/H] at `length`; returns all of them.  [generate]

        An 8-bit cache returns old ones rounded, new ones exact; its scales grow to fit the first ones written (a prefix
        may have larger values than music).
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
