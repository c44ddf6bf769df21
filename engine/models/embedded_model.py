"""The model that ships with Segue: reads its shards and assembles its parts.

`engine/models/embedded/` holds `config.json`, one or more `*.safetensors` shards and `MODEL_CARD.md`. Weights are
stored in half precision and run in float32; on a CPU steps and decoding run in 8 bits
(`engine.lm.executors`, `engine.ort`). Nothing is downloaded and nothing is executed from the files.
"""

from __future__ import annotations

import json
import logging
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.codec.onnx_spectral import OnnxSpectra
from engine.codec.spectral import TOGETHER, SpectralCodec
from engine.codec.spectral_net import SpectralConfig, SpectralNet
from engine.conditions.embedded import TRAINED_RMS, EmbeddedConditioner
from engine.conditions.encoders import StyleEncoder, WordEncoder
from engine.core.config import LMConfig
from engine.errors import CheckpointError, UnsupportedError
from engine.lm import LanguageModel
from engine.lm.executors.base import Executor
from engine.lm.executors.select import choose, native_settle
from engine.lm.precision import half_is_faster
from engine.model import LoadedModel

_log = logging.getLogger("segue.engine")
FOLDER = Path(str(files("engine"))) / "models" / "embedded"


def read_shards(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder's shards, float32.  Raises CheckpointError for a shard that cannot be read.  [any]"""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = {}
    for shard in sorted(folder.glob("*.safetensors")):
        try:
            tensors |= {name: tensor.float() for name, tensor in load_file(str(shard)).items()}
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{shard.name} of the embedded model cannot be read: {error}") from error
    return tensors


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a folder.  Raises CheckpointError if it is missing or invalid.  [any]"""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        return config
    except (OSError, ValueError) as error:
        raise CheckpointError(f"the embedded model's config.json cannot be read in {folder}: {error}") from error


def fill(module: nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    """Load the tensors under `prefix`; every name and shape must match.  Raises CheckpointError.  [any]"""
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    try:
        module.load_state_dict(own, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"the embedded model's weights do not fit: {error}") from error


def widened(tensors: dict[str, Tensor], n_features: int) -> dict[str, Tensor]:
    """A model's tensors for `n_features` frame features: those that it lacks have zero weights.  [any]"""
    name = "lm.frame_proj.weight"
    more = n_features - tensors[name].shape[1]
    return {**tensors, name: nn.functional.pad(tensors[name], (0, more))}


def executor_of(lm: LanguageModel, codec: SpectralCodec, bits: int | None) -> Executor:
    """An executor on 8-bit or 4-bit weights, and decoding on 8-bit ones; logs what is not available.

    [generate]
    """
    few = bits if lm.device.type == "cpu" else None
    prefill_half, executor = few is not None and half_is_faster(), None
    try:
        if few is not None:
            executor = choose(lm, few, prefill_half=prefill_half, memories=(True, False))
            codec.spectra = OnnxSpectra(codec.net, TOGETHER)
            codec.settle = native_settle() or codec.settle
    except UnsupportedError as error:
        _log.warning("quantised weights are not available, playing on float32 ones: %s", error)
    # keys and values in bfloat16: attention reads half as much, steps take a tenth less time
    return executor or choose(lm, cache_dtype=torch.bfloat16, prefill_half=prefill_half)


def load(device: str = "cpu", folder: Path = FOLDER, bits: int | None = 8) -> LoadedModel:
    """The embedded model, hot on `device`; on a CPU steps use weights of 8 or 4 `bits`, None: float32.

    Raises CheckpointError.  [generate]
    """
    config, tensors = read_config(folder), read_shards(folder)
    settings = {**config["lm"], "delays": tuple(config["lm"]["delays"])}
    lm = LanguageModel(LMConfig(**settings))
    net = SpectralNet(SpectralConfig(**config["codec"]))
    text = WordEncoder(lm.config.dim)
    style = StyleEncoder(lm.config.dim, net.config.latent)
    for module, prefix in ((lm, "lm."), (net, "codec."), (text, "text."), (style, "style.")):
        fill(module, tensors, prefix)
        module.to(device).eval().requires_grad_(False)
    codec = SpectralCodec(net)
    executor = executor_of(lm, codec, bits)
    conditioner = EmbeddedConditioner(text, style, codec, lm.config.frame_features)
    torch.set_flush_denormal(True)
    return LoadedModel("embedded", executor, codec, conditioner, trained_rms=TRAINED_RMS, **config["windows"])
