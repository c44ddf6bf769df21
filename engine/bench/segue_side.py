"""Segue's side of the contest on a processor: lanes of guided streams with filled caches, stepped like in the engine.

A visit returns to a fill and takes some steps from there: logits, guidance, sampling, writing of tokens. The first step
of a visit is not timed, on either side: it finds the processor's caches full of the other side's weights.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor

from engine.bench.shapes import Shape
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LMState
from engine.lm.executors.base import Executor
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.lanes import step_streams
from engine.stream.window import Window

ROWS = 2
TOP_K = 250
VISIT_STEPS = 40
SPARE_FRAMES = VISIT_STEPS + 8


def conditions_of(shape: Shape, device: str = "cpu", seed: int = 1) -> Conditions:
    """Random conditions of two rows, with zeros in the null row like in published models.  [any]"""
    generator = torch.Generator().manual_seed(seed)

    def rows(count: int) -> Tensor | None:
        vectors = 0.1 * torch.randn(1, count, shape.lm.dim, generator=generator)
        return torch.cat([vectors, torch.zeros_like(vectors)]).to(device) if count else None

    return Conditions(prefix=rows(shape.prefix), memory=rows(shape.memory))


def settings_of(shape: Shape, window_frames: int | None = None) -> StreamSettings:
    """Guidance and top-k sampling of 250; the model's windows, or shorter ones.  [any]"""
    frames = window_frames or shape.window_frames
    size = WindowSize(frames, min(shape.stride_frames, frames - 1))
    return StreamSettings(Sampling(True, 1.0, min(TOP_K, shape.lm.card), 0.0), Guidance(3.0), size)


class SegueSide:
    """Streams of one model; `visit` steps them all together.  All methods [generate]."""

    name = "Segue"

    def __init__(self, shape: Shape, executor: Executor, lanes: int = 1, window_frames: int | None = None) -> None:
        """Each lane's window is filled up to all but `SPARE_FRAMES` of its frames."""
        self.shape, self.executor = shape, executor
        frames = window_frames or shape.window_frames
        conditions = conditions_of(shape)
        self.streams = [self._begin(conditions, frames, seed) for seed in range(lanes)]
        self._tokens = [stream.open_window().sequence.clone() for stream in self.streams]

    def _begin(self, conditions: Conditions, frames: int, seed: int) -> TokenStream:
        config, generator = self.executor.lm.config, torch.Generator().manual_seed(seed)
        prompt = torch.randint(0, config.card, (config.n_codebooks, frames - SPARE_FRAMES), generator=generator)
        settings = settings_of(self.shape, frames)
        stream = TokenStream.begin(self.executor, lambda offset, count: (replace(conditions),), prompt, settings, seed)
        fill(stream.open_window())
        first_logits = torch.zeros(ROWS, config.n_codebooks, config.card)
        self.executor.take([replace(stream.request(), first_logits=first_logits)])
        stream.was_drawn()
        return stream

    @property
    def precision(self) -> str:
        """Precision of the weights that a step reads."""
        return self.executor.precision

    @property
    def cache_item_bytes(self) -> int:
        """Bytes of a number in the cache."""
        return self._states()[0].cache.element_size()

    @property
    def held_cache_bytes(self) -> int:
        """Bytes of the lanes' caches, filled or not."""
        return sum(state.cache.nbytes for state in self._states())

    def _states(self) -> list[LMState]:
        return [stream.window.states[0] for stream in self.streams if stream.window is not None]

    def visit(self, fill_frames: int, n_steps: int = VISIT_STEPS, lanes: int | None = None) -> list[float]:
        """Seconds of each of `n_steps` steps of the first `lanes` lanes from `fill_frames` frames on."""
        streams = self.streams[:lanes]
        for stream, tokens in zip(streams, self._tokens, strict=False):
            fill_up(stream, tokens)
            if not stream.again_from(fill_frames):
                raise ValueError(f"a window of {stream.settings.size.window_frames} does not reach {fill_frames}")
        step(streams)
        took = []
        for _ in range(n_steps):
            began = time.perf_counter()
            step(streams)
            took.append(time.perf_counter() - began)
        return took


def step(streams: list[TokenStream]) -> None:
    """Take one step of every stream; raises a lane's exception.  [generate]"""
    for fault in step_streams(streams):
        if fault is not None:
            raise fault


def fill_up(stream: TokenStream, tokens: Tensor) -> None:
    """Restore the initial state with these tokens [K, S]: the cache behind the last visit is still valid.
    [generate]"""
    window = stream.open_window()
    steps = window.n_frames - SPARE_FRAMES + 1
    window.sequence.copy_(tokens)
    for state in window.states:
        state.length += steps - state.step
        state.step = steps
    stream.n_frames = window.prompt_frames = steps - 1
    window.next_step = steps + 1


@torch.inference_mode()
def fill(window: Window) -> None:
    """Fill a new window's cache up to its prompt with random keys and values: a prefill without its cost.

    The time of a step does not depend on the numbers.  [generate]
    """
    steps = window.prompt_frames + 1
    states = []
    for conditions in window.conditions:
        state = window.executor.init_state(conditions.rows or 1, window.n_steps, conditions)
        layer = state.cache[0]
        if layer.is_floating_point():
            layer.normal_(generator=torch.Generator().manual_seed(0))
        else:
            layer.random_(-64, 64, generator=torch.Generator().manual_seed(0))
        state.cache[1:] = layer
        state.step, state.length = steps, steps + conditions.prefix_steps
        states.append(state)
    window.passes.states, window.next_step = tuple(states), steps
