"""Steps on ONNX Runtime equal the layers: exactly with float32 weights, closely with 8-bit ones."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.errors import UnsupportedError
from engine.lm import Conditions, LanguageModel
from engine.lm.executors import onnx_graph
from engine.lm.executors.base import Executor
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.state import LMState
from engine.model import Ask
from engine.models.load import load_model, quantised_bits
from engine.ort.quantised import quantise
from engine.ort.session import Session
from engine.ort.taken import is_taken

ROWS, STEPS, PREFILLED = 3, 12, 4


def model(cross: bool) -> LanguageModel:
    torch.manual_seed(0)
    features = 5 if cross else 0
    config = LMConfig(dim=64, n_heads=4, n_layers=3, card=32, cross_attention=cross, frame_features=features)
    return LanguageModel(config).eval()


def conditions(cross: bool) -> Conditions:
    if not cross:
        return Conditions(prefix=torch.randn(ROWS, 5, 64))
    return Conditions(memory=torch.randn(ROWS, 7, 64), frames=torch.randn(ROWS, 9, 5))


def streamed(executor: Executor, tokens: torch.Tensor, given: Conditions) -> torch.Tensor:
    state = executor.init_state(ROWS, STEPS, given)
    logits = [executor.prefill(tokens[..., :PREFILLED], given, state)]
    logits += [executor.step(tokens[..., step], state) for step in range(PREFILLED, STEPS)]
    with pytest.raises(ValueError, match="cache holds"):
        executor.step(tokens[..., 0], state)
    return torch.stack(logits, dim=2)


@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize(("bits", "tolerance"), [(None, 1e-5), (8, 0.03), (4, 0.4)])
def test_steps_equal_the_layers(cross: bool, bits: int | None, tolerance: float) -> None:
    lm, given = model(cross), conditions(cross)
    tokens = torch.randint(0, 33, (ROWS, 4, STEPS))  # rows differ: each has its own
    with torch.no_grad():
        whole = lm(tokens, given)[:, :, PREFILLED - 1 :]
    error = (streamed(OnnxExecutor(lm, bits), tokens, given) - whole).abs().max()
    assert error < tolerance
    assert bits is None or error > 1e-4, "these weights are not quantised"


def test_memory_or_none_by_one_model() -> None:
    """A cross-attention model without a memory leaves cross-attention out, as the layers do."""
    lm, given = model(True), Conditions(frames=torch.randn(ROWS, 9, 5))
    tokens = torch.randint(0, 33, (ROWS, 4, STEPS))
    with torch.no_grad():
        whole = lm(tokens, given)[:, :, PREFILLED - 1 :]
    executor = OnnxExecutor(lm, None)
    torch.testing.assert_close(streamed(executor, tokens, given), whole, atol=1e-5, rtol=0)
    streamed(executor, tokens, conditions(True))


def test_states_do_not_disturb_each_other() -> None:
    executor, given = OnnxExecutor(model(True), 8), conditions(True)
    tokens = torch.randint(0, 33, (ROWS, 4, STEPS))
    alone = streamed(executor, tokens, given)
    one, two = (executor.init_state(ROWS, STEPS, given) for _ in range(2))
    executor.prefill(tokens[..., :PREFILLED], given, one)
    executor.prefill(tokens[..., 1 : PREFILLED + 1], given, two)
    for step in range(PREFILLED, STEPS):
        kept = executor.step(tokens[..., step], one)
        executor.step(tokens[..., STEPS - step], two)
        assert torch.equal(kept, alone[:, :, step - PREFILLED + 1])


def test_cache_scales_grow_to_fit_what_comes_first() -> None:
    """A prefix may exceed the range seen in calibration: nothing of it is clipped."""
    scales = torch.full((1, 2, 4, 1, 8), 1 / 127)
    state = LMState(torch.zeros(1, 2, ROWS, 4, 6, 8, dtype=torch.int8), None, scales=scales)
    keys, values = torch.randn(ROWS, 4, 3, 8), torch.randn(ROWS, 4, 3, 8) * 9.0
    state.extend(0, keys, values)
    state.length = 3
    assert state.scales is not None
    assert bool((state.scales >= 1 / 127).all())
    old_keys, old_values = state.extend(0, keys[:, :, :1], values[:, :, :1])
    for now, was, scale in ((old_keys, keys, state.scales[0, 0]), (old_values, values, state.scales[0, 1])):
        assert bool(((now[:, :, :3] - was).abs() <= scale * 0.5001).all())
        assert torch.equal(now[:, :, 3:], was[:, :, :1])


@pytest.mark.parametrize(("bits", "block"), [(8, 64), (4, 32)])
def test_quantised_weights_are_near(bits: int, block: int) -> None:
    weight = np.random.default_rng(0).standard_normal((6, 128)).astype(np.float32)
    weight[0] = 0.0
    codes, scales = quantise(weight, bits, block)
    assert codes.shape == (6, 128 // block, block * bits // 8)
    if bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1).reshape(6, -1, block)
    back = (codes.astype(np.float32) - 2 ** (bits - 1)) * scales.reshape(6, -1, 1)
    assert np.abs(back.reshape(weight.shape) - weight).max() <= scales.max() / 2 + 1e-6
    assert not back[0].any()


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("name", ["text", "melody", "stereo"])
def test_a_checkpoint_in_few_bits(golden: Path, name: str, bits: int) -> None:
    """With the same conditions and prompt, logits stay near those of float32, step by step."""
    made = {}
    few = {8: torch.int8, 4: torch.int4}[bits]
    for dtype in (torch.float32, few):
        model = load_model(golden / "audiocraft" / name / "ckpt", dtype=dtype, t5=golden / "t5_tiny")
        assert model.executor.precision == str(dtype).removeprefix("torch.")
        conditions = model.conditioner([Ask("a slow song")], Guidance(), 0, 40)[0][0]
        state = model.executor.init_state(2, 44, conditions)
        config = model.lm.config
        tokens = torch.randint(0, config.card, (config.n_codebooks, 20), generator=torch.Generator().manual_seed(5))
        rows = tokens.expand(2, -1, -1)
        logits = [model.executor.prefill(rows[..., :8], conditions, state)]
        made[dtype] = torch.stack(logits + [model.executor.step(rows[..., step], state) for step in range(8, 20)])
    spread = made[torch.float32].std()
    error = (made[few] - made[torch.float32]).abs()
    assert 0 < error.max() < (0.25 if bits == 8 else 2.5) * spread
    assert error.mean() < (0.03 if bits == 8 else 0.3) * spread


def test_few_bits_are_for_the_cpu(golden: Path) -> None:
    for bits, dtype in ((8, torch.int8), (4, torch.int4)):
        assert quantised_bits(dtype, "cpu") == bits
        with pytest.raises(UnsupportedError, match=f"int{bits} is for the CPU, the device is cuda"):
            quantised_bits(dtype, "cuda:0")
    assert quantised_bits(torch.bfloat16, "cuda") is None
    if not torch.cuda.is_available():
        path, t5 = golden / "audiocraft/text/ckpt", golden / "t5_tiny"
        assert load_model(path, "auto", dtype=torch.int8, t5=t5).executor.precision == "int8"
    assert load_model("embedded").executor.precision == "int8"
    for dtype in (torch.float32, torch.int4):
        assert f"torch.{load_model('embedded', dtype=dtype).executor.precision}" == str(dtype)
    with pytest.raises(UnsupportedError, match="float32, int8 or int4, not in bfloat16"):
        load_model("embedded", dtype=torch.bfloat16)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnsupportedError, match=r"onnx is not installed: pip install .*onnx"):
        OnnxExecutor(model(True)).ready(True)


@pytest.mark.parametrize("bits", [8, 4])
def test_weights_that_a_session_lays_out_anew_are_not_kept_twice(bits: int) -> None:
    lm = model(True)
    executor = OnnxExecutor(lm, bits).ready(True)
    graph = onnx_graph.build(lm, True, bits, True)
    opened = Session(graph)
    held = vars(executor.session(True))["_weights"]
    taken = {name for name, sizes in graph.lent.items() if is_taken(*sizes)}
    assert set(graph.weights) - set(held) == taken
    assert executor.session(True).held_bytes + sum(graph.weights[name].nbytes for name in taken) == opened.held_bytes
    assert all(name.endswith((".codes", ".scales")) for name in graph.lent)
