"""EnCodec's bulk work done by ONNX Runtime, on the CPU or through CUDA.

Graphs are written when a session is opened, from the weights as they are loaded (`onnx_graphs.py`): nothing is
exported beforehand and nothing is kept on disk. Tensors are bound where they lie, so nothing is copied on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from engine.codec.layers import Past
from engine.codec.onnx_graphs import decoder_graph, encoder_graph
from engine.codec.onnx_wire import Graph
from engine.errors import UnsupportedError

if TYPE_CHECKING:
    from engine.codec.encodec import Encodec

QUIET = 4  # ONNX Runtime's log level: what goes wrong is raised, there is no need to print it too
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}


class OnnxRuntime:
    """Implements `engine.codec.runtime.Runtime` for a codec with float32 weights; the encoder opens when asked for.

    Raises UnsupportedError when ONNX Runtime is not installed or does not really run on the codec's device.  [main]
    """

    name = "onnx"

    def __init__(self, codec: Encodec) -> None:
        self._codec = codec
        tables = codec.quantizer.get_buffer("tables")
        if tables.dtype != torch.float32:
            raise UnsupportedError(f"ONNX Runtime decodes in torch.float32, the codec is in {tables.dtype}")
        self.device = tables.device
        self._decoder = _Session(decoder_graph(list(codec.decoder.layers), codec.config.dim), self.device)
        self._encoder: _Session | None = None

    def decode(self, latents: Tensor, past: Past) -> tuple[Tensor, Past]:
        """See `Runtime`.  [generate]"""
        samples = latents.shape[-1] * self._codec.frame_samples
        return self._decoder.run(latents, past, (latents.shape[0], self._codec.channels, samples))

    def encode(self, audio: Tensor, past: Past) -> tuple[Tensor, Past]:
        """See `Runtime`.  [generate]"""
        codec = self._codec
        if self._encoder is None:
            graph = encoder_graph(list(codec.encoder.layers), codec.encoder_reach_frames, codec.frame_samples)
            self._encoder = _Session(graph, self.device)
        frames = audio.shape[-1] // codec.frame_samples - 2 * codec.encoder_reach_frames
        return self._encoder.run(audio, past, (audio.shape[0], past[0].shape[-1], frames))


class _Session:
    """One graph on one device; as many threads as PyTorch has, none of which waits by spinning."""

    def __init__(self, graph: Graph, device: torch.device) -> None:
        try:
            import onnxruntime
        except ImportError as fault:
            raise UnsupportedError("ONNX Runtime is not installed; pip install onnxruntime") from fault
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = QUIET
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # the session reads these where they are, so they stay as long as it does
        self._weights = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in graph.weights.items()}
        options.add_external_initializers(list(self._weights), list(self._weights.values()))
        self._device = device
        self._names = ["x", *(name for name in graph.inputs if name != "x")]
        self._out = ["y", *(name for name in graph.outputs if name != "y")]
        try:
            self._session = onnxruntime.InferenceSession(graph.to_bytes(), options, providers=_providers(device))
        except Exception as fault:  # ONNX Runtime raises classes of its own, which share no base
            raise UnsupportedError(f"ONNX Runtime does not open EnCodec on {device}: {_first_line(fault)}") from fault
        if device.type == "cuda" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise UnsupportedError(f"ONNX Runtime has CUDA, but falls back to the CPU on {device}")

    def run(self, x: Tensor, past: Past, y_shape: tuple[int, ...]) -> tuple[Tensor, Past]:
        """Inputs and outputs are float32 tensors on the session's device."""
        given = [tensor.contiguous() for tensor in (x, *past)]
        made = [x.new_empty(shape) for shape in (y_shape, *(tensor.shape for tensor in past))]
        binding = self._session.io_binding()
        for name, tensor in zip(self._names, given, strict=True):
            binding.bind_input(name, *self._place(tensor))
        for name, tensor in zip(self._out, made, strict=True):
            binding.bind_output(name, *self._place(tensor))
        if self._device.type == "cuda":  # PyTorch and ONNX Runtime work in streams of their own
            torch.cuda.current_stream(self._device).synchronize()
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return made[0], tuple(made[1:])

    def _place(self, tensor: Tensor) -> tuple[Any, ...]:
        return self._device.type, self._device.index or 0, np.float32, tuple(tensor.shape), tensor.data_ptr()


def _providers(device: torch.device) -> list[Any]:
    """What is to run a session for `device`; UnsupportedError where ONNX Runtime has nothing for it."""
    import onnxruntime

    if device.type == "cpu":
        return ["CPUExecutionProvider"]
    if device.type != "cuda" or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise UnsupportedError(f"this ONNX Runtime has nothing for {device}")
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that came with PyTorch
    return [("CUDAExecutionProvider", {"device_id": str(device.index or 0), **CUDA_OPTIONS}), "CPUExecutionProvider"]


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200]
