"""Fidelity of a precision against float32: figures computed by hand, and models that differ."""

import pytest
import torch

from engine.core.config import LMConfig
from engine.lm import Conditions, LanguageModel
from engine.lm.executors.fidelity import TeacherRun, compare, teacher_run
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.executors.select import choose


def test_total_variation_by_hand() -> None:
    """One row, one codebook of two entries: 0.5 and 0.5 against 0.8 and 0.2 differ by 0.3."""
    tokens = torch.zeros(1, 1, dtype=torch.int64)
    even = TeacherRun(tokens, torch.tensor([0.5, 0.5]).log().view(1, 1, 1, 2))
    bent = TeacherRun(tokens, torch.tensor([0.8, 0.2]).log().view(1, 1, 1, 2))
    lopsided = TeacherRun(tokens, torch.tensor([0.6, 0.4]).log().view(1, 1, 1, 2))
    assert compare(lopsided, bent).total_variation == pytest.approx(0.2)
    assert compare(lopsided, bent).first_choice == 1.0
    assert compare(lopsided, lopsided).total_variation == 0.0
    assert compare(bent, even).total_variation == pytest.approx(0.3)
    with pytest.raises(ValueError, match="the same tokens"):
        compare(even, TeacherRun(tokens + 1, bent.logits))


@pytest.mark.parametrize("cross", [True, False])
def test_fewer_bits_are_further_away(cross: bool) -> None:
    torch.manual_seed(0)
    lm = LanguageModel(LMConfig(dim=64, n_heads=2, n_layers=2, card=300, cross_attention=cross)).eval()
    vectors = torch.randn(2, 5, 64)
    conditions = Conditions(memory=vectors) if cross else Conditions(prefix=vectors)
    exact = teacher_run(choose(lm), conditions, steps=12)
    assert exact.logits.shape == (12, 2, 4, 300)
    assert int(exact.tokens.max()) < 300
    whole = lm(torch.cat([torch.full((4, 1), 300), exact.tokens], 1)[:, :12].expand(2, -1, -1), conditions)
    torch.testing.assert_close(exact.logits, whole.permute(2, 0, 1, 3).detach(), atol=1e-4, rtol=0)
    far = []
    for bits in (None, 8, 4):
        near = OnnxExecutor(lm, bits)
        far.append(compare(exact, teacher_run(near, conditions, steps=12, tokens=exact.tokens)))
    assert far[0].error_max < 1e-4
    assert far[0].total_variation < 1e-4
    assert far[0].total_variation < far[1].total_variation < far[2].total_variation < 1.0
    assert far[1].error_std < far[2].error_std / 2
