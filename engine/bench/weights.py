"""Language models for the contest: the real weights or random ones of the same sizes, in each precision, shared.

All precisions of a model, and transformers' model, share tensors if the type allows it: the same numbers, and no
second copy in memory.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.core.config import LMConfig
from engine.errors import UnsupportedError
from engine.lm import LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.select import choose
from engine.lm.precision import half_is_faster, place_dtype

POOL = 1_000_003  # a prime, so that the rows of a matrix filled from it do not repeat
BITS = {"int8": 8, "int4": 4}


def random_model(config: LMConfig, dtype: torch.dtype = torch.float32, seed: int = 0) -> LanguageModel:
    """A language model of these sizes, matrices in `dtype`; the same numbers for the same seed.  [main]"""
    pool = torch.randn(POOL, generator=torch.Generator().manual_seed(seed))
    in_lm = place_dtype(dtype)
    with torch.device("meta"):
        lm = LanguageModel(config)
    tensors = {name: _random(name, tensor.shape, in_lm(name), pool) for name, tensor in lm.state_dict().items()}
    return _assigned(lm, tensors)


def _random(name: str, shape: torch.Size, dtype: torch.dtype, pool: Tensor) -> Tensor:
    if len(shape) < 2:
        return torch.full(shape, 1.0 if name.endswith("weight") else 0.0, dtype=dtype)
    spread = 0.5 if name.startswith("emb") else shape[-1] ** -0.5
    tensor = torch.empty(shape, dtype=dtype)
    flat, numbers = tensor.view(-1), (pool * spread).to(dtype)
    for start in range(0, len(flat), POOL):
        part = flat[start : start + POOL]
        part.copy_(numbers[: len(part)])
    return tensor


def in_precision(lm: LanguageModel, precision: str) -> Executor:
    """The executor of the same model at a precision; shares every tensor that need not change.

    Raises UnsupportedError.  [main]
    """
    if precision in BITS:
        if lm.device.type != "cpu":
            raise UnsupportedError(f"{precision} is for the CPU")
        kept = lm.state_dict()["linears.0.weight"].dtype
        return choose(_twin(lm, kept), BITS[precision], prefill_half=half_is_faster())  # as the engine loads them
    dtype: torch.dtype = getattr(torch, precision)
    return choose(_twin(lm, dtype), cache_dtype=None if dtype == torch.float32 else dtype)


def _twin(lm: LanguageModel, dtype: torch.dtype) -> LanguageModel:
    in_lm = place_dtype(dtype)
    with torch.device("meta"):
        twin = LanguageModel(lm.config)
    return _assigned(twin, {name: tensor.to(in_lm(name)) for name, tensor in lm.state_dict().items()})


def _assigned(lm: LanguageModel, tensors: dict[str, Tensor]) -> LanguageModel:
    lm.load_state_dict(tensors, strict=True, assign=True)
    return lm.eval().requires_grad_(False)


def held_bytes(*executors: Executor) -> int:
    """Bytes of the models' weights, each storage counted once, and of their executors' copies.  [any]"""
    seen: dict[int, int] = {}
    for executor in executors:
        seen |= {tensor.data_ptr(): tensor.nbytes for tensor in executor.lm.state_dict().values()}
        seen[id(executor)] = executor.held_bytes
    return sum(seen.values())
