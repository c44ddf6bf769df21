"""A lane's parameters as settings of the token stream, and its region as audio prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bridge.control.parameters import CFG, CFG_BETA, TEMPERATURE, TOP_K, TOP_P, TWO_STEP
from bridge.errors import RegionTooShort
from bridge.time.units import CODEC_RATE_HZ, SAMPLES_PER_FRAME
from engine.audio.mono import to_mono
from engine.codec.base import encode_within
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.model import LoadedModel
from engine.serve.lane_settings import LaneSettings, ReferenceAudio, ability_of
from engine.serve.timeline.placement import StreamPlacement
from engine.stream import StreamSettings, WindowSize

GAIN_MOST = 16.0
SPARE_FRAMES = 25  # by which the end may move later without a new window
BEFORE_FRAMES = 50  # of the region before the prompt, as context for the codec


@dataclass(frozen=True)
class Prompt:
    """The music right before a stream: codes [K, P], audio [C, n] at the model's rate; both end there.

    The audio is `gain` times as loud as the user's; the stream's audio is divided by it. `ahead` [C, m] is its
    continuation at the same level, if known.
    """

    codes: Tensor
    audio: Tensor
    gain: float = 1.0
    ahead: Tensor | None = None


@dataclass(frozen=True)
class HandoverPrompt:
    """Another model's music up to frame `frame`, encoded by this model: a renderer's audio prompt.  [any]"""

    prompt: Prompt
    frame: int
    prompt_frames: int  # of the old stream: both count frames alike


def own_values(model: LoadedModel) -> dict[str, float]:
    """A model's own values of parameters, in place of the table's defaults.  [any]"""
    return {
        CFG.name: model.cfg_coef,
        TEMPERATURE.name: model.temperature,
        TOP_K.name: float(min(TOP_K.initial, model.lm.config.card)),
    }


def left_aside(model: LoadedModel, settings: LaneSettings) -> str:
    """The parts of a lane's settings that a model cannot follow, in words; empty without any.  [any]"""
    roles = sorted({ability_of(role) for role in settings.regions})
    request = [*roles, *(["text"] if any(settings.every_prompt) else [])]
    lacking = [wish for wish in request if wish not in model.takes]
    return f"{model.name} cannot follow {' and '.join(lacking)}, which waits for a model that can" if lacking else ""


def stream_settings(
    model: LoadedModel, settings: LaneSettings, placement: StreamPlacement, prompt_frames: int
) -> StreamSettings:
    """Sampling, guidance and end of a stream at `placement`.  [generate]"""
    beta = settings.get(CFG_BETA)
    frames = placement.frames_to_end()
    return StreamSettings(
        Sampling(
            temperature=settings.get(TEMPERATURE),
            top_k=min(settings.get(TOP_K), model.lm.config.card),
            top_p=settings.get(TOP_P),
        ),
        Guidance(settings.get(CFG), beta if beta > 0 else None, settings.get(TWO_STEP)),
        WindowSize(model.window_frames, model.stride_frames),
        None if frames is None else prompt_frames + max(1, frames),
        SPARE_FRAMES,
        prepared=True,
    )


def make_prompt(model: LoadedModel, region: ReferenceAudio | None) -> Prompt | None:
    """The end of a region as codes, in whole frames counted back from its end; None without a region.

    Raises RegionTooShort when it holds less than a frame.  [generate]
    """
    if region is None:
        return None
    frames = min(region.audio.shape[-1] // SAMPLES_PER_FRAME, model.window_frames - model.stride_frames)
    if frames < 1:
        raise RegionTooShort("the region to go on from is shorter than 20 ms")
    first = region.audio.shape[-1] - frames * SAMPLES_PER_FRAME
    before = region.audio[:, max(0, first - BEFORE_FRAMES * SAMPLES_PER_FRAME) : first]
    prompt = as_prompt(model, region.audio[:, first:], before)
    if region.ahead is None:
        return prompt
    return replace(prompt, ahead=in_channels(region.ahead, model.codec.channels) * prompt.gain)


def as_prompt(model: LoadedModel, audio: Tensor, before: Tensor | None = None) -> Prompt:
    """Encode audio [C, n] of whole frames, at the user's level, after `before`.  [generate]"""
    gain, device = _gain(model, audio), model.lm.out_norm.weight.device
    audio = in_channels(audio, model.codec.channels) * gain
    led = None if before is None else (in_channels(before, model.codec.channels) * gain)[None].to(device)
    with torch.no_grad():
        codes = encode_within(model.codec, audio[None].to(device), led)[0]
    return Prompt(codes, audio, gain)


def in_channels(audio: Tensor, channels: int) -> Tensor:
    """[C, n] at the codec's rate as [channels, n]: mono is doubled, stereo made mono (`engine.audio.mono`).  [any]"""
    if audio.shape[0] == channels:
        return audio
    return to_mono(audio, CODEC_RATE_HZ)[0].expand(channels, -1)


def _gain(model: LoadedModel, audio: Tensor) -> float:
    """Gain that brings audio to the model's training loudness, within limits; 1 for models without one."""
    rms = float(audio.pow(2).mean().sqrt())
    if model.trained_rms is None or rms <= 0.0:
        return 1.0
    return min(max(model.trained_rms / rms, 1.0 / GAIN_MOST), GAIN_MOST)
