"""The stem separator's weights, htdemucs, from a folder with its safetensors file.

    htdemucs.yaml            models: ['955717e8'], the file's name without its ending; may be missing
    955717e8.safetensors     tensors; its metadata says class and settings

The package's own loader imports and calls any class that a file names, and falls back to pickles. Here the class must
be the known one, its settings plain numbers within bounds, and every tensor must have its place.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import yaml

from engine.checkpoints.header import HeaderFault, strict_json
from engine.checkpoints.opened import Opened
from engine.checkpoints.plain_file import open_plain
from engine.checkpoints.weights import TensorPlacement, fill
from engine.conditions.separation import RATE_HZ, SOURCES, DemucsSeparator, htdemucs
from engine.errors import CheckpointError, UnsupportedError

CLASS = "demucs.htdemucs.HTDemucs"
MAX_YAML_BYTES = 1 << 16
MAX_NUMBER = 1 << 16
MAX_LAYERS = 64
_LAYERS = ("depth", "dconv_depth", "t_layers", "multi_freqs_depth")


def load_htdemucs(folder: Path, device: torch.device, opened: Opened) -> DemucsSeparator:
    """The separator of a folder, in float32.

    Raises CheckpointError for missing, left over or wrongly shaped tensors, UnsupportedError for another kind of
    separator or if demucs is not installed.  [main]
    """
    path = _file(folder)
    tensors, metadata = opened.safetensors(path)
    if metadata.get("klass") != CLASS:
        raise UnsupportedError(f"{path} is of class {metadata.get('klass')}; this version runs {CLASS}")
    settings = settings_of(metadata, path)
    try:
        with torch.device("meta"):
            module = htdemucs(settings)
    except ValueError as fault:
        raise CheckpointError(f"{path}: {fault}") from fault
    fill(module, dict(tensors), path, TensorPlacement(device))
    opened.release()
    return DemucsSeparator(module, device)


def _file(folder: Path) -> Path:
    """The separator's safetensors file in the folder."""
    note = folder / "htdemucs.yaml"
    if not note.exists():
        files = sorted(folder.glob("*.safetensors"))
        if len(files) != 1:
            raise CheckpointError(f"{folder} has no htdemucs.yaml and {len(files)} safetensors files, must be 1")
        return files[0]
    try:
        with open_plain(note) as file:
            bag = yaml.safe_load(file.read(MAX_YAML_BYTES))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as fault:
        raise CheckpointError(f"cannot read {note}: {fault}") from fault
    models = bag.get("models") if isinstance(bag, dict) else None
    if not isinstance(models, list) or len(models) != 1:
        raise UnsupportedError(f"{note} names the models {models}; this version runs one alone")
    if not isinstance(models[0], str) or not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", models[0]):
        raise CheckpointError(f"{note} names the model {models[0]!r}, must be a file beside it")
    return folder / f"{models[0]}.safetensors"


def settings_of(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    """The network's settings; CheckpointError for anything but bounded numbers and words.  [any]"""
    try:
        arguments, settings = (strict_json(metadata[name]) for name in ("args", "kwargs"))
    except (KeyError, ValueError, HeaderFault) as fault:
        raise CheckpointError(f"{path} does not say how its network is made: {fault!r}") from fault
    if arguments and list(arguments) == [list(SOURCES)]:  # the sources, given by place
        arguments, settings = [], {"sources": arguments[0], **settings}
    if arguments or not isinstance(settings, dict):
        raise CheckpointError(f"{path} says how its network is made by place, must be by name")
    made = {name: _plain(name, value, path) for name, value in settings.items()}
    if tuple(made.get("sources", ())) != SOURCES or made.get("samplerate", RATE_HZ) != RATE_HZ:
        raise UnsupportedError(f"{path} takes apart {made.get('sources')} at {made.get('samplerate')} Hz; this "
                               f"version runs {SOURCES} at {RATE_HZ} Hz")  # fmt: skip
    return made


def _plain(name: str, value: Any, path: Path) -> Any:
    """One setting; fractions are stored as their two numbers."""
    if isinstance(value, dict) and set(value) == {"_type", "numerator", "denominator"}:
        top, bottom = (_plain(name, value[part], path) for part in ("numerator", "denominator"))
        if type(top) is int and type(bottom) is int and bottom > 0:
            return Fraction(top, bottom)
    if isinstance(value, list) and len(value) <= MAX_LAYERS:
        return [_plain(name, item, path) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    bound = MAX_LAYERS if name in _LAYERS else MAX_NUMBER
    if isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= bound:
        return value
    raise CheckpointError(f"{path}: the setting '{name}' is {str(value)[:80]}, must be a number up to {bound}")
