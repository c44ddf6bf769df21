"""Who takes the steps on a processor: native code where it is and where it is right, else ONNX Runtime or PyTorch.

    weights               native library runs here         else
    float32, bfloat16     it reads them where they lie     PyTorch (`engine.lm.executors.fused`)
    8 or 4 bits           it has them laid out             ONNX Runtime (`engine.lm.executors.onnx_step`)

Before its first use in a process the native step is compared with PyTorch on a small model.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from engine.core.config import LMConfig
from engine.errors import UnsupportedError
from engine.lm.conditions import Conditions
from engine.lm.executors.native import library

if TYPE_CHECKING:
    from engine.lm.executors.native_step import NativeStepper
    from engine.lm.model import LanguageModel
    from engine.lm.state import LMState

TOLERANCE = {None: 1e-4, 8: 0.1, 4: 0.5}  # of the logits' spread
_log = logging.getLogger("segue.engine")


class Bound(Protocol):
    """One state's buffers, for its steps.  [generate]"""

    known: Tensor  # [R, S, D]: position and frame features of every step

    @property
    def stepper(self) -> Stepper:
        """What bound them."""

    def run(self, tokens: Tensor, step: int, length: int) -> Tensor:
        """Tokens [R, K] of one step at a cache of `length` positions; logits [R, K * card]."""


class Stepper(Protocol):
    """Takes a model's steps in place of its layers.  [generate]"""

    bits: int | None
    cache_dtype: torch.dtype
    scales: Tensor | None  # [L, 2, H, 1, D/H] of an 8-bit cache

    @property
    def held_bytes(self) -> int:
        """Of the weights that it has for itself."""

    def bind(self, state: LMState, known: Tensor) -> Bound:
        """A state's buffers bound."""


def quantised(model: LanguageModel, bits: int, *crosses: bool) -> Stepper:
    """What takes the model's steps on weights of 8 or 4 bits, ready with (True) or without (False) a memory.

    Raises UnsupportedError where neither native code nor ONNX Runtime can.  [generate]
    """
    if trusted(bits):
        from engine.lm.executors.native_step import NativeStepper

        try:
            return NativeStepper(model, bits)
        except UnsupportedError as error:
            _log.info("steps are taken by ONNX Runtime: %s", error)
    from engine.lm.executors.onnx_step import OnnxStepper

    return OnnxStepper(model, bits).ready(*crosses)


_kept: WeakKeyDictionary[LanguageModel, tuple[tuple[object, ...], NativeStepper | None]] = WeakKeyDictionary()


def plain(model: LanguageModel) -> NativeStepper | None:
    """What takes the model's steps on its own float32 or bfloat16 weights; None: PyTorch does.  [generate]"""
    if model.out_norm.weight.device.type != "cpu" or not trusted(None):
        return None
    stamp = (model.cache_dtype, *((parameter.data_ptr(), parameter.dtype) for parameter in model.parameters()))
    known = _kept.get(model)
    if known is None or known[0] != stamp:
        known = _kept[model] = (stamp, _plain(model))
    return known[1]


def _plain(model: LanguageModel) -> NativeStepper | None:
    from engine.lm.executors.native_step import NativeStepper

    try:
        return NativeStepper(model)
    except UnsupportedError as error:
        _log.info("steps are taken by PyTorch: %s", error)
        return None


def trusted(bits: int | None) -> bool:
    """Whether the native step is here, switched on, and gives what PyTorch gives.  [generate]"""
    return _trusted(bits, os.environ.get(library.SWITCH, ""))


@lru_cache(maxsize=16)
def _trusted(bits: int | None, switch: str) -> bool:
    """Once for each number of bits and setting of the switch."""
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

    Raises UnsupportedError where there is no native step.  [generate]
    """
    from engine.lm.executors.native_step import NativeStepper
    from engine.lm.model import LanguageModel

    library.load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lm = LanguageModel(LMConfig(dim=64, n_heads=1, n_layers=2, card=40)).eval()
        conditions = Conditions(memory=torch.randn(2, 3, 64))
        tokens = torch.randint(0, 41, (2, 4, 24))
    whole = lm(tokens, conditions)
    lm.stepper = NativeStepper(lm, bits)
    state = lm.init_state(2, tokens.shape[-1], conditions)
    lm.prefill(tokens[..., :2], conditions, state)
    made = torch.stack([lm.step(tokens[..., step], state) for step in range(2, tokens.shape[-1])], dim=2)
    return float((made - whole[:, :, 2:]).abs().max() / whole.std())
