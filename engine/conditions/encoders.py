"""The embedded model's two encoders: words, or a style excerpt, to memory vectors and a summary.

Both are trained together with the language model. Cross-attention reads 16 text vectors, then 8 style vectors, and
every frame gets the summaries; missing conditions are zeros, as in the reference. Memory vectors are normalised: large
ones at the start teach the model to attend to the zeros only.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.conditions.frames import SUMMARY
from engine.conditions.words import BUCKETS, MAX_WORDS
from engine.lm.layers import sinusoidal

STYLE_VECTORS = 8
BOTTLENECK = 32
POSITION_SHARE = 0.3


class WordEncoder(nn.Module):
    """Mean of a word's hashed parts, then one transformer layer over the words."""

    def __init__(self, dim: int, part_dim: int = 128) -> None:
        super().__init__()
        self.parts = nn.Embedding(BUCKETS, part_dim, padding_idx=0)
        self.widen = nn.Linear(part_dim, dim)
        self.layer = nn.TransformerEncoderLayer(
            dim, 4, 2 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(dim)
        self.summary = nn.Linear(dim, SUMMARY, bias=False)
        self.dim = dim

    def forward(self, parts: Tensor) -> tuple[Tensor, Tensor]:
        """Part numbers [B, 16, 24] to memory [B, 16, D] and summary [B, 32]; zeros without words.

        [generate]
        """
        there = (parts > 0).sum(dim=2)
        word = there > 0
        mean = self.parts(parts).sum(dim=2) / there.clamp(min=1).sqrt().unsqueeze(-1)
        positions = sinusoidal(torch.arange(MAX_WORDS, device=parts.device), self.dim, 10000.0)
        hidden = ~word
        hidden[:, 0] &= word.any(dim=1)  # a row without words would attend to nothing: NaN
        x = self.layer(self.widen(mean) + POSITION_SHARE * positions, src_key_padding_mask=hidden)
        memory = self.norm(x) * word.unsqueeze(-1)
        return memory, self.summary(memory.sum(dim=1) / word.sum(dim=1).clamp(min=1).unsqueeze(-1))


class StyleEncoder(nn.Module):
    """Codec latents of an excerpt to 8 vectors through a narrow bottleneck, so that it cannot copy the notes.

    The summary is one matrix on the latents' mean and spread over time: timbre, learnt in minutes.
    """

    latent_scale: Tensor

    def __init__(self, dim: int, latent: int) -> None:
        super().__init__()
        self.register_buffer("latent_scale", torch.ones(latent))
        self.widen = nn.Linear(latent, dim)
        self.first = nn.Conv1d(dim, dim, 5, stride=2, padding=2)
        self.second = nn.Conv1d(dim, dim, 5, stride=2, padding=2)
        self.queries = nn.Parameter(torch.randn(STYLE_VECTORS, dim) * 0.1)
        self.pool = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.narrow = nn.Linear(dim, BOTTLENECK)
        self.out = nn.Linear(BOTTLENECK, dim)
        self.norm = nn.LayerNorm(dim)
        self.summary = nn.Linear(2 * latent, SUMMARY, bias=False)

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [B, T, latent] (T at least 25) to memory [B, 8, D] and summary [B, 32].  [generate]"""
        scaled = latents / self.latent_scale
        x = F.gelu(self.widen(scaled)).transpose(1, 2)
        x = F.gelu(self.second(F.gelu(self.first(x)))).transpose(1, 2)
        queries = self.queries.expand(x.shape[0], -1, -1)
        pooled, _ = self.pool(queries, x, x, need_weights=False)
        spread = torch.cat([scaled.mean(dim=1), scaled.std(dim=1)], dim=1)
        return self.norm(self.out(self.narrow(pooled))), self.summary(spread)
