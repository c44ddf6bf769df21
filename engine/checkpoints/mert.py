"""The feature model of style checkpoints, MERT-v1-95M, run by transformers' own HuBERT classes.

A folder with config.json and model.safetensors or pytorch_model.bin. MERT computes the same as HuBERT; code in the
folder is never run. Its file has weight norm's older names, `weight_g` and `weight_v`: they are mapped, and every
tensor must be present, so nothing keeps random values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from engine.checkpoints.config import count, counts, expect, number
from engine.checkpoints.opened import Opened, read_json
from engine.checkpoints.weights import Stored, TensorPlacement, fill
from engine.conditions.features import HubertFeatures, hubert
from engine.errors import CheckpointError

_ONLY: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("gelu",),
    "feat_extract_activation": ("gelu",),
    "feat_extract_norm": ("group",),
    "feat_proj_layer_norm": (True,),
    "do_stable_layer_norm": (False,),
    "conv_pos_batch_norm": (False,),
    "feature_extractor_cqt": (False,),  # MERT's own options: off in the published file
    "deepnorm": (False,),
    "attention_relax": (-1.0, None),
}
_DEFAULTS = {"conv_pos_batch_norm": False, "feature_extractor_cqt": False, "deepnorm": False, "attention_relax": None}
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "num_conv_pos_embeddings")
_OLD_NORM = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
_TRAINING = "masked_spec_embed"  # replaces masked frames in training


def load_mert(folder: Path, device: torch.device, opened: Opened, width: int | None = None) -> HubertFeatures:
    """The feature model of a folder, in float32; `width` is the required width of its features (None: any).

    Raises CheckpointError for missing, left over or wrongly shaped tensors, UnsupportedError for another kind of model
    or if transformers is not installed.  [main]
    """
    settings = settings_of(read_json(folder / "config.json"))
    if width not in (None, settings["hidden_size"]):
        raise CheckpointError(f"{folder}: the features are {settings['hidden_size']} wide, must be {width}")
    try:
        with torch.device("meta"):
            module = hubert(settings)
    except ValueError as fault:
        raise CheckpointError(f"{folder / 'config.json'}: {fault}") from fault
    fill(module, renamed(opened.folder(folder), folder), folder, TensorPlacement(device))
    opened.release()
    return HubertFeatures(module)


def renamed(stored: Mapping[str, Stored], where: Path) -> dict[str, Stored]:
    """Tensors under the names of the installed classes; CheckpointError for two of the same name.  [any]"""
    ours: dict[str, Stored] = {}
    for name, tensor in stored.items():
        if name == _TRAINING:
            continue
        stem, _, last = name.rpartition(".")
        target = f"{stem}.{_OLD_NORM[last]}" if last in _OLD_NORM else name
        if target in ours:
            raise CheckpointError(f"{where}: '{name}' is there under both its names")
        ours[target] = tensor
    return ours


def settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """HuBERT's configuration; CheckpointError for invalid entries, UnsupportedError for unsupported ones.  [any]"""
    config = _DEFAULTS | config
    for name, allowed in _ONLY.items():
        expect(config, name, allowed)
    settings: dict[str, Any] = {name: count(config, name) for name in _SIZES}
    settings["num_conv_pos_embedding_groups"] = count(config, "num_conv_pos_embedding_groups", 1024)
    settings["layer_norm_eps"] = number(config, "layer_norm_eps", 0.0, 1.0)
    settings["conv_bias"] = expect(config, "conv_bias", (False, True))
    for name, high in (("conv_dim", 1 << 14), ("conv_kernel", 1024), ("conv_stride", 1024)):
        settings[name] = list(counts(config, name, 1, high))
    return settings
