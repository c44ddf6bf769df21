"""The native draw gives the same tokens as PyTorch's, and never an invalid one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.guidance import Guidance, combine
from engine.core.sampling import Sampling, draw
from engine.lm.executors import native_draw
from engine.lm.executors.native import library
from engine.lm.executors.native_draw import draw_guided

CARD = 200


pytestmark = pytest.mark.usefixtures("native")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_torch(logits: torch.Tensor, guidance: Guidance, sampling: Sampling, seed: int) -> torch.Tensor:
    return draw(combine(logits, guidance), sampling, seeded(seed))


def test_it_is_used() -> None:
    assert native_draw._trusted("")


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("card", [CARD, 77, 1])
@pytest.mark.parametrize("top_k", [0, 1, 9])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_it_draws_what_pytorch_draws(rows: int, card: int, top_k: int, temperature: float) -> None:
    guidance = Guidance(3.0, cfg_coef_beta=5.0 if rows == 3 else None)
    sampling = Sampling(temperature=temperature, top_k=min(top_k, card))
    for seed in range(30):
        logits = 2 * torch.randn(rows, 4, card, generator=seeded(1000 + seed))
        ours = native_draw._native(logits, guidance, sampling, seeded(seed))
        assert torch.equal(ours, by_torch(logits, guidance, sampling, seed))


def test_it_takes_as_many_random_numbers() -> None:
    ours, theirs = seeded(5), seeded(5)
    logits = torch.randn(2, 4, CARD, generator=seeded(0))
    native_draw._native(logits, Guidance(), Sampling(top_k=20), ours)
    draw(combine(logits, Guidance()), Sampling(top_k=20), theirs)
    assert torch.equal(ours.get_state(), theirs.get_state())


def test_tokens_come_as_often_as_they_are_probable() -> None:
    logits, generator, n = torch.tensor([0.0, 1.0, 2.0, -30.0]).expand(1, 4, 4), seeded(0), 4000
    drawn = torch.cat([native_draw._native(logits, Guidance(), Sampling(top_k=0), generator) for _ in range(n)])
    often = np.bincount(drawn.numpy(), minlength=4) / (4 * n)
    assert np.allclose(often, torch.softmax(logits[0, 0], -1).numpy(), atol=0.02)


def test_ties_with_the_last_of_the_best_are_kept() -> None:
    logits, drawn = torch.zeros(1, 4, CARD), set()
    for seed in range(60):
        drawn |= set(native_draw._native(logits, Guidance(), Sampling(top_k=1), seeded(seed)).tolist())
    assert len(drawn) > 50


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_logits_that_are_no_numbers_still_give_tokens(bad: float, share: float) -> None:
    for seed in range(20):
        logits = torch.randn(2, 4, CARD, generator=seeded(seed))
        logits[torch.rand(logits.shape, generator=seeded(seed)) < share] = bad
        tokens = native_draw._native(logits, Guidance(), Sampling(top_k=20), seeded(seed))
        assert ((tokens >= 0) & (tokens < CARD)).all()


@pytest.mark.parametrize(
    "sampling", [Sampling(use_sampling=False), Sampling(temperature=0.0), Sampling(top_k=0, top_p=0.8)]
)
def test_what_it_does_not_do_is_pytorchs(sampling: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_draw, "_native", None)
    logits = torch.randn(2, 4, CARD, generator=seeded(3))
    assert torch.equal(draw_guided(logits, Guidance(), sampling, seeded(1)), by_torch(logits, Guidance(), sampling, 1))


def test_half_logits_and_views_are_drawn_too() -> None:
    logits = torch.randn(4, 2, CARD, generator=seeded(3)).transpose(0, 1)
    sampling = Sampling(top_k=20)
    assert torch.equal(draw_guided(logits, Guidance(), sampling, seeded(1)), by_torch(logits, Guidance(), sampling, 1))
    half = logits.bfloat16()
    assert torch.equal(draw_guided(half, Guidance(), sampling, seeded(1)), by_torch(half, Guidance(), sampling, 1))


def test_switched_off_pytorch_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.SWITCH, "0")
    monkeypatch.setattr(native_draw, "_native", None)
    logits = torch.randn(2, 4, CARD, generator=seeded(3))
    assert torch.equal(
        draw_guided(logits, Guidance(), Sampling(top_k=9), seeded(1)),
        by_torch(logits, Guidance(), Sampling(top_k=9), 1),
    )
