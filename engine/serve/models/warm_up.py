"""Runs a model once before a lane needs it, and measures how long a change to it takes. All of it [load]."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from engine.core.sampling import Sampling
from engine.lm import Conditions
from engine.model import TEXT, Ask, LoadedModel
from engine.serve.models.handover import READY_FRAMES
from engine.stream import StreamSettings, TokenStream, WindowSize

FEW_FRAMES = 8
PATIENCE_SECONDS = 2.5  # limit for a change to a model; a slower one takes less context along
LEAST_FRAMES = 50
Progress = Callable[[float, float], None]


def warm_up(model: LoadedModel, progress: Progress) -> tuple[int, float, float]:
    """Run every stage briefly, then like a lane's change to this model.

    Returns the frames of context that a lane takes along, the seconds that its change takes, and the real-time
    factor.  [load]
    """
    progress(0, 3)
    _run(model, FEW_FRAMES, FEW_FRAMES)
    progress(1, 3)
    keep = model.window_frames - model.stride_frames
    few_seconds, ratio = _run(model, min(keep, LEAST_FRAMES), FEW_FRAMES)
    progress(2, 3)
    if few_seconds > PATIENCE_SECONDS:  # more context would take longer still
        return min(keep, LEAST_FRAMES), few_seconds + READY_FRAMES * 0.02 / ratio, ratio
    frames = min(keep, max(LEAST_FRAMES, int(keep * PATIENCE_SECONDS / max(few_seconds * keep / LEAST_FRAMES, 1e-6))))
    seconds, ratio = _run(model, frames, READY_FRAMES)
    progress(3, 3)
    return frames, seconds, ratio


def _run(model: LoadedModel, prompt_frames: int, frames: int) -> tuple[float, float]:
    """Continue `prompt_frames` of noise for `frames`: seconds in all, real-time factor of the frames."""
    began = time.perf_counter()
    device, codec = model.lm.out_norm.weight.device, model.codec
    sampling = Sampling(top_k=min(250, model.lm.config.card))
    settings = StreamSettings(sampling, size=WindowSize(model.window_frames, model.stride_frames))

    def conditions(offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        ask = Ask(text="warm up" if TEXT in model.takes else None)
        return model.conditioner([ask], settings.guidance, offset_frames, window_frames)[0]

    audio: Tensor = 0.1 * torch.randn(1, codec.channels, prompt_frames * codec.frame_samples).to(device)
    with torch.no_grad():
        prompt = codec.encode(audio)[0]
        stream = TokenStream.begin(model.executor, conditions, prompt, settings)
        state = codec.init_decoder(audio[..., -64 * codec.frame_samples :], prompt[None, :, -64:])
        stream.advance(1)
        model.executor.warm_up()  # so that no lane waits for it
        prefilled = time.perf_counter()
        codec.decode_step(stream.advance(frames)[None].to(device), state, True)
    ended = time.perf_counter()
    made = frames * codec.frame_samples / codec.sample_rate
    return ended - began, made / max(ended - prefilled, 1e-9)
