"""The generation parameters of `MusicGen`, checked, and seconds as whole frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.conditions.arrangement import density_asked, instruments_asked, key_asked, section_asked
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.errors import UnsupportedError
from engine.model import DENSITY, INSTRUMENTS, KEY, SECTION, TEMPO, FrameGrid, LoadedModel
from engine.stream import WindowSize
from engine.system.type_checks import must_be_list, must_be_number

DEFAULT_TOP_K = 250
_EPSILON = 1e-6  # whole frames from seconds: 0.58 s are 29 frames, not 28


def frame_rate(model: LoadedModel) -> float:
    """Codec frames a second.  [any]"""
    return model.codec.sample_rate / model.codec.frame_samples


def frames_of(seconds: float, model: LoadedModel) -> int:
    """Whole frames in `seconds`, without floating-point errors.  [any]"""
    return math.floor(seconds * frame_rate(model) + _EPSILON)


@dataclass(frozen=True)
class Plays:
    """What a model that plays parts is asked to play; None = not asked.  [any]"""

    instruments: tuple[str, ...] | None = None
    density: float | None = None
    section: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class GenerationParams:
    """The values of `set_generation_params`; seconds as the caller gave them.  [any]"""

    sampling: Sampling
    guidance: Guidance
    duration_seconds: float
    stride_seconds: float
    grid: FrameGrid | None = None
    keep_harmony: bool = True
    plays: Plays = Plays()

    def familiar(self) -> dict[str, Any]:
        """The arguments of a generation call as audiocraft names them.  [any]"""
        return {
            "use_sampling": self.sampling.use_sampling,
            "temp": self.sampling.temperature,
            "top_k": self.sampling.top_k,
            "top_p": self.sampling.top_p,
            "cfg_coef": self.guidance.cfg_coef,
            "two_step_cfg": self.guidance.two_step,
            "cfg_coef_beta": self.guidance.cfg_coef_beta,
        }


def sampling_for(
    model: LoadedModel,
    use_sampling: bool,
    top_k: int | None,
    top_p: float,
    temperature: float | None,
    strict: bool,
) -> Sampling:
    """How tokens are drawn; None = the model's own. `top_k` above the codebook keeps all of it, or is refused if
    `strict`.  Raises ValueError out of range.  [any]
    """
    card = model.lm.config.card
    if top_k is None or (top_k > card and not strict):
        top_k = min(DEFAULT_TOP_K if top_k is None else top_k, card)
    temperature = model.temperature if temperature is None else temperature
    sampling = Sampling(use_sampling, temperature, top_k, top_p)
    sampling.check(card)
    return sampling


def stride_for(model: LoadedModel, duration: float, extend_stride: float | None) -> float:
    """Seconds by which windows roll.  ValueError for a duration or stride that does not fit the model.  [any]"""
    if not (math.isfinite(duration) and frames_of(duration, model) > 0):
        raise ValueError(f"duration is {duration}, must be above 0 seconds")
    stride = model.stride_frames / frame_rate(model) if extend_stride is None else extend_stride
    WindowSize(model.window_frames, frames_of(stride, model))  # refuses a stride that does not fit
    return stride


def grid_for(model: LoadedModel, bpm: float | None, start_beats: float, beats_per_bar: float) -> FrameGrid | None:
    """The host's beats, None without a tempo.

    Raises UnsupportedError for a model without tempo conditioning, ValueError out of range.  [any]
    """
    if bpm is None:
        return None
    must_take(model, TEMPO)
    if not (math.isfinite(bpm) and bpm > 0):
        raise ValueError(f"bpm is {bpm}, must be above 0")
    return FrameGrid(bpm, start_beats, beats_per_bar)


def plays_for(
    model: LoadedModel, instruments: Sequence[str] | None, density: float | None, section: str | None, key: str | None
) -> Plays:
    """What is to be played, checked.

    Raises UnsupportedError for a model that cannot be asked for it, TypeError and ValueError for other values.  [any]
    """
    if instruments is not None:
        must_be_list("instruments", instruments, str, "names of instruments")
        must_take(model, INSTRUMENTS)
        instruments_asked(instruments, 1)
    if density is not None:
        must_be_number(density=density)
        must_take(model, DENSITY)
        density_asked(density, 1)
    for name, value, check in ((SECTION, section, lambda: section_asked(section or "", 1)),
                               (KEY, key, lambda: key_asked(key or ""))):  # fmt: skip
        if value is not None:
            if not isinstance(value, str):
                raise TypeError(f"{name} is {value!r}, must be a text")
            must_take(model, name)
            check()
    return Plays(None if instruments is None else tuple(instruments), density, section, key)


def must_take(model: LoadedModel, name: str) -> None:
    """Raise UnsupportedError if the model cannot follow `name`, with the missing part if there is one.  [any]"""
    if name not in model.takes:
        able, why = ", ".join(sorted(model.takes)), getattr(model.conditioner, "why_not", "")
        missing = f" ({why})" if why else ""
        raise UnsupportedError(f"model {model.name} cannot follow {name}; it can follow: {able}{missing}")
