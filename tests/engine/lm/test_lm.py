"""The language model step by step equals the whole language model, with every kind of condition."""

import pytest
import torch

from engine.core.config import LMConfig
from engine.core.delay import delay, undelay, valid_mask
from engine.lm import Conditions, LanguageModel
from engine.lm.executors import fused
from engine.lm.executors.native import library
from engine.lm.executors.select import choose

ROWS, STEPS = 2, 24


def model(cross: bool) -> LanguageModel:
    torch.manual_seed(0)
    config = LMConfig(dim=32, n_heads=4, n_layers=3, card=16, cross_attention=cross, frame_features=5)
    return LanguageModel(config).eval()


def conditions(*parts: str) -> Conditions:
    generator = torch.Generator().manual_seed(1)
    shapes = {"prefix": (ROWS, 3, 32), "memory": (ROWS, 7, 32), "frames": (ROWS, 20, 5)}
    return Conditions(**{name: torch.randn(shapes[name], generator=generator) for name in parts})


@pytest.mark.parametrize("parts", [(), ("prefix",), ("memory",), ("frames",), ("prefix", "memory", "frames")])
@pytest.mark.parametrize("by", ["native", "absorbed", "products"])
def test_streamed_equals_whole(parts: tuple[str, ...], by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.SWITCH, "1" if by == "native" else "0")
    monkeypatch.setattr(fused, "ABSORBED_BYTES", 2**30 if by == "absorbed" else 0)
    lm, given = model("memory" in parts), conditions(*parts)
    tokens = torch.randint(0, 17, (ROWS, 4, STEPS), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        whole = lm(tokens, given)
    executor = choose(lm)
    state = executor.init_state(ROWS, STEPS, given)
    torch.testing.assert_close(executor.prefill(tokens[..., :5], given, state), whole[:, :, 4], atol=1e-5, rtol=0)
    torch.testing.assert_close(executor.prefill(tokens[..., 5:9], given, state), whole[:, :, 8], atol=1e-5, rtol=0)
    for step in range(9, STEPS):
        logits = executor.step(tokens[..., step], state)
        torch.testing.assert_close(logits, whole[:, :, step], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="cache holds"):
        executor.step(tokens[..., 0], state)


def test_gradient_attention_equals_the_fused_one() -> None:
    """Training uses another implementation of attention; it must compute the same."""
    lm, given = model(True), conditions("memory")
    tokens = torch.randint(0, 17, (ROWS, 4, STEPS))
    trained = lm(tokens, given)
    assert trained.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(lm(tokens, given), trained.detach(), atol=1e-5, rtol=0)


def test_delay_round_trip_and_mask() -> None:
    codes = torch.arange(4 * 6).view(4, 6)
    for delays in ((0, 1, 2, 3), (0, 0, 1, 1)):
        sequence = delay(codes, delays, -1)
        assert torch.equal(undelay(sequence, delays), codes)
        assert torch.equal(sequence >= 0, valid_mask(6, delays))
