"""A codec with audiocraft's interface: `MusicGen.compression_model`.

`codes, scale = model.compression_model.encode(audio)`; `scale` is always None, as with the published codec.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.codec.base import Codec


class CompressionModel:
    """audiocraft's names for a Segue codec; other attributes are the codec's."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    @property
    def frame_rate(self) -> float:
        """Frames a second.  [any]"""
        return self.codec.sample_rate / self.codec.frame_samples

    @property
    def cardinality(self) -> int:
        """Entries of a codebook.  [any]"""
        return self.codec.card

    @property
    def num_codebooks(self) -> int:
        """Codebooks of all channels.  [any]"""
        return self.codec.n_codebooks

    total_codebooks = num_codebooks

    def encode(self, x: Tensor) -> tuple[Tensor, None]:
        """Audio [B, C, N] to codes [B, K, ceil(N / 640)] and no scale.  [generate]"""
        with torch.no_grad():
            return self.codec.encode(x), None

    def decode(self, codes: Tensor, scale: Tensor | None = None) -> Tensor:
        """Codes [B, K, T] to audio [B, C, 640 T].  Raises ValueError for a scale.  [generate]"""
        if scale is not None:
            raise ValueError("this codec does not scale its audio; scale must be None")
        with torch.no_grad():
            return self.codec.decode(codes)

    def __getattr__(self, name: str) -> Any:
        """`sample_rate`, `channels` and other attributes of the codec."""
        if name == "codec":
            raise AttributeError(name)
        return getattr(self.codec, name)
