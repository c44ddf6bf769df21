"""Modules of a checkpoint: created without memory, each tensor placed once, then a `LoadedModel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from engine.checkpoints.conditioner import ConditionerMaker
from engine.checkpoints.config import N_CHROMA
from engine.checkpoints.opened import Opened
from engine.checkpoints.read import Plugs, Stored
from engine.checkpoints.weights import Stored as StoredTensor
from engine.checkpoints.weights import TensorPlacement, fill, part
from engine.codec.encodec import Encodec
from engine.codec.stereo import StereoCodec
from engine.conditions.chroma import Chroma
from engine.conditions.style_net import StyleNet
from engine.conditions.text_t5 import T5Encoder
from engine.errors import CheckpointError, UnsupportedError
from engine.lm import LanguageModel, precision
from engine.lm.executors import select
from engine.lm.executors.base import Executor
from engine.lm.precision import halve_matrices, place_dtype
from engine.model import LoadedModel


@dataclass(frozen=True)
class Modules:
    """The parts of a model that have weights; None where a model has none.  [any]"""

    lm: LanguageModel
    codec: Encodec
    text: T5Encoder | None
    project_text: nn.Linear
    project_melody: nn.Linear | None
    chroma: Chroma | None
    style: StyleNet | None = None
    project_style: nn.Linear | None = None

    def groups(self) -> dict[str, nn.Module]:
        """Each part by the prefix of its tensors.  [any]"""
        groups: dict[str, nn.Module | None] = {
            "lm": self.lm,
            "codec": self.codec,
            "text": self.text,
            "project.text": self.project_text,
            "project.melody": self.project_melody,
            "chroma": self.chroma,
            "style": self.style,
            "project.style": self.project_style,
        }
        return {name: module for name, module in groups.items() if module is not None}


@dataclass(frozen=True)
class Steps:
    """The weights of steps: 8 or 4 `bits`, or the model's own; `or_float32` if quantised steps cannot run.  [any]"""

    bits: int | None = None
    or_float32: bool = False


def build(
    stored: Stored, folder: Path, device: torch.device, dtype: torch.dtype, plugs: Plugs, opened: Opened, steps: Steps
) -> LoadedModel:
    """A hot model of a read checkpoint, the language model's matrices in `dtype`.  [main]"""
    modules = assemble(stored, folder, device, dtype, opened)
    for module in modules.groups().values():
        module.to(device)  # computed, not stored
    model, notes = stored.model, list[str]()
    conditioner = ConditionerMaker(stored, modules, plugs, device, opened, notes).conditioner()
    executor = executor_of(modules.lm, dtype, steps, notes)
    return LoadedModel(
        name=folder.name,
        executor=executor,
        codec=modules.codec if model.channels == 1 else StereoCodec(modules.codec),
        conditioner=conditioner,
        window_frames=model.window_frames,
        stride_frames=model.stride_frames,
        cfg_coef=model.cfg_coef,
        notes=tuple(notes),
    )


def executor_of(lm: LanguageModel, dtype: torch.dtype, steps: Steps, notes: list[str]) -> Executor:
    """The model's executor; `notes` gets a line if it is not the requested kind.

    With few bits, matrices are kept in bfloat16 only if prompts are read in it: products would convert them anyway.
    Raises UnsupportedError, and leaves the model unchanged, if no executor here can run them.  [main]
    """
    if steps.bits:
        half = precision.half_is_faster()
        try:
            executor = select.choose(lm, steps.bits, prefill_half=half)
        except UnsupportedError as error:
            if not steps.or_float32:
                raise
            notes.append(f"it plays in float32, which is slower: {error}")
        else:
            if half:
                halve_matrices(lm, torch.bfloat16)
            return executor
    return select.choose(lm, cache_dtype=None if dtype == torch.float32 else dtype)


def assemble(
    stored: Stored,
    where: Path | str,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    opened: Opened | None = None,
) -> Modules:
    """Modules with every tensor in its place; CheckpointError if one is missing or left over.  [main]"""
    modules = skeleton(stored)
    groups = modules.groups()
    left = [name for name in stored.tensors if not name.startswith(tuple(f"{known}." for known in groups))]
    if left:
        raise CheckpointError(f"{where}: tensors that this kind of model does not have: {', '.join(sorted(left)[:4])}")
    if opened is not None:
        opened.release()  # read to compare and to fold
    placed = _counter(stored, device, dtype, opened)
    for name, module in groups.items():
        place = (
            TensorPlacement(device, place_dtype(dtype), placed)
            if name == "lm"
            else TensorPlacement(device, placed=placed)
        )
        fill(module, part(stored.tensors, f"{name}."), f"{stored.file_of(name) or where} ({name})", place)
    if opened is not None:
        opened.release()
    return modules


def _counter(
    stored: Stored, device: torch.device | None, dtype: torch.dtype, opened: Opened | None
) -> Callable[[int], None]:
    """A callback for placed bytes: reports the progress and releases copied pages."""
    if opened is None:
        return lambda n_bytes: None
    stage = "moving" if device is not None and device.type != "cpu" else "reading"
    total = float(sum(weight_bytes(stored.tensors, dtype).values()))
    done = 0.0

    def placed(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        opened.used(n_bytes)
        opened.report(stage, done, total)

    return placed


def weight_bytes(tensors: Mapping[str, StoredTensor], dtype: torch.dtype) -> dict[str, int]:
    """Bytes of each placed tensor.  [any]"""
    in_lm = place_dtype(dtype)

    def dtype_of(name: str) -> torch.dtype:
        return in_lm(name.removeprefix("lm.")) if name.startswith("lm.") else torch.float32

    return {name: tensor.shape.numel() * dtype_of(name).itemsize for name, tensor in tensors.items()}


def skeleton(stored: Stored) -> Modules:
    """The modules of a checkpoint, without memory for the weights.

    Raises CheckpointError if language model and codec have different codes.  [any]
    """
    model, codec = stored.model, stored.codec
    n_codebooks = model.channels * codec.n_codebooks
    if (model.lm.card, model.lm.n_codebooks) != (codec.card, n_codebooks):
        raise CheckpointError(
            f"the language model has {model.lm.n_codebooks} codebooks of {model.lm.card}, the codec "
            f"{n_codebooks} of {codec.card}"
        )
    melody = model.chroma_frames > 0
    with torch.device("meta"):
        lm, encodec = LanguageModel(model.lm), Encodec(codec)
        text = None if stored.text is None else T5Encoder(stored.text)
        project_text = nn.Linear(_text_width(stored), model.lm.dim)
        project_melody = nn.Linear(N_CHROMA, model.lm.dim) if melody else None
        style = StyleNet(model.style) if model.style else None
        project_style = nn.Linear(model.style.dim, model.lm.dim) if model.style else None
    chroma = Chroma(model.sample_rate) if melody else None
    return Modules(lm, encodec, text, project_text, project_melody, chroma, style, project_style)


def _text_width(stored: Stored) -> int:
    """Width of the text vectors: the encoder's, or that of the trained projection."""
    if stored.text is not None:
        return stored.text.dim
    weight = stored.tensors.get("project.text.weight")
    return weight.shape[-1] if weight is not None and len(weight.shape) == 2 else 1
