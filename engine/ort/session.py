"""Opens a graph in ONNX Runtime, on the CPU or through CUDA, and binds tensors to it in place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import UnsupportedError
from engine.ort.graph import Graph
from engine.system.optional_library import needed

QUIET = 4  # ONNX Runtime's log level: errors are raised, they need not be printed too
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
_KINDS = {
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.int8: np.int8,
    torch.int32: np.int32,
    torch.int64: np.int64,
}


class Session:
    """One graph on one device; as many threads as PyTorch's, none of which spins while it waits.

    Raises UnsupportedError if ONNX Runtime is not installed or does not really run on the device: a provider that it
    lists as available may still fail to load.  [generate]
    """

    def __init__(self, graph: Graph, device: torch.device | str = "cpu", what: str = "the model") -> None:
        with needed("ONNX Runtime"):
            import onnxruntime
        self.device = torch.device(device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = QUIET
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # the session reads these in place, so they exist as long as it does
        self._weights = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in graph.weights.items()}
        options.add_external_initializers(list(self._weights), list(self._weights.values()))
        try:
            self._session = onnxruntime.InferenceSession(graph.to_bytes(), options, providers=_providers(self.device))
        except Exception as fault:  # ONNX Runtime's own exceptions have no common base
            raise UnsupportedError(f"ONNX Runtime does not open {what} on {device}: {_first_line(fault)}") from fault
        self._taken_bytes = sum(graph.weights[name].nbytes for name in graph.lent)
        if self.device.type == "cuda" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise UnsupportedError(f"ONNX Runtime has CUDA, but falls back to the CPU on {device}")

    @property
    def held_bytes(self) -> int:
        """Memory of the weights that the session reads in place and of those that it has packed.  [any]"""
        kept = sum(value.tensor_size_in_bytes() for value in self._weights.values())
        return int(kept) + self._taken_bytes

    def let_go(self, names: Iterable[str]) -> None:
        """Free weights that the session has packed and no longer reads; `quantised` knows which."""
        for name in names:
            self._weights.pop(name)

    def binding(self) -> Any:
        """A new set of bound tensors, for `bind_input`, `bind_output` and `run`.  [generate]"""
        return self._session.io_binding()

    def bind_input(self, binding: Any, name: str, tensor: Tensor) -> None:
        """Bind an input to a contiguous tensor on the session's device, which must outlive the binding."""
        binding.bind_input(name, *self._place(tensor))

    def bind_output(self, binding: Any, name: str, tensor: Tensor) -> None:
        """Bind an output to a contiguous tensor, which must outlive the binding."""
        binding.bind_output(name, *self._place(tensor))

    def run(self, binding: Any) -> None:
        """Compute; on CUDA wait for the inputs and for the results.  [generate]"""
        if self.device.type == "cuda":  # PyTorch and ONNX Runtime use different streams
            torch.cuda.current_stream(self.device).synchronize()
            self._session.run_with_iobinding(binding)
            binding.synchronize_outputs()
        else:
            self._session.run_with_iobinding(binding)

    def _place(self, tensor: Tensor) -> tuple[Any, ...]:
        if not tensor.is_contiguous():
            raise ValueError(f"a bound tensor must be contiguous, strides are {tensor.stride()}")
        index = self.device.index or 0
        return self.device.type, index, _KINDS[tensor.dtype], tuple(tensor.shape), tensor.data_ptr()


def _providers(device: torch.device) -> list[Any]:
    """The providers of a session for `device`; UnsupportedError if ONNX Runtime has none."""
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
