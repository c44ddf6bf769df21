"""Text to vectors: a T5 version 1 encoder, its tokenizer, and the projection to the language model's width.

Source: T5 (Raffel et al. 2020): pre-norm layers without biases, RMS norm, relu, one table of relative
positions shared by all layers, no scaling of the scores. L text tokens, H heads, D width.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import CheckpointError, UnsupportedError
from engine.system.optional_library import needed

EOS = 1
MAX_TOKENS = 1024
MAX_TOKENIZER_BYTES = 64 << 20
CACHED_TEXTS = 64


@dataclass(frozen=True)
class T5Config:
    """Sizes of a T5 encoder, version 1 (relu, one relative position table).  [any]"""

    dim: int
    n_heads: int
    head_dim: int
    ffn_dim: int
    n_layers: int
    vocabulary: int
    n_buckets: int = 32
    max_distance: int = 128
    eps: float = 1e-6


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] to the same shape.  [generate]"""
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


class SelfAttention(nn.Module):
    """Attention whose scores get a bias for the distance instead of positions in the input."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        inner = config.n_heads * config.head_dim
        self.n_heads = config.n_heads
        self.q, self.k, self.v = (nn.Linear(config.dim, inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, config.dim, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [1, L, D], bias [1, H, L, L] to [1, L, D].  [generate]"""
        q, k, v = (part(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        return self.o(heads.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each behind its norm, each added to what came in."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.attention_norm = RMSNorm(config.dim, config.eps)
        self.wi = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.wo = nn.Linear(config.ffn_dim, config.dim, bias=False)
        self.ffn_norm = RMSNorm(config.dim, config.eps)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """[1, L, D] to the same shape.  [generate]"""
        x = x + self.attention(self.attention_norm(x), bias)
        return x + self.wo(F.relu(self.wi(self.ffn_norm(x))))


class T5Encoder(nn.Module):
    """Token ids to vectors, one text at a time (padding would change nothing but the cost)."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocabulary, config.dim)
        self.position_bias = nn.Embedding(config.n_buckets, config.n_heads)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.n_layers))
        self.final_norm = RMSNorm(config.dim, config.eps)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [1, L] to vectors [1, L, D].  [generate]"""
        x = self.embed(ids)
        bias = self.position_bias(self.buckets(ids.shape[1], ids.device)).permute(2, 0, 1).unsqueeze(0)
        for layer in self.layers:
            x = layer(x, bias)
        return self.final_norm(x)

    def buckets(self, length: int, device: torch.device) -> Tensor:
        """Bucket [L, L] of each distance query to key: half per sign, exact when near, then by logarithm.

        [generate]
        """
        at = torch.arange(length, device=device)
        distance = at.unsqueeze(0) - at.unsqueeze(1)
        per_sign = self.config.n_buckets // 2
        exact = per_sign // 2
        far = distance.abs().clamp(min=1).float() / exact
        steps = torch.log(far) / math.log(self.config.max_distance / exact) * (per_sign - exact)
        bucket = torch.where(distance.abs() < exact, distance.abs(), exact + steps.long())
        return bucket.clamp(max=per_sign - 1) + per_sign * (distance > 0)


WeightedTexts = tuple[tuple[str, float], ...]
Tokenize = Callable[[str], list[int]]


def load_tokenizer(folder: Path) -> Tokenize:
    """Text to ids with `</s>`, by tokenizer.json or spiece.model, or CheckpointError.  [any]"""
    fast, pieces = folder / "tokenizer.json", folder / "spiece.model"
    source = fast if fast.exists() else pieces
    try:
        if not source.is_file() and source.exists():
            raise CheckpointError(f"{source} is not a file")
        if source.stat().st_size > MAX_TOKENIZER_BYTES:
            raise CheckpointError(f"{source} has {source.stat().st_size} bytes, the limit is {MAX_TOKENIZER_BYTES}")
        return _fast_tokenizer(source) if source is fast else _sentencepiece(source)
    except OSError as fault:
        raise CheckpointError(f"{folder} has neither tokenizer.json nor spiece.model") from fault


def _fast_tokenizer(path: Path) -> Tokenize:
    with needed("reading prompts"):
        from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as fault:  # the library raises plain Exception
        raise CheckpointError(f"{path} is not a tokenizer: {fault}") from fault
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda text: list(tokenizer.encode(text).ids)


def _sentencepiece(path: Path) -> Tokenize:
    with needed("reading prompts"):
        from sentencepiece import SentencePieceProcessor

    try:
        processor = SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError, ValueError) as fault:
        raise CheckpointError(f"{path} is not a sentencepiece model: {fault}") from fault
    return lambda text: [*processor.encode(text), EOS]


class TextEncoder(Protocol):
    """What turns one text into vectors, before the projection."""

    def __call__(self, text: str, device: torch.device) -> Tensor:
        """A text that is not empty to [1, L, D] on `device`.  [generate]"""
        ...


class T5Texts:
    """Texts through a tokenizer and a T5 encoder."""

    def __init__(self, encoder: T5Encoder, tokenize: Tokenize) -> None:
        self.encoder = encoder
        self.tokenize = tokenize

    def __call__(self, text: str, device: torch.device) -> Tensor:
        """See `TextEncoder`.  UnsupportedError for a text of more than 1024 tokens.  [generate]"""
        ids = self.tokenize(text)
        vocabulary = self.encoder.config.vocabulary
        if len(ids) > MAX_TOKENS:
            raise UnsupportedError(f"the text has {len(ids)} tokens, the limit is {MAX_TOKENS}")
        if max(ids, default=0) >= vocabulary:
            raise CheckpointError(f"the tokenizer gives id {max(ids)}, the text encoder knows {vocabulary}: not a pair")
        return self.encoder(torch.tensor([ids], device=device))


TextStandIn = Callable[[list[str]], Tensor]


class StandInTexts:
    """A caller's function in place of T5: a list of one text to [1, L, D], D as the projection was trained on."""

    def __init__(self, stand_in: TextStandIn, dim: int) -> None:
        self.stand_in = stand_in
        self.dim = dim

    def __call__(self, text: str, device: torch.device) -> Tensor:
        """See `TextEncoder`.  ValueError if the function returns anything else.  [generate]"""
        vectors: object = self.stand_in([text])
        if not isinstance(vectors, Tensor):
            kind = type(vectors).__name__
            raise ValueError(f"the given t5 returned a {kind}, must be a torch tensor [1, tokens, {self.dim}]")
        if vectors.dim() != 3 or vectors.shape[0] != 1 or vectors.shape[1] < 1 or vectors.shape[2] != self.dim:
            raise ValueError(f"the given t5 returned {list(vectors.shape)}, must be [1, tokens, {self.dim}]")
        return vectors.to(device=device, dtype=torch.float32)


class TextConditioner:
    """Texts to projected vectors, padded with zero vectors, to which the language model attends.

    Empty and None are all zeros. Recent texts are cached.
    """

    def __init__(self, encode: TextEncoder, projection: nn.Linear) -> None:
        self.encode = encode
        self.projection = projection
        self._known: OrderedDict[str, Tensor] = OrderedDict()

    @torch.no_grad()
    def __call__(self, texts: Sequence[str | WeightedTexts | None]) -> Tensor:
        """Texts to [N, L, D], L the longest in tokens, 1 when all are empty.

        Several texts with weights become their weighted sum, token by token, whatever their weights as long as the
        longest of them.  Raises UnsupportedError for a text that is too long.  [generate]
        """
        return _padded([self._row(text) for text in texts])

    def _row(self, text: str | WeightedTexts | None) -> Tensor:
        """[L, D] of one text, or of a mixture of several."""
        if not text:
            return self.projection.bias.new_zeros(1, len(self.projection.bias))
        if isinstance(text, str):
            return self._vectors(text)
        weights = self.projection.bias.new_tensor([weight for _, weight in text])
        return torch.einsum("n,nld->ld", weights, _padded([self._row(each) for each, _ in text]))

    def _vectors(self, text: str) -> Tensor:
        """[L, D] of one text, cached if it is recent."""
        if text in self._known:
            self._known.move_to_end(text)
            return self._known[text]
        row = self.projection(self.encode(text, self.projection.weight.device))[0]
        self._known[text] = row
        if len(self._known) > CACHED_TEXTS:
            self._known.popitem(last=False)
        return row


def _padded(rows: Sequence[Tensor]) -> Tensor:
    """Rows [L, D] to [N, longest, D], zero vectors behind the shorter ones."""
    longest = max(len(row) for row in rows)
    return torch.stack([F.pad(row, (0, 0, 0, longest - len(row))) for row in rows])
