"""Attention in blocks: values and gradients equal torch's attention, for any length."""

import pytest
import torch
from torch.nn import functional as F

from engine.lm.causal import BLOCK_STEPS, causal_attention


@pytest.mark.parametrize("steps", [1, 7, BLOCK_STEPS, BLOCK_STEPS + 1, 2 * BLOCK_STEPS + 40])
def test_values_and_gradients(steps: int) -> None:
    torch.manual_seed(steps)
    given = [torch.randn(2, 3, steps, 8, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    same = [x.detach().clone().requires_grad_() for x in given]
    weights = torch.randn(2, 3, steps, 8, dtype=torch.float64)
    out, wanted = causal_attention(*given), F.scaled_dot_product_attention(*same, is_causal=True)
    torch.testing.assert_close(out, wanted)
    (out * weights).sum().backward()
    (wanted * weights).sum().backward()
    for one, other in zip(given, same, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_half_precision_stays_near() -> None:
    torch.manual_seed(0)
    given = [torch.randn(1, 2, 200, 16, requires_grad=True) for _ in range(3)]
    half = [x.detach().bfloat16().requires_grad_() for x in given]
    with torch.autocast("cpu", torch.bfloat16):
        out = causal_attention(*half)
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    causal_attention(*given).square().sum().backward()
    for one, other in zip(half, given, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert float((one.grad.float() - other.grad).norm() / other.grad.norm()) < 0.02
