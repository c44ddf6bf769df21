"""Prompts in halves: what autocast computes, with the matrices turned into halves once."""

from __future__ import annotations

import pytest
import torch

from engine.core.config import LMConfig
from engine.lm import Conditions, LanguageModel, half_prefill
from engine.lm.executors.onnx_step import OnnxStepper
from engine.lm.executors.packed import can_pack

pytestmark = pytest.mark.skipif(
    not can_pack(torch.bfloat16), reason="this PyTorch or processor multiplies no packed halves"
)


def quantised(**changes) -> LanguageModel:
    torch.set_num_threads(1)
    torch.manual_seed(5)
    config = LMConfig(dim=64, n_heads=4, n_layers=2, card=32, **changes)
    lm = LanguageModel(config).eval().requires_grad_(False)
    lm.stepper = OnnxStepper(lm, 8)
    lm.prefill_half = True
    return lm


def read(lm: LanguageModel, pieces: list[int], memory: torch.Tensor | None, prefix: torch.Tensor | None):
    conditions = Conditions(memory=memory, prefix=prefix)
    tokens = torch.randint(0, lm.config.card, (2, lm.config.n_codebooks, sum(pieces)), generator=seeded(1))
    state = lm.init_state(2, sum(pieces) + 4, conditions)
    begin, logits = 0, None
    for count in pieces:
        logits = lm.prefill(tokens[..., begin : begin + count], conditions, state)
        begin += count
    return logits, state


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("pieces", [[40], [25, 1, 14]])
@pytest.mark.parametrize("prefix_steps", [0, 3])
def test_it_reads_what_autocast_reads(monkeypatch, cross, pieces, prefix_steps):
    lm = quantised(cross_attention=cross)
    memory = torch.randn(2, 7, 64, generator=seeded(2)) if cross else None
    prefix = torch.randn(2, prefix_steps, 64, generator=seeded(3)) if prefix_steps else None
    assert half_prefill.halves(lm) is not None
    got, state = read(lm, pieces, memory, prefix)
    monkeypatch.setattr(half_prefill, "MOST_BYTES", 0)
    assert half_prefill.halves(lm) is None
    wanted, plain = read(lm, pieces, memory, prefix)
    assert state.length == plain.length == sum(pieces) + prefix_steps
    assert (got - wanted).std() < 0.02 * wanted.std()
    assert (state.cache.float() - plain.cache.float()).abs().max() <= 3  # of 127: rounding of halves
    lm.prefill_half = False
    exact, _ = read(lm, pieces, memory, prefix)
    assert (got - exact).std() < 0.03 * exact.std()
    assert (wanted - exact).std() < 0.03 * exact.std()


def test_the_copies_are_made_once_and_follow_the_weights():
    lm = quantised(cross_attention=True)
    first = half_prefill.halves(lm)
    assert half_prefill.halves(lm) is first
    lm.layers[0].linear1.weight = torch.nn.Parameter(torch.zeros_like(lm.layers[0].linear1.weight), requires_grad=False)
    assert half_prefill.halves(lm) is not first
    matrices = 2 * (64 * 64 * (4 + 2 * lm.config.ffn_mult) + 4 * 64 * 64)
    assert half_prefill.half_bytes(lm) == 2 * matrices


def test_who_reads_in_float32_has_none():
    lm = quantised(cross_attention=False)
    lm.prefill_half = False
    assert half_prefill.halves(lm) is None
