"""A folder as `Stored`: its format, its configuration, its tensors under Segue's names, its companions.

transformers   config.json, model.safetensors (or shards, or pytorch_model.bin): all in one
audiocraft     state_dict.bin, compression_state_dict.bin; text encoder elsewhere, codec there or elsewhere
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints import names
from engine.checkpoints.config import ModelConfig, naming
from engine.checkpoints.config_audiocraft import codec_from_audiocraft, lm_from_audiocraft
from engine.checkpoints.config_transformers import codec_from_transformers, lm_from_transformers, t5_from_transformers
from engine.checkpoints.convert import CONFIG
from engine.checkpoints.obtain import obtain
from engine.checkpoints.opened import Opened, read_json, weights_file
from engine.checkpoints.weights import Stored as StoredTensor
from engine.checkpoints.weights import translate
from engine.codec.encodec import EncodecConfig
from engine.conditions.chroma import WINDOW_SAMPLES
from engine.conditions.melody import Separator
from engine.conditions.text_t5 import T5Config, TextStandIn
from engine.errors import CheckpointError

LM_FILE, CODEC_FILE = "state_dict.bin", "compression_state_dict.bin"
POINTER_FILES = {"facebook/encodec_32khz"}
PathName = str | os.PathLike[str]


@dataclass(frozen=True)
class Plugs:
    """Replacements for parts that a checkpoint omits; see `load_model`.  [any]"""

    t5: PathName | TextStandIn | None = None
    separator: Separator | PathName | None = None
    style_features: PathName | Callable[[Tensor], Tensor] | None = None

    @property
    def t5_folder(self) -> PathName | None:
        """The text encoder's folder or name; None without one, or with a function in its place."""
        return None if callable(self.t5) else self.t5


@dataclass(frozen=True)
class Stored:
    """A folder's content: sizes, and tensors under our names (see `names.py`).

    `text` and `tokenizer` are None if a function replaces the text encoder. `files` has, for errors, the file of each
    group of tensors ("lm", "codec", ...); "" is for all others.  [any]
    """

    model: ModelConfig
    codec: EncodecConfig
    tensors: Mapping[str, StoredTensor]
    text: T5Config | None
    tokenizer: Path | None
    files: Mapping[str, Path] = field(default_factory=dict)

    def file_of(self, group: str) -> Path | None:
        """The file of a group's tensors, if known.  [any]"""
        return self.files.get(group) or self.files.get("")


def read(folder: Path, plugs: Plugs, opened: Opened) -> Stored:
    """Read a folder; transformers' format is preferred if both are present.

    Raises CheckpointError, UnsupportedError.  [main]
    """
    if (folder / "config.json").exists() and weights_file(folder).exists():
        return _read_transformers(folder, plugs, opened)
    if (folder / LM_FILE).exists():
        return _read_audiocraft(folder, plugs, opened)
    raise CheckpointError(
        f"{folder} has neither config.json with model.safetensors (transformers) nor {LM_FILE} (audiocraft)"
    )


def _read_transformers(folder: Path, plugs: Plugs, opened: Opened) -> Stored:
    config_file = folder / "config.json"
    config = read_json(config_file)
    generation, processor, extractor = (
        read_json(folder / name) if (folder / name).exists() else {}
        for name in ("generation_config.json", "processor_config.json", "preprocessor_config.json")
    )
    chunk = processor.get("feature_extractor", extractor).get("chunk_length")
    tensors = translate(opened.folder(folder), names.Names(names.TRANSFORMERS), weights_file(folder))
    with naming(config_file):
        model = lm_from_transformers(config, generation, chunk)
    if model.chroma_frames:
        tensors["chroma.window"] = torch.hann_window(WINDOW_SAMPLES)
    codec = codec_from_transformers(_section(config, "audio_encoder", config_file))
    files = {"": weights_file(folder)}
    if callable(plugs.t5):
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith("text.")}
        return Stored(model, codec, own, None, None, files)
    text = t5_from_transformers(_section(config, "text_encoder", config_file))
    brings = any((folder / name).exists() for name in ("tokenizer.json", "spiece.model"))
    tokenizer = folder if brings and plugs.t5 is None else obtain(plugs.t5 or model.t5, opened.report)
    return Stored(model, codec, tensors, text, tokenizer, files)


def _section(config: Mapping[str, Any], name: str, file: Path) -> dict[str, Any]:
    section = config.get(name)
    if not isinstance(section, dict):
        raise CheckpointError(f"{file} has no '{name}'")
    return section


def _read_audiocraft(folder: Path, plugs: Plugs, opened: Opened) -> Stored:
    stored, other = opened.pickled(folder / LM_FILE)
    with naming(folder / LM_FILE):
        model = lm_from_audiocraft(_section(other, CONFIG, folder / LM_FILE))
    music = names.AUDIOCRAFT_STYLE if model.style else ()
    tensors = translate(stored, names.Names(music, names.AUDIOCRAFT_LM), folder / LM_FILE)
    codec, codec_tensors, codec_file = _read_codec(folder, opened)
    files = {"": folder / LM_FILE, "codec": codec_file}
    if callable(plugs.t5):
        return Stored(model, codec, tensors | codec_tensors, None, None, files)
    text_folder = obtain(plugs.t5 or model.t5, opened.report)
    text, text_tensors = _read_t5(text_folder, opened)
    files["text"] = weights_file(text_folder)
    return Stored(model, codec, tensors | codec_tensors | text_tensors, text, text_folder, files)


def _read_codec(folder: Path, opened: Opened) -> tuple[EncodecConfig, dict[str, StoredTensor], Path]:
    """The codec of an audiocraft folder and its file: its own weights, or the repository to which its file refers."""
    path = folder / CODEC_FILE
    stored, other = opened.pickled(path)
    if "pretrained" not in other:
        with naming(path):
            config = codec_from_audiocraft(_section(other, CONFIG, path))
        return config, translate(stored, names.Names(names.AUDIOCRAFT_CODEC), path), path
    pointer = other["pretrained"]
    if pointer not in POINTER_FILES:
        raise CheckpointError(f"{path} points to the codec '{pointer}'; known are {sorted(POINTER_FILES)}")
    target = obtain(pointer, opened.report)
    config = codec_from_transformers(read_json(target / "config.json"))
    file = weights_file(target)
    return config, translate(opened.folder(target), names.Names(names.TRANSFORMERS_CODEC), file), file


def _read_t5(folder: Path, opened: Opened) -> tuple[T5Config, dict[str, StoredTensor]]:
    """Sizes and weights of a T5 folder (without its decoder, if any)."""
    config = t5_from_transformers(read_json(folder / "config.json"))
    return config, translate(opened.folder(folder), names.Names(names.T5, names.T5_UNUSED), weights_file(folder))
