"""The network of the embedded codec: log-magnitudes to codes and back. Causal except for the decoder's lookahead.

    log-magnitudes [2 subframes x 641] --linear + residual convs--> latent [96] --4 codebooks of 1024--> codes
    latents --linear + residual convs--> log-magnitudes

The linear paths start as a principal component analysis, so that training refines a working codec.
Residual vector quantisation as in SoundStream (Zeghidour et al. 2021).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FLOOR = 0.01
FEW_FRAMES = 4


@dataclass(frozen=True)
class SpectralConfig:
    """Sizes of the embedded codec."""

    n_bins: int = 641
    subframes: int = 2
    latent: int = 96
    n_codebooks: int = 4
    card: int = 1024
    encoder_width: int = 192
    encoder_blocks: int = 2
    decoder_width: int = 384
    decoder_blocks: int = 4
    kernel: int = 5
    lookahead_frames: int = 0

    @property
    def spectrum(self) -> int:
        """Number of log-magnitudes in one codec frame.  [generate]"""
        return self.n_bins * self.subframes


def to_log(magnitude: Tensor) -> Tensor:
    """Magnitudes to natural log over a floor.  [generate]"""
    return torch.log(magnitude + FLOOR)


def from_log(log_magnitude: Tensor) -> Tensor:
    """Inverse of `to_log`, never negative.  [generate]"""
    return (torch.exp(log_magnitude) - FLOOR).clamp(min=0.0)


class CausalBlock(nn.Module):
    """Residual block: depthwise causal convolution over time, then two linear layers."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.depthwise = nn.Parameter(torch.randn(width, kernel) / kernel**0.5)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        self.kernel = kernel

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x [B, T, W] and the inputs before it [B, kernel - 1, W]; output and the past for the next call.

        [generate]
        """
        normed = self.norm(x)
        if past is None:
            past = normed.new_zeros(x.shape[0], self.kernel - 1, x.shape[2])
        joined = torch.cat([past, normed], dim=1)
        if x.shape[1] <= FEW_FRAMES:  # the set-up of a convolution would take longer than its work
            mixed = (joined.unfold(1, self.kernel, 1) * self.depthwise).sum(dim=-1)
        else:
            weight = self.depthwise.unsqueeze(1)
            mixed = F.conv1d(joined.transpose(1, 2), weight, groups=weight.shape[0]).transpose(1, 2)
        return x + self.narrow(F.gelu(self.widen(mixed))), joined[:, -(self.kernel - 1) :]


def config_of(weights: dict[str, Tensor]) -> SpectralConfig:
    """The sizes of a network with these weights; only the lookahead differs.  [any]"""
    config = SpectralConfig()
    return replace(config, lookahead_frames=weights["decoder_in.weight"].shape[1] // config.latent - 1)


def hear_ahead(weights: dict[str, Tensor], n_frames: int) -> dict[str, Tensor]:
    """Weights of a decoder with `n_frames` of lookahead, which at first ignores the additional frames.

    Raises ValueError if its lookahead was longer before.  [any]
    """
    had = weights["decoder_in.weight"]
    more = n_frames - config_of(weights).lookahead_frames
    if more < 0:
        raise ValueError(f"the decoder hears {n_frames - more} frames ahead already, {n_frames} would be fewer")
    ignored = had.new_zeros(had.shape[0], more * SpectralConfig().latent)
    return weights | {"decoder_in.weight": torch.cat([had, ignored], dim=1)}


class SpectralNet(nn.Module):
    """Encoder, codebooks and decoder."""

    mean: Tensor
    ceiling: Tensor

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        self.config = config
        width, wide = config.encoder_width, config.decoder_width
        self.register_buffer("mean", torch.zeros(config.spectrum))
        self.register_buffer("ceiling", torch.full((config.spectrum,), 6.0))  # largest in training
        self.analysis = nn.Linear(config.spectrum, config.latent, bias=False)
        self.encoder_in = nn.Linear(config.latent, width)
        self.encoder = nn.ModuleList(CausalBlock(width, config.kernel) for _ in range(config.encoder_blocks))
        self.encoder_out = nn.Linear(width, config.latent)
        self.codebooks = nn.Parameter(torch.zeros(config.n_codebooks, config.card, config.latent))
        self.synthesis = nn.Linear(config.latent, config.spectrum, bias=False)
        self.decoder_in = nn.Linear(config.latent * (config.lookahead_frames + 1), wide)
        self.decoder = nn.ModuleList(CausalBlock(wide, config.kernel) for _ in range(config.decoder_blocks))
        self.decoder_out = nn.Linear(wide, config.spectrum)
        for out in (self.encoder_out, self.decoder_out):
            nn.init.zeros_(out.weight)
            nn.init.zeros_(out.bias)

    def latents(self, log_magnitude: Tensor) -> Tensor:
        """Log-magnitudes [B, T, spectrum] to latents [B, T, latent].  [generate]"""
        z = self.analysis(log_magnitude - self.mean)
        x = self.encoder_in(z)
        for block in self.encoder:
            x, _ = block(x)
        return z + self.encoder_out(x)

    def quantise(self, latents: Tensor) -> Tensor:
        """Latents [B, T, latent] to codes [B, K, T]; each codebook codes the previous ones' residual.  [generate]"""
        rest, codes = latents, []
        for book in self.codebooks:
            distance = (book**2).sum(-1) - 2.0 * rest @ book.T
            code = distance.argmin(dim=-1)
            rest = rest - book[code]
            codes.append(code)
        return torch.stack(codes, dim=1)

    def dequantise(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to latents [B, T, latent].  [generate]"""
        first = torch.arange(self.config.n_codebooks, device=codes.device)[:, None, None] * self.config.card
        return F.embedding(codes.transpose(0, 1) + first, self.codebooks.flatten(0, 1)).sum(dim=0)

    def spectra(self, latents: Tensor, past: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Latents [B, T, latent] to log-magnitudes [B, T, spectrum], and the past for the next call.

        The output lags by `lookahead_frames`: at a stream's start the first ones belong to no frame.
        [generate]
        """
        window, heard = self.window(latents, past)
        x = self.decoder_in(window)
        kept = []
        for index, block in enumerate(self.decoder):
            x, after = block(x, None if past is None else past[index])
            kept.append(after)
        out = self.synthesis(window[..., : self.config.latent]) + self.mean + self.decoder_out(x)
        return torch.minimum(out, self.ceiling), [*kept, heard]

    def window(self, latents: Tensor, past: list[Tensor] | None) -> tuple[Tensor, Tensor]:
        """Each frame's latents and those of its lookahead [B, T, latent * (lookahead + 1)], and the last latents.

        [generate]
        """
        ahead, frames = self.config.lookahead_frames, latents.shape[1]
        before = latents.new_zeros(latents.shape[0], ahead, latents.shape[2]) if past is None else past[-1]
        joined = torch.cat([before, latents], dim=1)
        return torch.cat([joined[:, at : at + frames] for at in range(ahead + 1)], dim=2), joined[:, frames:]
