"""Prompts in half precision: equal to autocast, with the matrices converted once."""

from __future__ import annotations

import pytest
import torch

from engine.core.config import LMConfig
from engine.lm import Conditions, LanguageModel
from engine.lm.executors import half_prefill
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.executors.packed import can_pack

pytestmark = pytest.mark.skipif(
    not can_pack(torch.bfloat16), reason="this PyTorch or processor multiplies no packed halves"
)


def quantised(half: bool = True, **changes) -> OnnxExecutor:
    torch.set_num_threads(1)
    torch.manual_seed(5)
    config = LMConfig(dim=64, n_heads=4, n_layers=2, card=32, **changes)
    return OnnxExecutor(LanguageModel(config).eval().requires_grad_(False), 8, prefill_half=half)


def read(executor: OnnxExecutor, pieces: list[int], memory: torch.Tensor | None, prefix: torch.Tensor | None):
    conditions, config = Conditions(memory=memory, prefix=prefix), executor.lm.config
    tokens = torch.randint(0, config.card, (2, config.n_codebooks, sum(pieces)), generator=seeded(1))
    state = executor.init_state(2, sum(pieces) + 4, conditions)
    begin, logits = 0, None
    for count in pieces:
        logits = executor.prefill(tokens[..., begin : begin + count], conditions, state)
        begin += count
    return logits, state


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("pieces", [[40], [25, 1, 14]])
@pytest.mark.parametrize("prefix_steps", [0, 3])
def test_it_reads_what_autocast_reads(monkeypatch, cross, pieces, prefix_steps):
    executor, exact = (quantised(half, cross_attention=cross) for half in (True, False))
    memory = torch.randn(2, 7, 64, generator=seeded(2)) if cross else None
    prefix = torch.randn(2, prefix_steps, 64, generator=seeded(3)) if prefix_steps else None
    halves = half_prefill.HalfPrefill(executor.lm)
    assert halves.matrices() is not None
    got, state = read(executor, pieces, memory, prefix)
    monkeypatch.setattr(half_prefill, "MOST_BYTES", 0)
    assert halves.matrices() is None
    wanted, plain = read(executor, pieces, memory, prefix)
    assert state.length == plain.length == sum(pieces) + prefix_steps
    assert (got - wanted).std() < 0.02 * wanted.std()
    assert (state.cache.float() - plain.cache.float()).abs().max() <= 3  # of 127: rounding of halves
    float32, _ = read(exact, pieces, memory, prefix)
    assert 0 < (got - float32).std() < 0.03 * float32.std()
    assert 0 < (wanted - float32).std() < 0.03 * float32.std()


def test_the_copies_are_made_once_and_follow_the_weights():
    lm = quantised(cross_attention=True).lm
    halves = half_prefill.HalfPrefill(lm)
    first = halves.matrices()
    assert halves.matrices() is first
    lm.layers[0].linear1.weight = torch.nn.Parameter(torch.zeros_like(lm.layers[0].linear1.weight), requires_grad=False)
    assert halves.matrices() is not first
    matrices = 2 * (64 * 64 * (4 + 2 * lm.config.ffn_mult) + 4 * 64 * 64)
    assert half_prefill.half_bytes(lm) == 2 * matrices


def test_inputs_are_made_in_float32():
    """Frame features and embeddings reach the first layer in float32; only the layers' products are in half
    precision."""
    executor, seen = quantised(frame_features=3), []
    lm, frames = executor.lm, torch.randn(2, 12, 3, generator=seeded(4))
    for part in (lm.frame_proj, lm.layers[0].norm1):
        part.register_forward_hook(lambda module, given, out: seen.append(given[0].dtype))
    lm.frame_proj.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    state = executor.init_state(2, 20, Conditions(frames=frames))
    seen.clear()
    executor.prefill(torch.zeros(2, 4, 12, dtype=torch.int64), Conditions(frames=frames), state)
    assert seen
    assert set(seen) == {torch.float32}
