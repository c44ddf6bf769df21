"""Converts every out-of-memory error to one class.

Python has a class for it, and PyTorch one for its own pool on a GPU; a failed CUDA call has a number. PyTorch's
allocators for CPUs and Apple GPUs raise a plain RuntimeError, and ONNX Runtime has one class for all errors: these can
only be recognised by their text, which is examined only here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.errors import OutOfMemory

CUDA_ALLOCATION = 2  # cudaErrorMemoryAllocation
_SAID = ("can't allocate memory", "out of memory")


@contextmanager
def memory_may_run_out() -> Iterator[None]:
    """Raises OutOfMemory for any library's out-of-memory error; other errors pass.  [any]"""
    try:
        yield
    except Exception as error:
        if _ran_out(error):
            raise OutOfMemory(f"there is not enough memory: {error}") from error
        raise


def _ran_out(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch: Any = sys.modules.get("torch")  # if it was never loaded, it raised nothing
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    if torch is not None and isinstance(error, torch.AcceleratorError):
        return getattr(error, "error_code", None) == CUDA_ALLOCATION
    theirs = type(error) is RuntimeError or type(error).__module__.startswith("onnxruntime")
    return theirs and any(words in str(error) for words in _SAID)
