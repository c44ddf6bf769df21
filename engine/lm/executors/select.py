"""The choice of a model's executor: made only here, once for a loaded model.

    weights               on a CPU                                          on another device
    8 or 4 bits           native code, else ONNX Runtime                    none
    float32, bfloat16     native code, else PyTorch                         all windows at once (`executors.device`)
    float16               PyTorch                                           all windows at once

Native code is chosen if the library runs, supports the model's shape, and is correct: before its first use in a process
it is compared with PyTorch on a small model.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache

import torch

from engine.core.config import LMConfig
from engine.errors import UnsupportedError
from engine.lm.conditions import Conditions
from engine.lm.executors.base import Executor
from engine.lm.executors.device import DeviceExecutor
from engine.lm.executors.native import library
from engine.lm.executors.native.phase import NativeSettle
from engine.lm.executors.native_executor import NativeExecutor
from engine.lm.executors.onnx_executor import OnnxExecutor
from engine.lm.executors.torch_executor import TorchExecutor
from engine.lm.model import LanguageModel

TOLERANCE = {None: 1e-4, 8: 0.1, 4: 0.5}  # of the logits' spread
_log = logging.getLogger("segue.engine")


def choose(
    lm: LanguageModel,
    bits: int | None = None,
    *,
    cache_dtype: torch.dtype | None = None,
    prefill_half: bool = False,
    memories: tuple[bool, ...] | None = None,
) -> Executor:
    """The executor of a model: on weights of 8 or 4 `bits`, or on its own.

    `cache_dtype` is that of keys and values if the weights are the model's own (None: as LayerNorms). `prefill_half`:
    prefill on a CPU runs in bfloat16. `memories`: quantised steps are prepared with (True) or without (False) a memory;
    None: as the model was trained. Raises UnsupportedError if no executor here can take quantised steps.  [generate]
    """
    if lm.device.type != "cpu":
        if bits:
            raise UnsupportedError(f"precision int{bits} is for the CPU, the model is on {lm.device}")
        return DeviceExecutor(lm, cache_dtype=cache_dtype)
    if bits:
        return quantised(lm, bits, prefill_half, memories or (lm.config.cross_attention,))
    return plain(lm, cache_dtype, prefill_half)


def quantised(lm: LanguageModel, bits: int, prefill_half: bool, memories: tuple[bool, ...]) -> Executor:
    """The executor on a CPU, on weights of few bits; see `choose`.  [generate]"""
    if trusted(bits):
        try:
            return NativeExecutor(lm, bits, prefill_half=prefill_half)
        except UnsupportedError as error:
            _log.info("steps are taken by ONNX Runtime: %s", error)
    return OnnxExecutor(lm, bits, prefill_half).ready(*memories)


def plain(lm: LanguageModel, cache_dtype: torch.dtype | None, prefill_half: bool) -> Executor:
    """The executor on a CPU, on the model's own weights; see `choose`.  [generate]"""
    if trusted(None):
        try:
            return NativeExecutor(lm, None, cache_dtype, prefill_half)
        except UnsupportedError as error:
            _log.info("steps are taken by PyTorch: %s", error)
    return TorchExecutor(lm, cache_dtype, prefill_half)


def trusted(bits: int | None) -> bool:
    """Whether the native step is available, switched on, and equal to PyTorch's.  [generate]"""
    return _trusted(bits, os.environ.get(library.SWITCH, ""))


@lru_cache(maxsize=16)
def _trusted(bits: int | None, switch: str) -> bool:
    """`trusted`, checked once per number of bits and setting of the switch."""
    try:
        error = difference(bits)
    except UnsupportedError as missing:
        _log.info("no native step: %s", missing)
        return False
    if not error <= TOLERANCE[bits]:
        _log.warning("the native step is not used: on a small model it is %.3g of the spread off", error)
        return False
    return True


@torch.inference_mode()
def difference(bits: int | None) -> float:
    """The largest difference of the native step from PyTorch's layers on a small model, over the logits' spread.

    Raises UnsupportedError without a native step.  [generate]
    """
    library.load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lm = LanguageModel(LMConfig(dim=64, n_heads=1, n_layers=2, card=40)).eval()
        conditions = Conditions(memory=torch.randn(2, 3, 64))
        tokens = torch.randint(0, 41, (2, 4, 24))
    whole = lm(tokens, conditions)
    native = NativeExecutor(lm, bits)
    state = native.init_state(2, tokens.shape[-1], conditions)
    native.prefill(tokens[..., :2], conditions, state)
    made = torch.stack([native.step(tokens[..., step], state) for step in range(2, tokens.shape[-1])], dim=2)
    return float((made - whole[:, :, 2:]).abs().max() / whole.std())


def native_settle() -> NativeSettle | None:
    """The embedded codec's phase reconstruction in native code; None, and logged, where there is none.  [generate]"""
    try:
        return NativeSettle()
    except UnsupportedError as error:
        _log.info("the codec reconstructs phases with numpy: %s", error)
        return None
