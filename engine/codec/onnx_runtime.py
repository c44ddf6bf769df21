"""EnCodec's bulk work on ONNX Runtime, on the CPU or through CUDA.

Graphs are built from the loaded weights when a session opens (`onnx_graphs.py`): nothing is exported in advance or
stored on disk. Tensors are bound in place, so nothing is copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.codec.layers import Past
from engine.codec.onnx_graphs import decoder_graph, encoder_graph
from engine.errors import UnsupportedError
from engine.ort.graph import Graph
from engine.ort.session import Session

if TYPE_CHECKING:
    from engine.codec.encodec import Encodec


class OnnxRuntime:
    """Implements `engine.codec.runtime.Runtime` for a codec with float32 weights; the encoder opens on demand.

    Raises UnsupportedError if ONNX Runtime is not installed or does not really run on the codec's device.  [main]
    """

    name = "onnx"

    def __init__(self, codec: Encodec) -> None:
        self._codec = codec
        tables = codec.quantizer.get_buffer("tables")
        if tables.dtype != torch.float32:
            raise UnsupportedError(f"ONNX Runtime decodes in torch.float32, the codec is in {tables.dtype}")
        self.device = tables.device
        self._decoder = _Signal(decoder_graph(list(codec.decoder.layers), codec.config.dim), self.device)
        self._encoder: _Signal | None = None

    def decode(self, latents: Tensor, past: Past) -> tuple[Tensor, Past]:
        """See `Runtime`.  [generate]"""
        samples = latents.shape[-1] * self._codec.frame_samples
        return self._decoder.run(latents, past, (latents.shape[0], self._codec.channels, samples))

    def encode(self, audio: Tensor, past: Past) -> tuple[Tensor, Past]:
        """See `Runtime`.  [generate]"""
        codec = self._codec
        if self._encoder is None:
            graph = encoder_graph(list(codec.encoder.layers), codec.encoder_reach_frames, codec.frame_samples)
            self._encoder = _Signal(graph, self.device)
        frames = audio.shape[-1] // codec.frame_samples - 2 * codec.encoder_reach_frames
        return self._encoder.run(audio, past, (audio.shape[0], past[0].shape[-1], frames))


class _Signal:
    """A graph from a signal and its past to another: `x, past_0..` to `y, after_0..`."""

    def __init__(self, graph: Graph, device: torch.device) -> None:
        self._session = Session(graph, device, "EnCodec")
        self._names = ["x", *(name for name in graph.inputs if name != "x")]
        self._out = ["y", *(name for name in graph.outputs if name != "y")]

    def run(self, x: Tensor, past: Past, y_shape: tuple[int, ...]) -> tuple[Tensor, Past]:
        """Inputs and outputs are float32 tensors on the session's device."""
        session, binding = self._session, self._session.binding()
        given = [tensor.contiguous() for tensor in (x, *past)]
        made = [x.new_empty(shape) for shape in (y_shape, *(tensor.shape for tensor in past))]
        for name, tensor in zip(self._names, given, strict=True):
            session.bind_input(binding, name, tensor)
        for name, tensor in zip(self._out, made, strict=True):
            session.bind_output(binding, name, tensor)
        session.run(binding)
        return made[0], tuple(made[1:])
