"""The measured models, by their sizes; weights are random if the real ones are not on this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.checkpoints.catalog import MODELS
from engine.checkpoints.layout import sizes_of
from engine.core.config import LMConfig
from engine.errors import UnsupportedError

EMBEDDED, TINY = "embedded", "tiny"
NAMES = (EMBEDDED, "small", "medium", "melody", "style", "large")
TEXT_VECTORS = 11  # of a prompt of some words
MELODY_VECTORS, STYLE_VECTORS = 235, 15  # thirty seconds of chroma; three seconds of style
EMBEDDED_MEMORY = 24
PRECISIONS = ("float32", "bfloat16", "float16", "int8", "int4")


@dataclass(frozen=True)
class Shape:
    """Sizes of one model: `prefix` vectors in front of the steps, `memory` vectors to attend to.  [any]"""

    name: str
    lm: LMConfig
    prefix: int
    memory: int
    window_frames: int = 1500
    stride_frames: int = 900
    encodec: bool = True  # its codec is EnCodec's published shape, else its own

    @property
    def keep_frames(self) -> int:
        """Frames that a window begins with after a roll or a change.  [any]"""
        return self.window_frames - self.stride_frames


def shape_of(name: str) -> Shape:
    """The sizes of a model; UnsupportedError names the known ones.  [any]"""
    if name == EMBEDDED:
        return _embedded()
    if name == TINY:
        lm = LMConfig(dim=64, n_heads=4, n_layers=2, card=64)
        return Shape(TINY, lm, 0, 4, window_frames=160, stride_frames=90, encodec=False)
    if name not in MODELS:
        raise UnsupportedError(f"model '{name[:60]}' is not known; known are {', '.join(NAMES)}, or all")
    model = MODELS[name]
    vectors = {"text": 0, "melody": MELODY_VECTORS + TEXT_VECTORS, "style": STYLE_VECTORS + TEXT_VECTORS}
    prefix = vectors[model.kind]
    return Shape(name, sizes_of(model).lm, prefix, 0 if prefix else TEXT_VECTORS)


def _embedded() -> Shape:
    from engine.models.embedded_model import FOLDER, read_config

    config = read_config(FOLDER)
    lm = LMConfig(**{**config["lm"], "delays": tuple(config["lm"]["delays"])})
    windows = config["windows"]
    shape = Shape(EMBEDDED, lm, 0, EMBEDDED_MEMORY, encodec=False)
    return replace(shape, window_frames=windows["window_frames"], stride_frames=windows["stride_frames"])


def names_of(text: str) -> list[str]:
    """Names from "small,melody" or "all", each once and checked.  Raises UnsupportedError.  [any]"""
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    names = list(dict.fromkeys(NAMES if wanted == ["all"] else wanted))
    if not names:
        raise UnsupportedError(f"no model named; known are {', '.join(NAMES)}, or all")
    for name in names:
        shape_of(name)
    return names


def precisions_of(text: str) -> list[str]:
    """Precisions from "float32,int8", each once and checked.  Raises UnsupportedError.  [any]"""
    wanted = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [one for one in wanted if one not in PRECISIONS]
    if wrong or not wanted:
        raise UnsupportedError(f"precision '{','.join(wrong)[:60]}' is not known; known are {', '.join(PRECISIONS)}")
    return wanted
