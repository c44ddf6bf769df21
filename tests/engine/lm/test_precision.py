"""Half precision: which weights are halved, the error of the logits, and that all paths agree."""

from __future__ import annotations

import copy

import pytest
import torch

from engine.core.config import LMConfig
from engine.errors import UnsupportedError
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.fused import FusedBound, fuse
from engine.lm.executors.native import library
from engine.lm.executors.packed import PackedWeights, can_pack
from engine.lm.executors.select import choose
from engine.lm.executors.torch_executor import TorchExecutor
from engine.lm.precision import chosen_dtype, place_dtype

STEPS, ROWS = 40, 2
# of the logits' own spread; the reference's autocast rounds in the same places
BOUNDS = {torch.float16: 0.001, torch.bfloat16: 0.008}


def whole_precision(cross: bool) -> LanguageModel:
    """Random weights with the published models' spread, of small width, 8 layers deep; stored as float16."""
    torch.manual_seed(0)
    lm = LanguageModel(LMConfig(dim=128, n_heads=2, n_layers=8, card=256, cross_attention=cross)).eval()
    with torch.no_grad():
        for parameter in lm.parameters():
            parameter.copy_(parameter.half().float())
    return lm.requires_grad_(False)


def halved(lm: LanguageModel, dtype: torch.dtype) -> LanguageModel:
    half, dtype_of = copy.deepcopy(lm), place_dtype(dtype)
    for name, parameter in half.named_parameters():
        parameter.data = parameter.data.to(dtype_of(name))
    return half


def given(cross: bool) -> Conditions:
    vectors = torch.randn(ROWS, 9, 128, generator=torch.Generator().manual_seed(1))
    return Conditions(memory=vectors) if cross else Conditions(prefix=vectors)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("switch", ["", "0"], ids=["native where it is", "torch"])
def test_logits_stay_near_float32(
    dtype: torch.dtype, cross: bool, switch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(library.SWITCH, switch)
    lm, conditions = whole_precision(cross), given(cross)
    half = halved(lm, dtype)
    tokens = torch.randint(0, 257, (ROWS, 4, STEPS), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        exact = lm(tokens, conditions)
        near = half(tokens, conditions)
    assert near.dtype == torch.float32
    spread = exact.std()
    error = (near - exact).abs().max() / spread
    assert 0 < error < 4 * BOUNDS[dtype], f"largest error {error:.4f} of the logits' spread"
    assert (near - exact).std() / spread < BOUNDS[dtype]
    executor = choose(half, cache_dtype=dtype)
    state = executor.init_state(ROWS, STEPS, conditions)
    assert state.cache.dtype == dtype
    streamed = [executor.prefill(tokens[..., :7], conditions, state)]
    streamed += [executor.step(tokens[..., step], state) for step in range(7, STEPS)]
    error = (torch.stack(streamed, dim=2) - exact[:, :, 6:]).abs().max() / spread
    assert error < 4 * BOUNDS[dtype], f"streamed: largest error {error:.4f} of the logits' spread"


def test_only_matrices_are_halved() -> None:
    half = halved(whole_precision(True), torch.bfloat16)
    kept = {name for name, parameter in half.named_parameters() if parameter.dtype == torch.float32}
    assert {name.split(".")[0] for name in kept} == {"emb", "transformer", "out_norm"}
    assert all("norm" in name or name.startswith("emb") for name in kept)
    matrices = {name for name, parameter in half.named_parameters() if parameter.dim() == 2}
    assert matrices - kept == {name for name in matrices if not name.startswith("emb")}


def test_which_precision() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert chosen_dtype(None, cpu) == torch.float32
    assert chosen_dtype(None, cuda) == torch.float16
    assert chosen_dtype(torch.bfloat16, cpu) == torch.bfloat16
    with pytest.raises(UnsupportedError, match="float64 is not known"):
        chosen_dtype(torch.float64, cpu)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("cross", [True, False])
def test_packed_matrices_compute_what_plain_ones_do(dtype: torch.dtype, cross: bool) -> None:
    half, conditions = halved(whole_precision(cross), dtype), given(cross)
    executor, kept = TorchExecutor(half, dtype), PackedWeights(half)
    laid_out = kept.own()
    assert (laid_out is None) != can_pack(dtype)
    if laid_out is None:
        pytest.skip(f"this processor does not multiply packed matrices in {dtype}")
    assert kept.own() is laid_out
    tokens = torch.randint(0, 257, (ROWS, 4, 12), generator=torch.Generator().manual_seed(2))
    made = []
    for matrices in (laid_out, None):
        state = executor.init_state(ROWS, 12, conditions)
        state.bound = FusedBound(half, fuse(half, state.cross_kv, matrices), conditions)
        made.append(torch.stack([executor.step(tokens[..., step], state) for step in range(12)]))
    error = (made[0] - made[1]).abs().max() / made[1].std()
    assert error < 4 * BOUNDS[dtype], f"{error:.4f} of the logits' spread"
    with torch.no_grad():
        half.linears[0].weight = torch.nn.Parameter(half.linears[0].weight.clone())
    assert kept.own() is not laid_out, "other weights, other matrices"
