"""Losses of the codec's spectra: distances at several scales, and discriminators.

Discriminators are small convolutional networks over log-magnitudes as images, one per scale, like EnCodec's on
spectrograms (Defossez et al. 2022): hinge losses and feature matching. The codec stores no phase, so there is no
waveform to discriminate.

All of it [main].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torchaudio.functional import melscale_fbanks

from engine.codec.spectral_net import SpectralConfig, from_log, to_log
from engine.train.codec_fit import BIN_HZ

SCALES = ((1, 4), (2, 1), (4, 1), (8, 8))  # frames by bins whose power is summed
JUDGED = ((1, 1), (2, 2), (4, 1))
WIDTH = 16
EAR_HZ = 230.0  # up to here the bandwidth of hearing hardly grows
TONES, TONE_HOPS, TONE_BINS = 0.5, 16, 61
DECEIVE, MATCH = 0.05, 0.5  # weights of the two adversarial losses


class SpectralLoss:
    """The reconstruction loss, with its weights computed once.

    Bins count as they do in hearing, by the ear's bandwidth at their frequency (Glasberg and Moore 1990): what lies
    below 400 Hz, where basses and roots of chords are, counts a quarter of the whole.
    """

    def __init__(self, config: SpectralConfig, device: str) -> None:
        density = 1.0 / (1.0 + torch.arange(config.n_bins) * BIN_HZ / EAR_HZ)
        self.weights = (density / density.mean()).to(device)
        self.mel = melscale_fbanks(config.n_bins, 30.0, 16000.0, 80, 32000).to(device)
        self.n_bins = config.n_bins

    def __call__(self, predicted: Tensor, target: Tensor, phases: Tensor) -> Tensor:
        """Scalar loss of log-magnitudes [B, T, spectrum]; `phases` [B, 2 T, bins] are the target's, as unit factors."""
        made, real = (x.reshape(x.shape[0], -1, self.n_bins) for x in (predicted, target))
        error = ((made - real).abs() * self.weights).mean()
        change = (made[:, 1:] - made[:, :-1]) - (real[:, 1:] - real[:, :-1])
        error = error + 0.3 * (change.abs() * self.weights).mean()
        mel = [torch.log(from_log(x) ** 2 @ self.mel + 1e-3) for x in (made, real)]
        error = error + 0.3 * (mel[0] - mel[1]).abs().mean()
        return error + TONES * tones_loss(made, real, phases)


def tones_loss(predicted: Tensor, target: Tensor, phases: Tensor) -> Tensor:
    """L1 of log-magnitudes of tones, resolved to 6 Hz: each bin below 1.5 kHz over 160 ms, with the target's phases.

    A tone whose level flickers from hop to hop is a noisy one; single hops do not show it.
    """
    looked = []
    for log_magnitudes in (predicted, target):
        waves = from_log(log_magnitudes[..., :TONE_BINS]) * phases[..., :TONE_BINS]
        parts = waves.unfold(1, TONE_HOPS, TONE_HOPS // 2) * torch.hann_window(TONE_HOPS, device=waves.device)
        looked.append(to_log(torch.fft.fft(parts).abs() / (TONE_HOPS / 2)))
    return (looked[0] - looked[1]).abs().mean()


def pooled(log_magnitudes: Tensor, frames: int, bins: int) -> Tensor:
    """Log-magnitudes [B, S, bins], the power of so many frames and bins taken together."""
    power = F.avg_pool2d((from_log(log_magnitudes) ** 2)[:, None], (frames, bins), ceil_mode=True)[:, 0]
    return to_log((power + 1e-8).sqrt())


def scales_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean L1 of log-magnitudes [B, S, bins] at several scales."""
    errors = [(pooled(predicted, *scale) - pooled(target, *scale)).abs().mean() for scale in SCALES]
    return torch.stack(errors).mean()


class Judge(nn.Module):
    """Log-magnitudes [B, S, bins] to a map of how real each part is, and the features of its layers."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(1, WIDTH), (WIDTH, WIDTH), (WIDTH, 2 * WIDTH), (2 * WIDTH, 2 * WIDTH)]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(before, after, (3, 9), stride=(1, 2 if index else 3), padding=(1, 4)))
            for index, (before, after) in enumerate(sizes)
        )
        self.verdict = weight_norm(nn.Conv2d(2 * WIDTH, 1, 3, padding=1))

    def forward(self, log_magnitudes: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The map [B, 1, S, n], and the layers' outputs."""
        x, seen = log_magnitudes[:, None], []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            seen.append(x)
        return self.verdict(x), seen


class Judges(nn.Module):
    """One for each of `JUDGED`."""

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.ModuleList(Judge() for _ in JUDGED)

    def forward(self, log_magnitudes: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """What each makes of log-magnitudes [B, S, bins]."""
        looks = [log_magnitudes if scale == (1, 1) else pooled(log_magnitudes, *scale) for scale in JUDGED]
        return [judge(look) for judge, look in zip(self.each, looks, strict=True)]


def to_tell(judges: Judges, predicted: Tensor, target: Tensor) -> Tensor:
    """The judges' own loss: what is real above 1, what is not below -1."""
    pairs = zip(judges(target), judges(predicted.detach()), strict=True)
    losses = [F.relu(1.0 - real).mean() + F.relu(1.0 + made).mean() for (real, _), (made, _) in pairs]
    return torch.stack(losses).mean()


def to_deceive(judges: Judges, predicted: Tensor, target: Tensor) -> Tensor:
    """The codec's loss: adversarial, and feature matching."""
    with torch.no_grad():
        reals = judges(target)
    fooled, matched = [], []
    for (verdict, seen), (_, known) in zip(judges(predicted), reals, strict=True):
        fooled.append(F.relu(1.0 - verdict).mean())
        matched += [(a - b).abs().mean() / (b.abs().mean() + 1e-6) for a, b in zip(seen, known, strict=True)]
    return DECEIVE * torch.stack(fooled).mean() + MATCH * torch.stack(matched).mean()
