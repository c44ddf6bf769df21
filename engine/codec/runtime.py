"""The runtimes for the bulk of EnCodec's work: PyTorch, or ONNX Runtime if that is faster.

A runtime computes only the inside of a signal; PyTorch always computes its ends, where edges are padded. Either runtime
can continue any stream at any time: a stream's past is the same tensors for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from engine.codec.layers import Past, SkipLSTM, advance, through

if TYPE_CHECKING:
    from engine.codec.encodec import Encodec


class Runtime(Protocol):
    """B streams at once, D latent width, W width at the LSTM, t frames. All methods [generate]."""

    name: str

    def decode(self, latents: Tensor, past: Past) -> tuple[Tensor, Past]:
        """The decoder inside a stream: latents [B, D, t] to audio [B, C, frame_samples t], later by its reach."""
        ...

    def encode(self, audio: Tensor, past: Past) -> tuple[Tensor, Past]:
        """The encoder up to its LSTM, inside a signal: [B, W, t] of audio with `encoder_reach_frames` around it."""
        ...


class TorchRuntime:
    """Runs the codec's own layers."""

    name = "torch"

    def __init__(self, codec: Encodec) -> None:
        self._decoder = list(codec.decoder.layers)
        layers = list(codec.encoder.layers)
        self._before = [layer for layer in layers[:-2] if not isinstance(layer, SkipLSTM)]
        self._lstm = [layer for layer in layers if isinstance(layer, SkipLSTM)]
        self._reach = codec.encoder_reach_frames

    def decode(self, latents: Tensor, past: Past) -> tuple[Tensor, Past]:
        """See `Runtime`.  [generate]"""
        return advance(self._decoder, latents, past)

    def encode(self, audio: Tensor, past: Past) -> tuple[Tensor, Past]:
        """See `Runtime`.  [generate]"""
        x = through(self._before, audio)
        return advance(self._lstm, x[..., self._reach : x.shape[-1] - self._reach], past)
