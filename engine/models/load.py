"""Loads a hot model by name, by folder or as "embedded", in one call.

embedded                        the model that ships with Segue
melody, style, small, ...       a published MusicGen model: on this machine, or from the hub
facebook/musicgen-melody        the same by its full name
a path                          a folder in audiocraft's or transformers' format
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import UnsupportedError
from engine.model import LoadedModel

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.conditions.melody import Separator

EMBEDDED = "embedded"
Report = Callable[[str, float, float], None]


def load_model(
    name: str | os.PathLike[str] = EMBEDDED,
    device: str = "cpu",
    *,
    dtype: torch.dtype | None = None,
    t5: str | os.PathLike[str] | Callable[[list[str]], Tensor] | None = None,
    separator: Separator | str | os.PathLike[str] | None = None,
    style_features: str | os.PathLike[str] | Callable[[Tensor], Tensor] | None = None,
    on_progress: Report | None = None,
    codec_runtime: str = "auto",
    or_float32: bool = False,
) -> LoadedModel:
    """The model `name`, hot on `device`.

    `dtype` is that of the language model's matrices: None is float32 on a CPU and float16 on a GPU; torch.int8 and
    torch.int4, only on a CPU, give faster steps, further from float32 (docs/precision.md; int8 is the embedded model's
    default there).  `t5`, `separator` and `style_features` replace the text encoder, the stem separator
    ([B, 2, N] at 44.1 kHz -> [B, 4, 2, N]) and the style features ([B, N] at 24 kHz -> [B, F, D]).
    `on_progress(stage, done, total)` gets "downloading", "converting", "reading" and "moving", in bytes.
    `or_float32`: a published model whose steps cannot run on int8 or int4 here runs in float32, with a note.
    `codec_runtime` runs EnCodec: "torch", "onnx", or "auto", the one that is measured faster here (once).
    Raises CheckpointError if the model is missing, incomplete or invalid, UnsupportedError if this version cannot run
    it, EngineError for a missing device.  [generate]
    """
    from engine.models.device import pick_device

    device = pick_device(device)
    bits = quantised_bits(dtype, device)
    if name == EMBEDDED:
        return _embedded(device, dtype, codec_runtime)
    from engine.checkpoints.load import load_model as load_checkpoint
    from engine.models.codec_choice import set_runtime

    model = load_checkpoint(
        name,
        device,
        dtype=None if bits else dtype,
        t5=t5,
        separator=separator,
        style_features=style_features,
        on_progress=on_progress,
        bits=bits,
        or_float32=or_float32,
    )
    set_runtime(model.codec, codec_runtime)
    return model


def quantised_bits(dtype: torch.dtype | None, device: str) -> int | None:
    """8 or 4 for `dtype` int8 or int4, None for others; UnsupportedError if the device cannot run them.  [any]"""
    bits = {"torch.int8": 8, "torch.int4": 4}.get(str(dtype))
    if bits and device.partition(":")[0] != "cpu":
        raise UnsupportedError(f"precision int{bits} is for the CPU, the device is {device}; use float16 or bfloat16")
    return bits


def _embedded(device: str, dtype: torch.dtype | None, codec_runtime: str) -> LoadedModel:
    from engine.models.embedded_model import load

    if codec_runtime not in ("auto", "torch"):
        raise UnsupportedError(f"the embedded model's codec runs in PyTorch, not in '{codec_runtime}'")
    kind = str(dtype).removeprefix("torch.")
    if kind not in ("None", "int8", "int4", "float32"):
        raise UnsupportedError(f"the embedded model runs in float32, int8 or int4, not in {kind}")
    return load(device, bits={"float32": None, "int4": 4}.get(kind, 8))
