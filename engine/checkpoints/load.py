"""A published checkpoint, found, read, checked and hot: `load_model`.

find -> read (format, configuration, tensors under our names) -> build (modules, filled strictly) -> LoadedModel
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.build import Steps, build
from engine.checkpoints.obtain import obtain
from engine.checkpoints.opened import Opened, Report
from engine.checkpoints.read import Plugs, read
from engine.conditions.melody import Separator
from engine.conditions.text_t5 import TextStandIn
from engine.lm.precision import chosen_dtype
from engine.model import LoadedModel


def load_model(
    path_or_name: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    *,
    dtype: torch.dtype | None = None,
    t5: str | os.PathLike[str] | TextStandIn | None = None,
    separator: Separator | str | os.PathLike[str] | None = None,
    style_features: str | os.PathLike[str] | Callable[[Tensor], Tensor] | None = None,
    on_progress: Report | None = None,
    cache_dir: Path | None = None,
    bits: int | None = None,
    or_float32: bool = False,
) -> LoadedModel:
    """A MusicGen checkpoint in audiocraft's or transformers' format, hot; see `engine.models.load.load_model`.

    `t5` is the folder of the text encoder and its tokenizer (default: the checkpoint's, or found by the name in it).
    `separator` separates melodies' stems; without one the whole mix is used. Steps run on weights of 8 or 4 `bits`, or
    with `or_float32` in float32 and a note if they cannot. Raises CheckpointError if anything is missing, left over,
    damaged or of another shape, UnsupportedError for models of another kind.  [main]
    """
    place = torch.device(device)
    precision = chosen_dtype(dtype, place)
    plugs, opened = Plugs(t5, separator, style_features), Opened(cache_dir, on_progress)
    folder = obtain(path_or_name, opened.report)
    stored, steps = read(folder, plugs, opened), Steps(bits, or_float32)
    return build(stored, folder, place, precision, plugs, opened, steps)
