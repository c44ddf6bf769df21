"""Logits to tokens: temperature, top-k, top-p and the draw (MusicGen's rules).

Shapes: K codebooks, card entries per codebook. Every codebook is drawn independently. Nothing here reads a
tensor back to Python, so the same code runs in a GPU loop without a hidden synchronisation.

On a CPU a draw uses none of PyTorch's threads: after a call they spin for a while on the cores of the next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import index

import numpy as np
import torch
from torch import Tensor

FEW_ROWS = 16
TINY = 1e-30  # smallest noise value: keeps p / noise finite


@dataclass(frozen=True)
class Sampling:
    """Settings of a draw: greedy if `use_sampling` is off or `temperature` is 0.

    `top_p` above 0 wins over `top_k`; `top_k` 0 keeps every entry.  Raises ValueError out of range.  [any]
    """

    use_sampling: bool = True
    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}, must be a finite number from 0")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}, must be 0 (off) or more")
        if not 0.0 <= self.top_p <= 1.0:
            raise ValueError(f"top_p is {self.top_p}, must be 0 (off) to 1")

    @property
    def greedy(self) -> bool:
        """Whether the largest logit is taken and no random number is used.  [any]"""
        return not self.use_sampling or self.temperature <= 0.0

    def check(self, card: int) -> None:
        """Raise ValueError if `top_k` exceeds the `card` entries of a codebook.  [any]"""
        if not self.greedy and self.top_p <= 0.0 and self.top_k > card:
            raise ValueError(f"top_k is {self.top_k}, this model's codebooks have {card} entries (0 = all)")


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Distribution over the last axis after temperature and top-p or top-k, renormalised.

    logits float [..., card] -> float32 [..., card].  Ties with the k-th largest entry are kept.  [generate]
    """
    probs = _softmax(logits.float() / sampling.temperature)
    if sampling.top_p > 0.0:
        return _keep_top_p(probs, sampling.top_p)
    if sampling.top_k > 0:
        return _keep_top_k(probs, sampling.top_k)
    return probs


def _softmax(scores: Tensor) -> Tensor:
    """Softmax over the last axis.  [generate]"""
    if scores.device.type != "cpu" or scores.dim() != 2 or len(scores) > FEW_ROWS:
        return torch.softmax(scores, dim=-1)
    return torch.stack([torch.softmax(row, dim=-1) for row in scores.unbind()])  # two rows at once use two threads


def _keep_top_k(probs: Tensor, top_k: int) -> Tensor:
    return keep_from(probs, torch.topk(probs, top_k, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True))


def keep_from(probs: Tensor, smallest: Tensor) -> Tensor:
    """Drop entries below `smallest` [..., 1], and renormalise.  [generate]"""
    kept = probs * (probs >= smallest)
    return kept / kept.sum(dim=-1, keepdim=True)


def _keep_top_p(probs: Tensor, top_p: float) -> Tensor:
    return keep_top_p(*torch.sort(probs, dim=-1, descending=True), top_p)


def keep_top_p(ordered: Tensor, order: Tensor, top_p: float | Tensor) -> Tensor:
    """From probabilities in descending order, and their old indexes: those kept, renormalised, in the old order.

    Drops entries if the cumulative probability BEFORE them exceeds `top_p`.  [generate]
    """
    before = torch.cumsum(ordered, dim=-1) - ordered
    ordered = torch.where(before > top_p, torch.zeros_like(ordered), ordered)
    ordered = ordered / ordered.sum(dim=-1, keepdim=True)
    return torch.zeros_like(ordered).scatter_(-1, order, ordered)


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """One token per leading index: logits float [K, card] -> int64 [K].

    Uses exactly K * card random numbers of `generator` per call (none if greedy), so a lane's draws do not depend on
    other lanes.  `argmax(p / e)` with e exponential draws from p without a round trip to the CPU (torch.multinomial
    makes one); e is computed from uniform numbers, which torch draws four times as fast as exponential ones.
    [generate]
    """
    if sampling.greedy:
        return logits.argmax(dim=-1)
    probs = probabilities(logits, sampling)
    noise = _log(torch.empty_like(probs).uniform_(generator=generator)).neg_().clamp_(min=TINY)
    return (probs / noise).argmax(dim=-1)


def _log(numbers: Tensor) -> Tensor:
    """The logarithms, in place; PyTorch's own uses all threads even for few numbers.  [generate]"""
    if numbers.device.type != "cpu":
        return numbers.log_()
    array = numbers.numpy()
    with np.errstate(divide="ignore"):
        np.log(array, out=array)
    return numbers


def checked_seed(seed: object) -> int:
    """A seed as an int, also from numpy's integers.  Raises ValueError for others, or outside +-2**62.  [any]"""
    try:
        whole = index(seed)  # type: ignore[arg-type]
    except TypeError:
        whole = 1 << 62
    if abs(whole) >= 1 << 62:
        raise ValueError(f"seed is {seed!r}, must be a whole number between -2**62 and 2**62")
    return whole


def seeded_generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A lane's own generator, started from `seed`.  [any]"""
    generator = torch.Generator(device=device)
    generator.manual_seed(seed)
    return generator
