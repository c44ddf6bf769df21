"""Half precision as the reference runs it on a GPU: which weights are halved, and what is computed in what.

    matrices of attention, feed-forward and heads, and products with them    float16 or bfloat16
    embeddings, LayerNorms, projections of conditions, positions             float32
    residual stream, LayerNorm, softmax, logits once they are made           float32

Source: MusicGen's float16 autocast. Differences, both to the good: LayerNorm's weights stay as they are stored, and
guidance is computed on float32 logits.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import nn

from engine.errors import UnsupportedError

HALVES = (torch.float16, torch.bfloat16)
_MATRIX = re.compile(
    r"transformer\.layers\.\d+\.((self_attn|cross_attention)\.(in_proj_weight|out_proj\.weight)|linear[12]\.weight)"
    r"|linears\.\d+\.weight"
)


def chosen_dtype(dtype: torch.dtype | None, device: torch.device) -> torch.dtype:
    """The wanted type, or float16 on a CUDA device and float32 elsewhere; UnsupportedError for others.  [any]"""
    if dtype is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    if dtype not in (torch.float32, *HALVES):
        raise UnsupportedError(
            f"precision {dtype!r} is not known; it may be torch.float32, torch.float16, torch.bfloat16, "
            "torch.int8, torch.int4"
        )
    return dtype


def place_dtype(dtype: torch.dtype) -> Callable[[str], torch.dtype]:
    """From the name of a language model's tensor to the type it is kept in.  [any]"""
    return lambda name: dtype if _MATRIX.fullmatch(name) else torch.float32


def halve_matrices(lm: nn.Module, dtype: torch.dtype) -> None:
    """Turn the matrices that halves are for into them, one after the other; what they were is let go.  [load]"""
    halved = place_dtype(dtype)
    for name, parameter in lm.named_parameters():
        parameter.data = parameter.data.to(halved(name))


def half_is_faster() -> bool:
    """Whether this processor multiplies matrices far faster in bfloat16: those with tile units (AMX), five times.

    Asked, not measured: a stream has to be the same in every run on the same machine.  [any]
    """
    asked = getattr(torch.cpu, "_is_amx_tile_supported", None)  # torch has no public name for it
    return bool(asked is not None and asked())
