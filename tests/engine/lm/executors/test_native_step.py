"""The native step equals the layers: exactly with float weights, within quantisation error with 8 and 4 bits."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.config import LMConfig
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.errors import UnsupportedError
from engine.lm import Conditions, LanguageModel
from engine.lm.executors import select
from engine.lm.executors.base import Executor
from engine.lm.executors.native import build, library
from engine.lm.executors.native.tiles import TILE, PagedMemory, block_of, tiled
from engine.lm.executors.native_executor import NativeExecutor
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.executors.torch_executor import TorchExecutor
from engine.ort.quantised import quantise
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.fork import fork

STEPS, PREFILLED, FEATURED = 40, 4, 9


def model(dim: int = 64, heads: int = 1, cross: bool = True, card: int = 37) -> LanguageModel:
    torch.manual_seed(0)
    features = 5 if cross else 0
    config = LMConfig(dim, heads, n_layers=3, card=card, cross_attention=cross, frame_features=features)
    return LanguageModel(config).eval().requires_grad_(False)


def conditions(dim: int, rows: int, cross: bool) -> Conditions:
    torch.manual_seed(1)
    if not cross:
        return Conditions(prefix=torch.randn(rows, 5, dim))
    return Conditions(memory=torch.randn(rows, 7, dim), frames=torch.randn(rows, FEATURED, 5))


def tokens_of(rows: int, steps: int = STEPS, card: int = 37) -> Tensor:
    return torch.randint(0, card + 1, (rows, 4, steps), generator=torch.Generator().manual_seed(2))


def streamed(executor: Executor, tokens: Tensor, given: Conditions) -> Tensor:
    """Logits [R, K, S - P + 1, card] of the last prefilled step and all later steps."""
    rows, _, steps = tokens.shape
    state = executor.init_state(rows, steps, given)
    logits = [executor.prefill(tokens[..., :PREFILLED], given, state)]
    logits += [executor.step(tokens[..., step], state) for step in range(PREFILLED, steps)]
    return torch.stack(logits, dim=2)


def native(lm: LanguageModel, cache_dtype: torch.dtype | None = None) -> NativeExecutor:
    """The executor that is chosen for a model's weights."""
    executor = select.choose(lm, cache_dtype=cache_dtype)
    assert isinstance(executor, NativeExecutor)
    return executor


def off(made: Tensor, whole: Tensor) -> float:
    """The largest difference, relative to the spread."""
    return float((made - whole).abs().max() / whole.std())


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize(
    ("dim", "heads", "rows"),
    [(16, 2, 1), (36, 2, 2), (64, 1, 3), (64, 4, 2), (256, 2, 2), (128, 2, 5), (64, 2, 8), (64, 2, 9), (48, 2, 17)],
)
def test_float32_steps_equal_the_layers(dim: int, heads: int, rows: int, cross: bool) -> None:
    lm, given, tokens = model(dim, heads, cross), conditions(dim, rows, cross), tokens_of(rows)
    whole = lm(tokens, given)[:, :, PREFILLED - 1 :]
    assert off(streamed(native(lm), tokens, given), whole) < 1e-5


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("cross", [True, False])
def test_bfloat16_steps_are_as_near_as_halves_are(cross: bool) -> None:
    lm, given, tokens = model(128, 2, cross), conditions(128, 2, cross), tokens_of(2)
    whole = lm(tokens, given)[:, :, PREFILLED - 1 :]
    executor = native(lm, torch.bfloat16)
    assert off(streamed(executor, tokens, given), whole) < 0.02  # the cache alone
    for name, parameter in lm.named_parameters():
        if parameter.dim() > 1 and not name.startswith(("emb", "frame")):
            parameter.data = parameter.data.to(torch.bfloat16)
    halves = streamed(native(lm, torch.bfloat16), tokens, given)
    assert 1e-4 < off(halves, whole) < 0.1
    assert torch.equal(streamed(executor, tokens, given), halves), "weights that were replaced are read anew"


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("bits", [8, 4])
def test_few_bits_are_as_near_as_on_onnx_runtime(bits: int, cross: bool) -> None:
    """The same codes: the error is that of quantisation, within a tenth, over more positions than weights share a
    scale."""
    lm, given, tokens = model(128, 2, cross), conditions(128, 3, cross), tokens_of(3, 300)
    whole = lm(tokens, given)[:, :, PREFILLED - 1 :]
    errors = []
    for kind in (OnnxExecutor, NativeExecutor):
        executor = kind(lm, bits)
        assert executor.precision == f"int{bits}"
        errors.append(float((streamed(executor, tokens, given) - whole).std() / whole.std()))
    assert errors[1] < 1.1 * errors[0]
    assert errors[1] > 1e-3, "these weights are not quantised"


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("bits", [None, 8])
def test_a_row_is_what_it_is_in_a_smaller_batch(bits: int | None, cross: bool) -> None:
    """Pieces made together have their rows in one state."""
    lm, given, tokens = model(64, 2, cross), conditions(64, 19, cross), tokens_of(19)
    executor = NativeExecutor(lm, bits)
    all_of_them = streamed(executor, tokens, given)
    for part in (slice(0, 16), slice(16, 19)):
        own = {name: value[part] for name, value in vars(given).items() if isinstance(value, Tensor)}
        alone = streamed(executor, tokens[part], replace(given, **own))
        assert off(alone, all_of_them[part]) < (1e-5 if bits is None else 0.02)


@pytest.mark.usefixtures("native", "two_threads")
@pytest.mark.parametrize("bits", [None, 8, 4])
def test_the_same_bits_whatever_the_threads(bits: int | None) -> None:
    lm, given, tokens = model(256, 4, card=300), conditions(256, 2, True), tokens_of(2, card=300)
    executor, made = NativeExecutor(lm, bits), []
    for threads in (2, 1, 2):
        torch.set_num_threads(threads)
        made.append(streamed(executor, tokens, given))
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("bits", [None, 8])
def test_windows_roll_and_forks_go_on_alike(bits: int | None) -> None:
    """A stream over several windows and its fork with the same generator give the same tokens."""
    executor = NativeExecutor(model(64, 2, cross=False, card=32), bits)
    settings = StreamSettings(Sampling(True, 1.0, 20, 0.0), Guidance(3.0), WindowSize(24, 8))
    conditions = Conditions(prefix=torch.randn(2, 3, 64, generator=torch.Generator().manual_seed(3)))
    stream = TokenStream.begin(executor, lambda offset, count: (conditions,), None, settings, seed=4)
    for _ in range(10):
        stream.step()
    other = fork(stream, seed=5)
    stream.generator.manual_seed(5)
    other.generator.manual_seed(5)
    for _ in range(70):
        stream.step()
    for _ in range(70):
        other.step()
    assert torch.equal(stream.codes(), other.codes())
    assert stream.n_frames > 2 * 24


@pytest.mark.usefixtures("native")
def test_going_back_takes_the_same_steps_again() -> None:
    lm, given, tokens = model(64, 2), conditions(64, 2, True), tokens_of(2)
    executor = NativeExecutor(lm, 8)
    state = executor.init_state(2, STEPS, given)
    executor.prefill(tokens[..., :PREFILLED], given, state)
    once = [executor.step(tokens[..., step], state) for step in range(PREFILLED, 20)]
    state.back_to(10)
    again = [executor.step(tokens[..., step], state) for step in range(10, 20)]
    assert all(torch.equal(a, b) for a, b in zip(once[6:], again, strict=True))


@pytest.mark.usefixtures("native")
def test_what_does_not_fit_is_said() -> None:
    executor, given, tokens = native(model()), conditions(64, 2, True), tokens_of(2)
    state = executor.init_state(2, 6, given)
    executor.prefill(tokens[..., :PREFILLED], given, state)
    for wrong in (-1, 38):
        with pytest.raises(ValueError, match=f"tokens go from 0 to 37, got .*{wrong}"):
            executor.step(torch.full((2, 4), wrong), state)
    with pytest.raises(ValueError, match=r"tokens have shape \(1, 4\), this state takes \(2, 4\)"):
        executor.step(tokens[:1, :, 0], state)
    for step in (4, 5):
        executor.step(tokens[..., step], state)
    with pytest.raises(ValueError, match="cache holds 6 positions, 7 needed"):
        executor.step(tokens[..., 6], state)
    for step, length in ((6, 0), (0, 6), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="this state has 6 steps"):
            state.bound.run(tokens[..., 0], replace(state, step=step, length=length))
    with pytest.raises(ValueError, match="the native step takes"):
        executor.bind_known(state, state.bound.known[:1], state.bound.weights)


@pytest.mark.usefixtures("native")
def test_what_it_does_not_take_others_do() -> None:
    with pytest.raises(UnsupportedError, match="heads of up to 64, these have 128"):
        NativeExecutor(model(128), 8)
    assert isinstance(select.choose(model(128), 8), OnnxExecutor)
    assert isinstance(select.choose(model(64), 8), NativeExecutor)
    with pytest.raises(UnsupportedError, match="rows of 36 weights cannot be cut into blocks"):
        NativeExecutor(model(36), 4)
    assert isinstance(select.choose(model().half()), TorchExecutor)
    across = model()
    across.linears[0].weight.data = across.linears[0].weight.t().contiguous().t()
    assert isinstance(select.choose(across), TorchExecutor)


@pytest.mark.usefixtures("native")
def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert select.trusted(None)
    monkeypatch.setenv(library.SWITCH, "0")
    assert isinstance(select.choose(model()), TorchExecutor)
    assert isinstance(select.choose(model(), 4), OnnxExecutor)
    with pytest.raises(UnsupportedError, match=f"switched off \\({library.SWITCH}=0\\)"):
        library.load()
    monkeypatch.setenv(library.SWITCH, os.devnull)
    assert not select.trusted(None)


@pytest.mark.usefixtures("native")
def test_one_that_computes_otherwise_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (0.01, float("nan")):
        select._trusted.cache_clear()
        monkeypatch.setattr(select, "difference", lambda bits, error=error: error)
        assert isinstance(select.choose(model()), TorchExecutor)
    assert "the native step is not used" in caplog.text
    select._trusted.cache_clear()


@pytest.mark.usefixtures("native", "two_threads")
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize(("rows", "width"), [(32, 256), (37, 128), (5, 48), (70, 64), (16, 1024)])
@pytest.mark.parametrize("scale", [1.0, 0.0, 1e-14, 1e6])
def test_tiles_hold_the_codes(bits: int, rows: int, width: int, scale: float) -> None:
    weight = (scale * np.random.default_rng(0).standard_normal((rows, width))).astype(np.float32)
    weight[1] = np.round(weight[1] * 2) / 2  # ties, and blocks symmetric about 0
    weight[2, ::2] = -weight[2, 1::2]
    paged_memory, block = PagedMemory(), block_of(width)
    made = tiled(weight, bits, paged_memory)
    lines = made[:, :, :-1].copy().view(np.uint8).reshape(*made.shape[:2], -1, TILE, 4)
    scales = made[:, :, -1].transpose(0, 2, 1).reshape(-1, width // block).copy().view(np.float32)
    codes, plain_scales = quantise(weight, bits, block)
    if bits == 4:
        codes = np.stack([codes & 15, codes >> 4], axis=-1)
        lines = np.stack([lines & 15, lines >> 4], axis=3).reshape(*made.shape[:2], -1, TILE, 4)
    back = lines.transpose(0, 3, 1, 2, 4).reshape(-1, width)
    assert np.array_equal(back[:rows], codes.reshape(rows, width))
    assert np.array_equal(scales[:rows].ravel(), plain_scales)
    assert not scales[rows:].any()
    assert made.ctypes.data % 64 == 0
    assert paged_memory.held_bytes == made.nbytes


def test_without_a_compiler_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(build.BuildError, match="no C\\+\\+ compiler"):
        build.build(tmp_path / "x.so")
