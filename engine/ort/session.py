"""Opening a graph in ONNX Runtime, on the CPU or through CUDA, and binding tensors to it where they lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import UnsupportedError
from engine.ort.graph import Graph
from engine.system.optional_library import needed

QUIET = 4  # ONNX Runtime's log level: what goes wrong is raised, there is no need to print it too
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
_KINDS = {
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.int8: np.int8,
    torch.int32: np.int32,
    torch.int64: np.int64,
}


class Session:
    """One graph on one device; as many threads as PyTorch has, none of which waits by spinning.

    Raises UnsupportedError when ONNX Runtime is not installed or does not really run on the device: what it lists
    as available may still fail to load.  [generate]
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
        # the session reads these where they are, so they stay as long as it does
        self._weights = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in graph.weights.items()}
        options.add_external_initializers(list(self._weights), list(self._weights.values()))
        try:
            self._session = onnxruntime.InferenceSession(graph.to_bytes(), options, providers=_providers(self.device))
        except Exception as fault:  # ONNX Runtime raises classes of its own, which share no base
            raise UnsupportedError(f"ONNX Runtime does not open {what} on {device}: {_first_line(fault)}") from fault
        self._taken_bytes = sum(graph.weights[name].nbytes for name in graph.lent)
        if self.device.type == "cuda" and "CUDAExecutionProvider" not in self._session.get_providers():
            raise UnsupportedError(f"ONNX Runtime has CUDA, but falls back to the CPU on {device}")

    @property
    def held_bytes(self) -> int:
        """Of weights: those that the session reads where they lie, and those that it has laid out anew.  [any]"""
        kept = sum(value.tensor_size_in_bytes() for value in self._weights.values())
        return int(kept) + self._taken_bytes

    def let_go(self, names: Iterable[str]) -> None:
        """Free weights that the session has laid out anew and reads no more; which those are, `quantised` knows."""
        for name in names:
            self._weights.pop(name)

    def binding(self) -> Any:
        """A new row of bound tensors, for `bind_input`, `bind_output` and `run`.  [generate]"""
        return self._session.io_binding()

    def bind_input(self, binding: Any, name: str, tensor: Tensor) -> None:
        """Have an input read from a contiguous tensor on the session's device, which must outlive the binding."""
        binding.bind_input(name, *self._place(tensor))

    def bind_output(self, binding: Any, name: str, tensor: Tensor) -> None:
        """Have an output written into a contiguous tensor, which must outlive the binding."""
        binding.bind_output(name, *self._place(tensor))

    def run(self, binding: Any) -> None:
        """Compute; on CUDA wait for the tensors to be there, and for the results.  [generate]"""
        if self.device.type == "cuda":  # PyTorch and ONNX Runtime work in streams of their own
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
