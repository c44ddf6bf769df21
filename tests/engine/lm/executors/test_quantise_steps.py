"""A quantised model keeps one set of weights beside the codes: in half precision if prompts are read in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoints.build import Steps, executor_of
from engine.core.config import LMConfig
from engine.errors import UnsupportedError
from engine.lm import Conditions, LanguageModel, precision
from engine.lm.executors import select
from engine.lm.executors.base import Executor
from engine.lm.executors.native import library
from engine.lm.executors.weight_bytes import weight_bytes
from engine.models.load import load_model

STEPS = 30


def small() -> LanguageModel:
    torch.manual_seed(5)
    return LanguageModel(LMConfig(dim=64, n_heads=4, n_layers=2, card=32)).eval().requires_grad_(False)


def made(half: bool, monkeypatch: pytest.MonkeyPatch, bits: int = 8) -> Executor:
    monkeypatch.setattr(precision, "half_is_faster", lambda: half)
    return executor_of(small(), torch.float32, Steps(bits), [])


def logits(executor: Executor) -> torch.Tensor:
    """Logits of a prompt's last step and of one more."""
    generator = torch.Generator().manual_seed(1)
    conditions = Conditions(memory=torch.randn(2, 7, 64, generator=generator))
    tokens = torch.randint(0, 32, (2, 4, STEPS + 1), generator=generator)
    window = executor.init_state(2, STEPS + 4, conditions)
    prompt = executor.prefill(tokens[..., :STEPS], conditions, window)
    return torch.stack([prompt, executor.step(tokens[..., STEPS], window)])


def kinds(lm: LanguageModel) -> set[torch.dtype]:
    halved = precision.place_dtype(torch.bfloat16)
    return {parameter.dtype for name, parameter in lm.named_parameters() if halved(name) == torch.bfloat16}


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("switch", ["", "0"], ids=["native where it is", "onnx"])
def test_matrices_are_kept_in_halves_where_prompts_are_read_in_them(
    monkeypatch: pytest.MonkeyPatch, bits: int, switch: str
) -> None:
    monkeypatch.setenv(library.SWITCH, switch)
    near, exact = made(True, monkeypatch, bits), made(False, monkeypatch, bits)
    assert kinds(near.lm) == {torch.bfloat16}
    assert kinds(exact.lm) == {torch.float32}
    assert {p.dtype for p in near.lm.parameters()} == {torch.float32, torch.bfloat16}, "embeddings and norms stay"
    assert near.precision == exact.precision == f"int{bits}"
    prompt, step = logits(near), logits(exact)
    assert (prompt - step).std() < 0.03 * step.std()


def test_codes_are_made_of_the_exact_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []
    honest = select.quantised

    def spied(lm: LanguageModel, bits: int, prefill_half: bool, memories: tuple[bool, ...]) -> Executor:
        seen.append(lm.linears[0].weight.dtype)
        return honest(lm, bits, prefill_half, memories)

    monkeypatch.setattr(select, "quantised", spied)
    made(True, monkeypatch)
    assert seen == [torch.float32]


def refused(*_: object) -> None:
    raise UnsupportedError("not here")


def test_a_model_that_cannot_be_quantised_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "half_is_faster", lambda: True)
    monkeypatch.setattr(select, "quantised", refused)
    lm = small()
    with pytest.raises(UnsupportedError, match="not here"):
        executor_of(lm, torch.float32, Steps(8), [])
    assert kinds(lm) == {torch.float32}


def test_where_nobody_insists_it_plays_in_float32_and_says_so(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `or_float32` a model that cannot run in int8 runs in float32, with a note."""
    folder, t5 = golden / "audiocraft/text/ckpt", golden / "t5_tiny"
    model = load_model(folder, dtype=torch.int8, t5=t5, or_float32=True)
    assert (model.executor.precision, model.notes) == ("int8", ())
    monkeypatch.setattr(select, "quantised", refused)
    model = load_model(folder, dtype=torch.int8, t5=t5, or_float32=True)
    assert (model.executor.precision, model.notes) == ("float32", ("it plays in float32, which is slower: not here",))
    assert kinds(model.lm) == {torch.float32}
    with pytest.raises(UnsupportedError, match="not here"):
        load_model(folder, dtype=torch.int8, t5=t5)


@pytest.mark.parametrize("native", [True, False])
def test_what_it_keeps_is_reckoned(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(select, "trusted", lambda bits: native)
    for half, kept in ((True, 2.0), (False, 4.0)):
        monkeypatch.setattr(precision, "half_is_faster", lambda half=half: half)
        for name, codes in (("int8", 1.1 if native else 2.1), ("int4", 0.6 if native else 1.2)):
            assert weight_bytes(name, "cpu") == pytest.approx(4 + codes), "while it loads"
            assert weight_bytes(name, "cpu", loaded=True) == pytest.approx(kept + codes)
    assert weight_bytes("bfloat16", "cpu") == (2 if native else 4)
    assert weight_bytes("bfloat16", "cuda:0") == weight_bytes("float16", "cuda") == 2
    assert weight_bytes("float32", "cpu", loaded=True) == 4
