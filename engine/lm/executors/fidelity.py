"""The difference of a precision from float32: error of the logits, and change of the draws.

    exact_run = teacher_run(exact, conditions)                             # this executor draws, guided, from a seed
    near_run  = teacher_run(other, conditions, tokens=exact_run.tokens)    # the other reads the same tokens
    compare(exact_run, near_run)                                    # Fidelity

Both read the same tokens at every step, so that errors do not accumulate through different draws. Only steps are
compared: prefill always runs in float32 or half precision. Random weights spread the logits differently from trained
ones, so their figures say little about trained ones; the bench reports which it used.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.core.guidance import Guidance, combine
from engine.core.sampling import Sampling, draw, probabilities
from engine.lm.conditions import Conditions
from engine.lm.executors.base import Executor

STEPS = 48
GUIDANCE, SAMPLING = Guidance(3.0), Sampling(True, 1.0, 250)


@dataclass(frozen=True)
class TeacherRun:
    """Input tokens [K, S], and logits [S, R, K, card] of the step after each, float32 on the CPU.  [any]"""

    tokens: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Fidelity:
    """One precision against another, over all steps and codebooks.

    `error_std` and `error_max` are errors of all rows' logits before guidance, relative to the exact logits' spread.
    `total_variation` is half the summed difference of the two distributions that tokens are drawn from (after guidance,
    temperature and top-k), the share of draws that the other precision changes: its mean, and `total_variation_p95`.
    `first_choice` is the share of steps with the same likeliest token.  [any]
    """

    error_std: float
    error_max: float
    total_variation: float
    total_variation_p95: float
    first_choice: float


@torch.inference_mode()
def teacher_run(
    executor: Executor, conditions: Conditions, steps: int = STEPS, seed: int = 0, tokens: Tensor | None = None
) -> TeacherRun:
    """Take `steps` guided steps of one lane (2 rows) after the first; `tokens` [K, steps] are read instead of drawn.

    The rows are those of `conditions`.  [generate]
    """
    config, device = executor.lm.config, executor.lm.device
    rows, generator = conditions.rows or 1, torch.Generator().manual_seed(seed)
    sampling = Sampling(True, SAMPLING.temperature, min(SAMPLING.top_k, config.card))
    known = torch.full((config.n_codebooks, steps + 1), config.special, device=device)
    if tokens is not None:
        known[:, 1:] = tokens.to(device)
    state = executor.init_state(rows, steps + 1, conditions)
    executor.prefill(known[:, :1].expand(rows, -1, -1), conditions, state)
    state.back_to(0)  # the step code takes the first step too
    out = []
    for step in range(steps):
        logits = executor.step(known[:, step].expand(rows, -1), state).float().cpu()
        out.append(logits)
        if tokens is None:
            known[:, step + 1] = draw(combine(logits, GUIDANCE), sampling, generator).to(device)
    return TeacherRun(known[:, 1:].cpu(), torch.stack(out))


def compare(exact: TeacherRun, near: TeacherRun) -> Fidelity:
    """The difference of `near` from `exact`; ValueError if they did not read the same tokens.  [any]"""
    if not torch.equal(exact.tokens, near.tokens):
        raise ValueError("both must have read the same tokens: give the second the first one's")
    difference, spread = near.logits - exact.logits, float(exact.logits.std())
    drawn = [_distribution(run.logits) for run in (exact, near)]
    variation = (drawn[0] - drawn[1]).abs().sum(dim=-1) / 2
    same = drawn[0].argmax(dim=-1) == drawn[1].argmax(dim=-1)
    return Fidelity(
        error_std=float(difference.std()) / spread,
        error_max=float(difference.abs().max()) / spread,
        total_variation=float(variation.mean()),
        total_variation_p95=float(variation.flatten().quantile(0.95)),
        first_choice=float(same.float().mean()),
    )


def _distribution(logits: Tensor) -> Tensor:
    """Logits [S, R, K, card] to the distributions [S, K, card] that are drawn from."""
    guided = combine(logits.transpose(0, 1), GUIDANCE)
    sampling = Sampling(True, SAMPLING.temperature, min(SAMPLING.top_k, logits.shape[-1]))
    return probabilities(guided, sampling)
