"""Loads a model from its name to hot: device, precision, memory, reading, warm-up. All of it [load]."""

from __future__ import annotations

from dataclasses import replace

import torch

from bridge.system.clock import Clock
from engine.errors import UnsupportedError
from engine.lm.executors.weight_bytes import weight_bytes
from engine.model import LoadedModel
from engine.models.load import EMBEDDED, load_model
from engine.serve.models.device_choice import load_on_faster
from engine.serve.models.memory import need_mb
from engine.serve.models.model_names import license_of
from engine.serve.models.progress import WARMING_UP, Progress
from engine.serve.models.warm_up import warm_up
from engine.serve.screen import say
from engine.serve.state import Hot, Wanted

FRAME_SAMPLES, RATE_HZ = 640, 32_000  # of every served model: the timeline counts in such frames
SLOW_RATIO = 1.1


def load_hot(wanted: Wanted, t5: str | None, threads: int, progress: Progress, clock: Clock) -> Hot:
    """Load, check and warm up the model that is wanted.

    Raises EngineError if it cannot be loaded, LoadOvertaken from `progress`.  [load]
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    return load_on_faster(wanted, threads, lambda device: _load_on(device, wanted, t5, progress, clock))


def _load_on(device: str, wanted: Wanted, t5: str | None, progress: Progress, clock: Clock) -> Hot:
    """The same on a given device."""
    began = clock.now_seconds()
    precision = default_precision(device) if wanted.precision == "auto" else wanted.precision
    size = weight_bytes(precision, device)
    progress.room_for(need_mb(wanted.name, size, t5))

    def on_progress(stage: str, done: float, total: float) -> None:
        if stage != "downloading":  # downloaded files can be measured now
            progress.room_for(need_mb(wanted.name, size, t5))
        progress(stage, done, total)

    progress("reading", 0, 0)
    dtype, auto = _dtype(wanted, precision), wanted.precision == "auto"
    with torch.no_grad():
        model = load_model(wanted.name, device, dtype=dtype, t5=t5, on_progress=on_progress, or_float32=auto)
    _check(model)
    if license_of(wanted.name):  # a published name says more than the folder that it was found in
        model = replace(model, name=wanted.name)
    loaded_seconds = clock.now_seconds() - began
    frames, seconds, ratio = warm_up(model, lambda done, total: progress(WARMING_UP, done, total))
    notes = (*model.notes, *_own_notes(device, ratio))
    hot = Hot(wanted, model, device, model.executor.precision, frames, seconds, ratio, notes, license_of(wanted.name))
    _log_sizes(hot, loaded_seconds)
    return hot


def _check(model: LoadedModel) -> None:
    codec = model.codec
    if (codec.frame_samples, codec.sample_rate) != (FRAME_SAMPLES, RATE_HZ):
        raise UnsupportedError(
            f"{model.name} has frames of {codec.frame_samples} samples at {codec.sample_rate} Hz; the engine plays "
            f"models with {FRAME_SAMPLES} at {RATE_HZ}"
        )


def _own_notes(device: str, ratio: float) -> list[str]:
    if ratio >= SLOW_RATIO:
        return []
    return [
        f"while it was measured it made {ratio:.2f} seconds of music a second on {device}: too slow to play on without "
        "holes, if that stays so; a smaller model or a GPU helps"
    ]


def _log_sizes(hot: Hot, seconds: float) -> None:
    millions = sum(parameter.numel() for parameter in hot.model.lm.parameters()) / 1e6
    say(f"loaded {hot.wanted.name} in {seconds:.1f} s: {millions:.1f} M parameters on {hot.device}, {hot.precision}")


def _dtype(wanted: Wanted, precision: str) -> torch.dtype | None:
    """The dtype to load with; None if the loader chooses it."""
    if wanted.precision == "auto" and wanted.name == EMBEDDED:
        return None
    chosen: torch.dtype = getattr(torch, precision)
    return chosen


def default_precision(device: str) -> str:
    """Default precision: half on a GPU, 8 bits on a CPU, else single.

    Measured (docs/precision.md): on a CPU 8-bit steps are almost three times as fast as float32 and change one draw in
    twenty-five; 4 bits are a third faster again but change one in six, so they are used only on request.  [any]
    """
    if device.startswith("cuda"):
        return "float16"
    return "int8" if device == "cpu" else "float32"
