"""The style network: music features to a few coarse vectors that say how a piece sounds, not what it plays.

    features [B, F, 768] -> Linear -> transformer -> batch norm -> the first eval_q of 6 residual quantisers
                         -> every ds_factor-th frame [B, ceil(F / ds_factor), 512]

Source: MusicGen-Style (Rouard et al. 2024). F feature frames, 75 a second; Q quantisers of `card` rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.core.config import LMConfig
from engine.lm.layers import DecoderLayer, attend, sinusoidal
from engine.lm.model import Transformer

BATCH_NORM_EPS = 1e-5


@dataclass(frozen=True)
class StyleConfig:
    """Sizes of the style network, and its default excerpt.

    `features` is the width of its input, `ds_factor` one of how many frames is kept.  [any]
    """

    dim: int = 512
    n_heads: int = 8
    n_layers: int = 8
    n_codebooks: int = 6
    card: int = 1024
    features: int = 768
    ds_factor: int = 15

    def layers(self) -> LMConfig:
        """The transformer's sizes, in the terms of the layers it shares with the language model.  [any]"""
        return LMConfig(self.dim, self.n_heads, self.n_layers, cross_attention=False)


class BatchNorm(nn.Module):
    """Batch norm with the statistics of the training, without weights of its own."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """[B, F, D] to the same shape.  [generate]"""
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return (x - mean) * torch.rsqrt(variance + BATCH_NORM_EPS)


class StyleNet(nn.Module):
    """Features to style vectors; parameter names are the published ones but for the quantisers' tables [Q, card, D]."""

    def __init__(self, config: StyleConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.features, config.dim)
        self.transformer = Transformer(config.layers())
        self.batch_norm = BatchNorm(config.dim)
        self.register_buffer("tables", torch.zeros(config.n_codebooks, config.card, config.dim))

    def latent(self, features: Tensor) -> Tensor:
        """Features [B, F, 768] to what is quantised, [B, F, D]; every frame sees every other.  [generate]"""
        x = self.embed(features)
        x = x + sinusoidal(torch.arange(x.shape[1], device=x.device), self.config.dim, self.config.layers().max_period)
        for layer in cast(list[DecoderLayer], list(self.transformer.layers)):
            q, k, v = layer.self_attn.query_key_value(layer.norm1(x))
            x = layer.feed_forward(x + layer.self_attn.merge(attend(q, k, v)))
        return self.batch_norm(x)

    def codes(self, latent: Tensor, eval_q: int) -> Tensor:
        """Latent [B, F, D] to codes [B, eval_q, F]: nearest rows, each table coding what those before left over.

        [generate]
        """
        rest, codes = latent, []
        for table in self.get_buffer("tables")[:eval_q]:
            code = (2 * rest @ table.t() - table.pow(2).sum(-1)).argmax(dim=-1)
            rest = rest - F.embedding(code, table)
            codes.append(code)
        return torch.stack(codes, dim=1)

    def coarse(self, codes: Tensor) -> Tensor:
        """Codes [B, Q, F] to the sum of their rows, [B, F, D].  [generate]"""
        tables = self.get_buffer("tables")
        return torch.stack([F.embedding(codes[:, q], tables[q]) for q in range(codes.shape[1])]).sum(0)

    def vectors(self, latent: Tensor, eval_q: int, ds_factor: int) -> Tensor:
        """Latent [B, F, D] to style vectors [B, ceil(F / ds_factor), D]; frames are quantised alone.  [generate]"""
        return self.coarse(self.codes(latent[:, ::ds_factor], eval_q))
