"""Every out-of-memory error is recognised, whichever library raises it; no other error is."""

import sys

import numpy as np
import pytest
import torch

from engine.errors import CheckpointError, OutOfMemory
from engine.system.out_of_memory import CUDA_ALLOCATION, memory_may_run_out

MORE_THAN_ANY = 10**15  # bytes


def on_a_processor() -> None:
    torch.empty(MORE_THAN_ANY, dtype=torch.uint8)


def in_numpy() -> None:
    np.empty(MORE_THAN_ANY, np.uint8)


def in_cuda_pool() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def in_a_cuda_call() -> None:
    fault = torch.AcceleratorError("CUDA error 2")
    fault.error_code = CUDA_ALLOCATION  # type: ignore[attr-defined]
    raise fault


def on_an_apple_gpu() -> None:
    raise RuntimeError("MPS backend out of memory (MPS allocated: 18.13 GB)")


def in_onnx_runtime() -> None:
    state = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    raise state.RuntimeException("CUDA failure 2: out of memory")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems promise more memory than there is")
@pytest.mark.parametrize("take", [on_a_processor, in_numpy])
def test_memory_that_a_machine_does_not_have(take) -> None:
    with pytest.raises(OutOfMemory, match="there is not enough memory: "), memory_may_run_out():
        take()


@pytest.mark.parametrize("take", [in_cuda_pool, in_a_cuda_call, on_an_apple_gpu, in_onnx_runtime])
def test_memory_that_a_device_does_not_have(take) -> None:
    with pytest.raises(OutOfMemory, match="there is not enough memory: "), memory_may_run_out():
        take()


@pytest.mark.parametrize(
    "fault",
    [
        CheckpointError("memory.safetensors is out of memory's reach: out of memory"),
        ValueError("out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    ],
)
def test_other_errors_pass_as_they_are(fault: Exception) -> None:
    with pytest.raises(type(fault)) as raised, memory_may_run_out():
        raise fault
    assert raised.value is fault
