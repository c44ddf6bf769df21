"""Losses of the codec's spectra: 0 for equal ones, and discriminators that learn to recognise a blurred one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.codec.spectral_net import SpectralConfig, to_log
from engine.train.codec_losses import Judges, SpectralLoss, pooled, scales_loss, to_deceive, to_tell, tones_loss

BINS = 161


def music(seed: int, count: int = 4) -> Tensor:
    """Log-magnitudes [B, S, bins] of tones that come and go over a little noise."""
    generator = torch.Generator().manual_seed(seed)
    loud = (torch.rand(count, 12, BINS, generator=generator) > 0.9).float().repeat_interleave(4, dim=1)
    return to_log(2.0 * loud + 0.1 * torch.rand(count, 48, BINS, generator=generator))


def blurred(log_magnitudes: Tensor) -> Tensor:
    return F.avg_pool1d(log_magnitudes, 9, stride=1, padding=4)


def test_scales_see_no_difference_where_there_is_none() -> None:
    real = music(0)
    assert float(scales_loss(real, real)) == 0.0
    assert float(scales_loss(blurred(real), real)) > 0.05
    assert pooled(real, 4, 1).shape == (4, 12, BINS)
    assert pooled(real, 5, 4).shape == (4, 10, 41)


def test_what_is_pooled_is_power() -> None:
    flat = to_log(torch.full((1, 8, 16), 0.5))
    torch.testing.assert_close(pooled(flat, 2, 4), flat[:, :4, :4], atol=1e-4, rtol=0)


def test_a_flickering_tone_is_heard_where_single_hops_differ_as_little() -> None:
    """At equal error in every hop, a tone that is louder throughout counts as nearer than a flickering one."""
    hop, bins = torch.arange(96), torch.arange(641)
    tone = 2.0 * torch.exp(-0.5 * (bins - 20.0) ** 2).expand(1, 96, -1)
    phases = torch.polar(torch.ones(1, 96, 641), (2 * math.pi * 0.2 * hop)[None, :, None].expand(-1, -1, 641))
    sign = torch.where(hop % 3 == 0, 1.0, -1.0)[None, :, None]
    steady, flickers = to_log(tone * 1.3), to_log(tone * torch.exp(0.26 * sign))
    off = [float((made - to_log(tone)).abs().mean()) for made in (steady, flickers)]
    assert off[0] == pytest.approx(off[1], rel=0.1)
    losses = [float(tones_loss(made, to_log(tone), phases)) for made in (to_log(tone), steady, flickers)]
    assert losses[0] == 0.0
    assert losses[2] > 2.0 * losses[1] > 0.0


def test_a_bass_counts_for_more_than_as_many_bins_above() -> None:
    target = to_log(torch.ones(1, 40, 1282))
    phases = torch.ones(1, 80, 641, dtype=torch.complex64)
    loss_of = SpectralLoss(SpectralConfig(), "cpu")

    def with_error(first: int) -> float:
        made = target.clone().reshape(1, 80, 641)
        made[..., first : first + 8] += 0.5
        return float(loss_of(made.reshape(1, 40, 1282), target, phases))

    assert float(loss_of(target, target, phases)) == 0.0
    assert with_error(4) > 3.0 * with_error(120) > 6.0 * with_error(500) > 0.0


def test_judges_learn_to_tell_and_the_told_apart_are_pushed_towards_the_real() -> None:
    torch.manual_seed(0)
    judges = Judges()
    optimiser = torch.optim.AdamW(judges.parameters(), lr=2e-3)
    for seed in range(40):
        optimiser.zero_grad()
        loss = to_tell(judges, blurred(music(seed)), music(seed))
        loss.backward()
        optimiser.step()
    assert loss.item() < 1.0  # 2: it has learnt nothing
    real = music(99)
    made = blurred(real).requires_grad_()
    before = to_deceive(judges, made, real)
    (slope,) = torch.autograd.grad(before, made)
    assert slope.abs().sum() > 0
    assert to_deceive(judges, made - 5.0 * slope / slope.abs().max(), real).item() < before.item()
    assert to_deceive(judges, real, real).item() < before.item()


def test_judges_do_not_learn_through_the_codec() -> None:
    made = music(1).requires_grad_()
    to_tell(Judges(), made, music(2)).backward()
    assert made.grad is None
