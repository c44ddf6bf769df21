"""A checkpoint's own configuration, in both formats, as one frozen value.

audiocraft stores the whole training configuration with `${...}` references; only entries that
affect the computation are read. Unsupported values are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.codec.encodec import EncodecConfig
from engine.conditions.style_net import StyleConfig
from engine.core.config import LMConfig
from engine.errors import CheckpointError, UnsupportedError

FRAMES_PER_SECOND = 50
WINDOW_SECONDS, STRIDE_SECONDS = 30.0, 18.0
CHROMA_HOP_SAMPLES = 4096
N_CHROMA = 12
_REFERENCE = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")


@dataclass(frozen=True)
class ModelConfig:
    """One model: language model, how text, melody and style enter, window, guidance.

    `text_prefix` True: text precedes the audio steps; False: cross-attention reads it.
    `chroma_frames` is the length of the melody prefix, 0 for models without melody; `style` the sizes of the
    style network, None for models without style. `t5` names the text encoder.  [any]
    """

    lm: LMConfig
    text_prefix: bool
    chroma_frames: int
    window_frames: int
    stride_frames: int
    cfg_coef: float
    sample_rate: int = 32000
    channels: int = 1
    t5: str = "t5-base"
    style: StyleConfig | None = None


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """A context that adds the file's name to a configuration's errors.  [any]"""
    try:
        yield
    except (CheckpointError, UnsupportedError) as error:
        raise type(error)(f"{file}: {error}") from error


def look_up(config: Any, path: str, seen: int = 0) -> Any:
    """`config['a']['b']` for 'a.b'; follows a reference to another entry.

    Raises CheckpointError if an entry is missing or references form a circle.  [any]
    """
    value = config
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            raise CheckpointError(f"the checkpoint's configuration has no '{path}'")
        value = value[part]
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    if seen > 8:
        raise CheckpointError(f"the checkpoint's configuration refers in a circle at '{path}'")
    return look_up(config, match.group(1), seen + 1)


def number(config: Any, path: str, low: float, high: float) -> float:
    """The number at `path`; CheckpointError if it is no number or out of range.  [any]"""
    value = look_up(config, path)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise CheckpointError(f"the configuration's '{path}' is {value!r}, must be a number from {low} to {high}")
    return value


def count(config: Any, path: str, high: int = 1 << 20) -> int:
    """The whole number from 1 at `path`.  [any]"""
    value = number(config, path, 1, high)
    if value != int(value):
        raise CheckpointError(f"the configuration's '{path}' is {value!r}, must be a whole number")
    return int(value)


def counts(config: Any, path: str, low: int, high: int) -> tuple[int, ...]:
    """The list of whole numbers at `path`.  [any]"""
    values = look_up(config, path)
    if not isinstance(values, list) or not 1 <= len(values) <= 64:
        raise CheckpointError(f"the configuration's '{path}' is {values!r}, must be a list of numbers")
    if any(type(value) is not int or not low <= value <= high for value in values):
        raise CheckpointError(f"the configuration's '{path}' is {values!r}, must hold numbers from {low} to {high}")
    return tuple(values)


def expect(config: Any, path: str, allowed: tuple[Any, ...]) -> Any:
    """The value at `path`; UnsupportedError if this version does not support it.  [any]"""
    value = look_up(config, path)
    if value not in allowed:
        raise UnsupportedError(f"the configuration's '{path}' is {value!r}; this version runs {allowed}")
    return value


def chroma_frames(seconds: float, sample_rate: int) -> int:
    """Length of the melody prefix for a window of `seconds`.  [any]"""
    return int(sample_rate * seconds) // CHROMA_HOP_SAMPLES + 1


def window(seconds: float) -> tuple[int, int]:
    """Window and stride in frames: a 30 s window rolls by 18 s, shorter ones in proportion.  [any]"""
    stride = min(STRIDE_SECONDS, seconds * STRIDE_SECONDS / WINDOW_SECONDS)
    return int(seconds * FRAMES_PER_SECOND), max(1, int(stride * FRAMES_PER_SECOND))


def encodec(**sizes: Any) -> EncodecConfig:
    """The codec's sizes; CheckpointError for invalid ones.  [any]"""
    try:
        return EncodecConfig(**sizes)
    except ValueError as fault:
        raise CheckpointError(f"the codec's configuration: {fault}") from fault


def lm_config(**sizes: Any) -> LMConfig:
    """The language model's sizes; CheckpointError for invalid ones.  [any]"""
    try:
        return LMConfig(**sizes)
    except ValueError as fault:
        raise CheckpointError(f"the language model's configuration: {fault}") from fault


def style_config(**sizes: Any) -> StyleConfig:
    """The style network's sizes; CheckpointError for invalid ones.  [any]"""
    try:
        style = StyleConfig(**sizes)
        style.layers()
    except ValueError as fault:
        raise CheckpointError(f"the style network's configuration: {fault}") from fault
    return style
