"""Draws a step's tokens in native code, if available: guidance and sampling in one call on the calling thread.

`core.sampling` and `core.guidance` define the rules, and draw in the other cases: on a GPU, greedily, with top-p,
without a native library. Both use the same numbers of the generator, so one seed gives the same tokens.
"""

from __future__ import annotations

import ctypes
import logging
import os
from functools import lru_cache

import torch
from torch import Tensor

from engine.core.guidance import Guidance, combine
from engine.core.sampling import Sampling, draw
from engine.errors import UnsupportedError
from engine.lm.executors.native import library

_log = logging.getLogger("segue.engine")


def draw_guided(logits: Tensor, guidance: Guidance, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """One token a codebook: logits float [R, K, card] -> int64 [K].

    Uses K * card random numbers of `generator`, none if greedy.  [generate]
    """
    if _takes(logits, guidance, sampling) and _trusted(os.environ.get(library.SWITCH, "")):
        return _native(logits, guidance, sampling, generator)
    return draw(combine(logits, guidance), sampling, generator)


def _takes(logits: Tensor, guidance: Guidance, sampling: Sampling) -> bool:
    rows = logits.shape[0]
    return (
        logits.device.type == "cpu"
        and not sampling.greedy
        and sampling.top_p == 0.0
        and logits.dtype == torch.float32
        and (rows <= 2 or (rows == 3 and guidance.cfg_coef_beta is not None))
    )


def _native(logits: Tensor, guidance: Guidance, sampling: Sampling, generator: torch.Generator) -> Tensor:
    rows, codebooks, card = logits.shape
    logits = logits.contiguous()
    uniform = torch.empty(codebooks, card).uniform_(generator=generator)
    tokens = torch.empty(codebooks, dtype=torch.int64)
    how = library.Draw(
        rows=rows,
        codebooks=codebooks,
        card=card,
        top_k=min(sampling.top_k or card, card),
        coef=guidance.cfg_coef,
        wav_over_text=guidance.cfg_coef_beta or 0.0,
        temperature=sampling.temperature,
    )
    library.load().segue_draw(ctypes.byref(how), logits.data_ptr(), uniform.data_ptr(), tokens.data_ptr())
    return tokens


@lru_cache(maxsize=16)
def _trusted(_switch: str) -> bool:
    """Whether it is available and draws the same as PyTorch; checked once per setting of the switch."""
    sampling, guidance = Sampling(top_k=20), Guidance(3.0)
    generator = torch.Generator().manual_seed(0)
    try:
        library.load()
        for seed in range(16):
            logits = torch.randn(2, 4, 100, generator=generator)
            ours = _native(logits, guidance, sampling, torch.Generator().manual_seed(seed))
            theirs = draw(combine(logits, guidance), sampling, torch.Generator().manual_seed(seed))
            if not torch.equal(ours, theirs):
                _log.warning("the native draw is not used: it drew %s, PyTorch %s", ours.tolist(), theirs.tolist())
                return False
    except UnsupportedError as missing:
        _log.info("no native draw: %s", missing)
        return False
    return True
