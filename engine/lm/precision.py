"""Half precision like the reference's on a GPU: the precision of weights and operations.

    matrices of attention, feed-forward and heads, and products with them    float16 or bfloat16
    embeddings, LayerNorms, projections of conditions, positions             float32
    residual stream, LayerNorm, softmax, logits once they are made           float32

Source: MusicGen's float16 autocast. Two differences, both more exact: LayerNorm's weights stay as stored, and guidance
is computed on float32 logits.
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
    """The requested type, by default float16 on a CUDA device and float32 elsewhere; UnsupportedError for others.

    [any]
    """
    if dtype is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    if dtype not in (torch.float32, *HALVES):
        raise UnsupportedError(
            f"precision {dtype!r} is not known; it may be torch.float32, torch.float16, torch.bfloat16, "
            "torch.int8, torch.int4"
        )
    return dtype


def place_dtype(dtype: torch.dtype) -> Callable[[str], torch.dtype]:
    """A function from the name of a language model's tensor to its type.  [any]"""
    return lambda name: dtype if _MATRIX.fullmatch(name) else torch.float32


def halve_matrices(lm: nn.Module, dtype: torch.dtype) -> None:
    """Convert the half-precision matrices one after the other, freeing the originals.  [load]"""
    halved = place_dtype(dtype)
    for name, parameter in lm.named_parameters():
        parameter.data = parameter.data.to(halved(name))


def half_is_faster() -> bool:
    """Whether this CPU multiplies matrices far faster in bfloat16: five times with tile units (AMX).

    Queried, not measured, so that a stream is the same in every run on a machine.  [any]
    """
    asked = getattr(torch.cpu, "_is_amx_tile_supported", None)  # torch has no public name for it
    return bool(asked is not None and asked())
