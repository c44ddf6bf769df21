"""Sampling and guidance against vectors of the reference, and their guarantees for a lane."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.guidance import Guidance, combine
from engine.core.sampling import Sampling, draw, probabilities, seeded_generator

VECTORS = Path(__file__).parents[2] / "data" / "golden" / "misc" / "sampling.npz"


def golden_cases() -> list[str]:
    if not VECTORS.exists():
        return []
    return [name for name in np.load(VECTORS).files if name != "logits"]


def sampling_of(name: str) -> Sampling:
    match = re.fullmatch(r"(softmax|topk|topp)([\d.]*)_t([\d.]+)", name)
    assert match is not None
    kind, value, temperature = match.groups()
    top_k = int(value) if kind == "topk" else 0
    top_p = float(value) if kind == "topp" else 0.0
    return Sampling(temperature=float(temperature), top_k=top_k, top_p=top_p)


def test_golden_vectors_are_there():
    assert len(golden_cases()) >= 16


@pytest.mark.parametrize("name", golden_cases())
def test_probabilities_match_reference(name):
    vectors = np.load(VECTORS)
    got = probabilities(torch.from_numpy(vectors["logits"]), sampling_of(name)).numpy()
    np.testing.assert_allclose(got, vectors[name], atol=1e-6)
    assert np.array_equal(got == 0, vectors[name] == 0)  # the same entries survive


def test_ties_with_the_kth_largest_are_kept():
    probs = probabilities(torch.tensor([[2.0, 1.0, 1.0, 0.0]]), Sampling(top_k=2))
    assert (probs > 0).tolist() == [[True, True, True, False]]


def test_greedy_uses_no_randomness():
    generator = seeded_generator(1)
    before = generator.get_state()
    tokens = draw(torch.tensor([[0.0, 3.0, 1.0]]), Sampling(temperature=0.0), generator)
    assert tokens.tolist() == [1]
    assert torch.equal(before, generator.get_state())


def test_draw_follows_the_distribution():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).expand(20000, 4)
    tokens = draw(logits, Sampling(top_k=3), seeded_generator(7))
    share = torch.bincount(tokens, minlength=4) / len(tokens)
    np.testing.assert_allclose(share.numpy(), [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0], atol=0.012)


def test_same_seed_same_tokens_and_other_seed_others():
    logits = torch.zeros(4, 512)
    first = draw(logits, Sampling(), seeded_generator(3))
    assert torch.equal(first, draw(logits, Sampling(), seeded_generator(3)))
    assert not torch.equal(first, draw(logits, Sampling(), seeded_generator(4)))


@pytest.mark.parametrize("wrong", [{"temperature": float("nan")}, {"temperature": -1.0}, {"top_k": -1}, {"top_p": 1.5}])
def test_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_top_k_above_the_codebook_is_refused():
    with pytest.raises(ValueError, match=r"250.*64"):
        Sampling(top_k=250).check(64)
    Sampling(top_k=250, use_sampling=False).check(64)


def test_guidance_single_and_double():
    rows = torch.randn(3, 4, 10)
    single = combine(rows[[0, 2]], Guidance(cfg_coef=3.0))
    torch.testing.assert_close(single, rows[2] + 3.0 * (rows[0] - rows[2]))
    beta_one = combine(rows, Guidance(cfg_coef=3.0, cfg_coef_beta=1.0))
    torch.testing.assert_close(beta_one, single, atol=1e-5, rtol=1e-5)
    wav_is_null = combine(rows[[0, 2, 2]], Guidance(cfg_coef=3.0, cfg_coef_beta=5.0))
    torch.testing.assert_close(wav_is_null, rows[2] + 15.0 * (rows[0] - rows[2]), atol=1e-5, rtol=1e-5)


def test_guidance_refuses_other_row_counts():
    with pytest.raises(ValueError, match="3 rows"):
        combine(torch.zeros(3, 4, 8), Guidance())
