"""Measurements of a model besides its steps: first sound, change, codec, lanes, memory, fidelity."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from engine.bench import memory
from engine.bench.device_side import DeviceSide
from engine.bench.load_time import peak_bytes
from engine.bench.results import FRAMES_PER_SECOND, Extras, Spread, spread
from engine.bench.segue_side import SPARE_FRAMES, SegueSide
from engine.bench.shapes import Shape
from engine.bench.sounding import Sounding, random_codec
from engine.lm.executors.base import Executor

if TYPE_CHECKING:
    from engine.bench.contest import ContestSpec

LANES = (1, 2, 4, 8)
LANE_STEPS = 10
SLOW_SECONDS = 30.0  # if slower, two rounds are enough


def measure_beside(
    extras: Extras, shape: Shape, executor: Executor, codec: Any, step_ms: float, spec: ContestSpec
) -> Iterator[None]:
    """Fill `extras` figure by figure; yields after each.  [generate]"""
    if codec is None and shape.encodec:
        codec = random_codec(spec.device)
    if codec is not None:
        _sound(extras, Sounding(shape, executor, codec), step_ms, spec)
        yield
    _lanes(extras, shape, executor, spec)
    extras.peak_mb = _peak_mb(spec.device)
    yield


def _sound(extras: Extras, sounding: Sounding, step_ms: float, spec: ContestSpec) -> None:
    firsts, changes, codecs, frames = list[float](), list[float](), list[float](), list[float]()
    sounding.codec_frame()  # warms up
    began = time.perf_counter()
    for number in range(spec.rounds + 1):
        seconds, stream, state = sounding.first_sound()
        firsts.append(1000.0 * seconds)
        changes.append(1000.0 * sounding.change(stream, state))
        codecs.append(1000.0 * sounding.codec_frame())
        frames.append(1000.0 * sounding.frame_with_codec(stream))
        if number and time.perf_counter() - began > SLOW_SECONDS:
            break
    else:  # the first one warms up; if it takes long, it counts
        del firsts[0], changes[0], codecs[0], frames[0]
    extras.first_sound_ms, extras.change_ms = spread(firsts), spread(changes)
    extras.codec_frame_ms = spread(codecs)
    extras.codec_share = extras.codec_frame_ms.median / (extras.codec_frame_ms.median + step_ms)
    extras.realtime = 1000.0 / FRAMES_PER_SECOND / spread(frames).median


def _lanes(extras: Extras, shape: Shape, executor: Executor, spec: ContestSpec) -> None:
    """Milliseconds of one step of all lanes at half fill; the numbers of lanes alternate."""
    half = shape.window_frames // 2
    numbers = _that_fit(extras, shape, executor, half + SPARE_FRAMES, spec.device)
    if not numbers:
        return
    side: Any = DeviceSide(shape, executor)
    if spec.device == "cpu":
        side = SegueSide(shape, executor, max(numbers), half + SPARE_FRAMES)
    took: dict[int, list[float]] = {number: [] for number in numbers}
    for _ in range(spec.rounds):
        for number in numbers:
            steps = side.visit(half, 3 if max(took[number], default=0.0) > 0.3 else LANE_STEPS, number)
            took[number].append(sorted(steps)[len(steps) // 2])
    found: dict[str, Spread] = {str(number): spread([1000.0 * one for one in took[number]]) for number in numbers}
    extras.lanes_ms = found


def _that_fit(extras: Extras, shape: Shape, executor: Executor, frames: int, device: str) -> list[int]:
    """Numbers of lanes whose caches fit in memory; `extras` gets the reasons for skipped ones."""
    free = memory.available_bytes(device)
    item = float(executor.cache_dtype.itemsize)
    numbers = []
    for number in LANES:
        needed = number * memory.lane_bytes(shape, item, frames)
        if free is not None and needed > memory.USABLE * free:
            extras.lanes_skipped[str(number)] = (
                f"caches need {needed / 1e9:.1f} GB of {free / 1e9:.1f} GB that are free"
            )
        else:
            numbers.append(number)
    return numbers


def _peak_mb(device: str) -> float:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated() / 1e6
    return peak_bytes() / 1e6
