"""A checkpoint's model in few bits keeps one set of weights beside the codes: in halves where prompts are read so."""

from __future__ import annotations

import pytest
import torch

from engine.core.config import LMConfig
from engine.errors import UnsupportedError
from engine.lm import Conditions, LanguageModel, precision
from engine.lm.executors import select
from engine.models.load import quantise_steps
from engine.serve import state

STEPS = 30


def made(half: bool, monkeypatch: pytest.MonkeyPatch, bits: int = 8) -> LanguageModel:
    torch.manual_seed(5)
    lm = LanguageModel(LMConfig(dim=64, n_heads=4, n_layers=2, card=32)).eval().requires_grad_(False)
    monkeypatch.setattr(precision, "half_is_faster", lambda: half)
    quantise_steps(lm, bits)
    return lm


def heard(lm: LanguageModel) -> torch.Tensor:
    """Logits of a prompt's last step and of one more."""
    generator = torch.Generator().manual_seed(1)
    conditions = Conditions(memory=torch.randn(2, 7, 64, generator=generator))
    tokens = torch.randint(0, 32, (2, 4, STEPS + 1), generator=generator)
    window = lm.init_state(2, STEPS + 4, conditions)
    return torch.stack([lm.prefill(tokens[..., :STEPS], conditions, window), lm.step(tokens[..., STEPS], window)])


def kinds(lm: LanguageModel) -> set[torch.dtype]:
    halved = precision.place_dtype(torch.bfloat16)
    return {parameter.dtype for name, parameter in lm.named_parameters() if halved(name) == torch.bfloat16}


@pytest.mark.parametrize("bits", [8, 4])
def test_matrices_are_kept_in_halves_where_prompts_are_read_in_them(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    lm, exact = made(True, monkeypatch, bits), made(False, monkeypatch, bits)
    assert kinds(lm) == {torch.bfloat16}
    assert kinds(exact) == {torch.float32}
    assert {p.dtype for p in lm.parameters()} == {torch.float32, torch.bfloat16}, "embeddings and norms stay"
    assert lm.precision == exact.precision == f"int{bits}"
    prompt, step = heard(lm), heard(exact)
    assert (prompt - step).std() < 0.03 * step.std()


def test_codes_are_made_of_the_exact_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []
    honest = select.quantised

    def spied(lm: LanguageModel, bits: int, *crosses: bool) -> select.Stepper:
        seen.append(lm.linears[0].weight.dtype)
        return honest(lm, bits, *crosses)

    monkeypatch.setattr(select, "quantised", spied)
    made(True, monkeypatch)
    assert seen == [torch.float32]


def test_a_model_that_cannot_be_quantised_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise UnsupportedError("not here")

    monkeypatch.setattr(select, "quantised", refused)
    lm = LanguageModel(LMConfig(dim=64, n_heads=4, n_layers=2, card=32))
    with pytest.raises(UnsupportedError):
        quantise_steps(lm, 8)
    assert kinds(lm) == {torch.float32}
    assert not lm.prefill_half
    assert lm.stepper is None


@pytest.mark.parametrize("native", [True, False])
def test_what_it_keeps_is_reckoned(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(select, "trusted", lambda bits: native)
    for half, kept in ((True, 2.0), (False, 4.0)):
        monkeypatch.setattr(precision, "half_is_faster", lambda half=half: half)
        for name, codes in (("int8", 1.1 if native else 2.1), ("int4", 0.6 if native else 1.2)):
            assert state.weight_bytes(name, "cpu") == pytest.approx(4 + codes), "while it loads"
            assert state.weight_bytes(name, "cpu", loaded=True) == pytest.approx(kept + codes)
    assert state.weight_bytes("bfloat16", "cpu") == (2 if native else 4)
    assert state.weight_bytes("bfloat16", "cuda:0") == state.weight_bytes("float16", "cuda") == 2
    assert state.weight_bytes("float32", "cpu", loaded=True) == 4
