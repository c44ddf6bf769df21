"""A published checkpoint, found, read, checked and hot: `load_model`.

folder -> which format -> tensors under our names + configuration -> modules, filled strictly -> LoadedModel
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.checkpoints import names
from engine.checkpoints.cache import converted
from engine.checkpoints.config import N_CHROMA, ModelConfig
from engine.checkpoints.config_audiocraft import codec_from_audiocraft, lm_from_audiocraft
from engine.checkpoints.config_transformers import (
    codec_from_transformers,
    lm_from_transformers,
    t5_from_transformers,
)
from engine.checkpoints.convert import CONFIG
from engine.checkpoints.find import find
from engine.checkpoints.weights import fill, part, read_folder, read_json, read_safetensors, translate
from engine.codec.encodec import Encodec, EncodecConfig
from engine.codec.stereo import StereoCodec
from engine.conditions.chroma import WINDOW_SAMPLES, Chroma
from engine.conditions.melody import MelodyConditioner, Separator
from engine.conditions.musicgen import MusicGenConditioner
from engine.conditions.text_t5 import T5Config, T5Encoder, TextConditioner, load_tokenizer
from engine.errors import CheckpointError
from engine.lm import LanguageModel
from engine.model import LoadedModel

LM_FILE, CODEC_FILE = "state_dict.bin", "compression_state_dict.bin"
POINTER_FILES = {"facebook/encodec_32khz"}


@dataclass(frozen=True)
class Stored:
    """What a folder holds: sizes, and tensors under our names (see `names.py`).  [any]"""

    model: ModelConfig
    codec: EncodecConfig
    tensors: Mapping[str, Tensor]
    text: T5Config
    tokenizer: Path


@dataclass(frozen=True)
class Modules:
    """The parts of a model that have weights; melody's are None where it takes none.  [any]"""

    lm: LanguageModel
    codec: Encodec
    text: T5Encoder
    project_text: nn.Linear
    project_melody: nn.Linear | None
    chroma: Chroma | None

    def groups(self) -> dict[str, nn.Module]:
        """Each part by the prefix that its tensors have.  [any]"""
        groups: dict[str, nn.Module | None] = {
            "lm": self.lm,
            "codec": self.codec,
            "text": self.text,
            "project.text": self.project_text,
            "project.melody": self.project_melody,
            "chroma": self.chroma,
        }
        return {name: module for name, module in groups.items() if module is not None}


def load_model(
    path_or_name: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    *,
    t5: str | os.PathLike[str] | None = None,
    separator: Separator | None = None,
    cache_dir: Path | None = None,
) -> LoadedModel:
    """A MusicGen checkpoint in audiocraft's or transformers' format, ready to play, in float32.

    `t5` is the folder of the text encoder and its tokenizer, for checkpoints that do not bring them
    (default: found by the name in the checkpoint). `separator` takes melodies apart; without one they are
    heard whole. Raises CheckpointError when anything is missing, left over, damaged or of another shape,
    UnsupportedError for models of another kind.  [main]
    """
    folder = find(path_or_name)
    stored = read(folder, t5, cache_dir)
    return build(stored, folder, torch.device(device), separator)


def read(folder: Path, t5: str | os.PathLike[str] | None = None, cache_dir: Path | None = None) -> Stored:
    """Everything a folder holds; transformers' format is preferred where both are there.  [main]"""
    if (folder / "config.json").exists() and any(folder.glob("model*.safetensors*")):
        return _read_transformers(folder, t5)
    if (folder / LM_FILE).exists():
        return _read_audiocraft(folder, t5, cache_dir)
    raise CheckpointError(
        f"{folder} has neither config.json with model.safetensors (transformers) nor {LM_FILE} (audiocraft)"
    )


def _read_transformers(folder: Path, t5: str | os.PathLike[str] | None) -> Stored:
    config = read_json(folder / "config.json")
    optional = {name: folder / f"{name}.json" for name in ("generation_config", "processor_config")}
    extra = {name: read_json(path) if path.exists() else {} for name, path in optional.items()}
    chunk = extra["processor_config"].get("feature_extractor", {}).get("chunk_length")
    tensors = translate(read_folder(folder), names.Names(names.TRANSFORMERS), folder)
    model = lm_from_transformers(config, extra["generation_config"], chunk)
    if model.chroma_frames:
        tensors["chroma.window"] = torch.hann_window(WINDOW_SAMPLES)
    own = any((folder / name).exists() for name in ("tokenizer.json", "spiece.model"))
    return Stored(
        model=model,
        codec=codec_from_transformers(_section(config, "audio_encoder", folder)),
        tensors=tensors,
        text=t5_from_transformers(_section(config, "text_encoder", folder)),
        tokenizer=folder if own and t5 is None else find(t5 or model.t5),
    )


def _section(config: dict[str, Any], name: str, folder: Path) -> dict[str, Any]:
    section = config.get(name)
    if not isinstance(section, dict):
        raise CheckpointError(f"{folder / 'config.json'} has no '{name}'")
    return section


def _read_audiocraft(folder: Path, t5: str | os.PathLike[str] | None, cache_dir: Path | None) -> Stored:
    stored, other = _converted(folder / LM_FILE, cache_dir)
    model = lm_from_audiocraft(_section(other, CONFIG, folder))
    tensors = translate(stored, names.Names(names.AUDIOCRAFT_LM), folder / LM_FILE)
    codec, codec_tensors = _read_codec(folder, cache_dir)
    text_folder = find(t5 or model.t5)
    text, text_tensors = _read_t5(text_folder)
    return Stored(model, codec, tensors | codec_tensors | text_tensors, text, text_folder)


def _converted(path: Path, cache_dir: Path | None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and plain data of a pickled checkpoint, by way of the cache."""
    tensors, metadata = read_safetensors(converted(path, cache_dir))
    return tensors, json.loads(metadata["other"])


def _read_codec(folder: Path, cache_dir: Path | None) -> tuple[EncodecConfig, dict[str, Tensor]]:
    """The codec of an audiocraft folder: its own weights, or the repository its file points to."""
    path = folder / CODEC_FILE
    stored, other = _converted(path, cache_dir)
    if "pretrained" not in other:
        config = codec_from_audiocraft(_section(other, CONFIG, folder))
        return config, translate(stored, names.Names(names.AUDIOCRAFT_CODEC), path)
    pointer = other["pretrained"]
    if pointer not in POINTER_FILES:
        raise CheckpointError(f"{path} points to the codec '{pointer}'; known are {sorted(POINTER_FILES)}")
    target = find(pointer)
    config = codec_from_transformers(read_json(target / "config.json"))
    return config, translate(read_folder(target), names.Names(names.TRANSFORMERS_CODEC), target)


def _read_t5(folder: Path) -> tuple[T5Config, dict[str, Tensor]]:
    """Sizes and weights of a T5 folder (its decoder, if any, is left out)."""
    config = t5_from_transformers(read_json(folder / "config.json"))
    return config, translate(read_folder(folder), names.Names(names.T5, names.T5_UNUSED), folder)


def build(stored: Stored, folder: Path, device: torch.device, separator: Separator | None) -> LoadedModel:
    """A hot model of what was read.  [main]"""
    modules = assemble(stored, folder)
    for module in modules.groups().values():
        module.to(device)
    model = stored.model
    return LoadedModel(
        name=folder.name,
        lm=modules.lm,
        codec=modules.codec if model.channels == 1 else StereoCodec(modules.codec),
        conditioner=_conditioner(stored, modules, separator),
        window_frames=model.window_frames,
        stride_frames=model.stride_frames,
        cfg_coef=model.cfg_coef,
    )


def assemble(stored: Stored, where: Path | str) -> Modules:
    """Modules with each tensor in its place, none missing and none left over, or CheckpointError.  [main]"""
    modules = skeleton(stored)
    groups = modules.groups()
    for name, module in groups.items():
        fill(module, part(stored.tensors, f"{name}."), f"{where} ({name})")
    left = [name for name in stored.tensors if not name.startswith(tuple(f"{known}." for known in groups))]
    if left:
        raise CheckpointError(
            f"{where}: tensors that this kind of model does not have: {', '.join(sorted(left)[:4])}"
        )
    return modules


def skeleton(stored: Stored) -> Modules:
    """The modules of a checkpoint, without memory for the weights.

    Raises CheckpointError when language model and codec do not speak the same codes.  [any]
    """
    model, codec = stored.model, stored.codec
    heard = model.channels * codec.n_codebooks
    if (model.lm.card, model.lm.n_codebooks) != (codec.card, heard):
        raise CheckpointError(
            f"the language model has {model.lm.n_codebooks} codebooks of {model.lm.card}, the codec "
            f"{heard} of {codec.card}"
        )
    melody = model.chroma_frames > 0
    with torch.device("meta"):
        lm, encodec, text = LanguageModel(model.lm), Encodec(codec), T5Encoder(stored.text)
        project_text = nn.Linear(stored.text.dim, model.lm.dim)
        project_melody = nn.Linear(N_CHROMA, model.lm.dim) if melody else None
    chroma = Chroma(model.sample_rate) if melody else None
    return Modules(lm, encodec, text, project_text, project_melody, chroma)


def _conditioner(stored: Stored, modules: Modules, separator: Separator | None) -> MusicGenConditioner:
    model, codec = stored.model, stored.codec
    text = TextConditioner(modules.text, load_tokenizer(stored.tokenizer), modules.project_text)
    melody = None
    if modules.chroma is not None and modules.project_melody is not None:
        melody = MelodyConditioner(
            modules.chroma, modules.project_melody, model.chroma_frames, model.sample_rate, separator
        )
    window_samples = model.window_frames * codec.frame_samples
    return MusicGenConditioner(text, model.text_prefix, melody, window_samples)
