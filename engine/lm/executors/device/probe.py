"""For benchmarks: steps of some lanes at a given fill of the cache, and the bytes that each step must read.

timed = time_steps(lm, rows=2, lanes=1, filled=1000)      # rows of each lane
timed.step(); timed.wait()                                 # enqueue one step; wait for all enqueued ones
timed.weight_bytes, timed.cache_bytes                      # bytes that a step must read; their sum is the memory floor
timed.first_after(5.0)                                     # seconds of one complete step after 5 s of rest
timed.reason                                               # why it is not a CUDA graph, empty if it is one
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.core.guidance import Guidance
from engine.core.sampling import Sampling, seeded_generator
from engine.lm.conditions import Conditions
from engine.lm.executors.base import UNKNOWN, StepRequest
from engine.lm.executors.device.executor import DeviceExecutor
from engine.lm.executors.device.runner import Runner
from engine.lm.model import LanguageModel

STEPS_AT_A_TIME = 32  # then back to the requested fill
TOP_K = 250


@dataclass
class TimedStep:
    """Lanes that only step; see above.  [generate]"""

    executor: DeviceExecutor
    requests: tuple[StepRequest, ...]
    filled: int
    weight_bytes: int
    cache_bytes: int
    cache_bytes_read: int  # bytes of the whole bucket, which a step really reads

    @property
    def reason(self) -> str:
        """Why steps are not replayed on a CUDA device; empty if they are, or without such a device.

        [any]
        """
        return self.executor.runner.reason

    def step(self) -> None:
        """Enqueue one step of all lanes, including guidance, sampling and random numbers.  [generate]"""
        for request in self.requests:
            for state in request.passes.states:
                if state.step >= self.filled + STEPS_AT_A_TIME:
                    state.back_to(self.filled)
        for fault in self.executor.take(self.requests):
            if fault is not None:
                raise fault

    def wait(self) -> None:
        """Wait until all enqueued steps are done.  [generate]"""
        device = self.executor.lm.device
        if device.type != "cpu":
            torch.get_device_module(device).synchronize(device)

    def first_after(self, rest_seconds: float, keep_warm: bool = False) -> float:
        """Seconds of one step after the device was idle, or only kept warm, for `rest_seconds`.  [generate]"""
        self.step()
        self.wait()
        until = time.perf_counter() + rest_seconds
        while (left := until - time.perf_counter()) > 0:
            time.sleep(min(left, 0.01))
            if keep_warm:
                self.executor.keep_warm()
        self.wait()
        began = time.perf_counter()
        self.step()
        self.wait()
        return time.perf_counter() - began


@torch.inference_mode()
def time_steps(
    lm: LanguageModel,
    rows: int = 2,
    lanes: int = 1,
    filled: int = 1,
    memory: int = 0,
    runner: Runner | None = None,
    cache_dtype: torch.dtype | None = None,
) -> TimedStep:
    """Lanes of `rows` guidance rows whose caches hold `filled` positions, with `memory` vectors to attend to.

    Tokens, cache and memory are random; sampling is top-k. ValueError for less than 1 of anything but memory.
    [generate]
    """
    if min(rows, lanes, filled) < 1 or rows > 3 or memory < 0:
        raise ValueError(
            f"rows {rows} must be 1 to 3, lanes {lanes} and filled {filled} 1 or more, memory {memory} 0 or more"
        )
    executor = DeviceExecutor(lm, runner, cache_dtype)
    requests = tuple(_request(executor, lane, rows, filled, memory) for lane in range(lanes))
    config = lm.config
    per_position = 2 * config.n_layers * config.dim * executor.cache_dtype.itemsize * rows * lanes
    timed = TimedStep(
        executor, requests, filled, sum(map(_bytes, read_weights(lm, memory > 0))), per_position * (filled + 1), 0
    )
    timed.step()
    timed.wait()
    timed.cache_bytes_read = per_position * executor.shape_of(executor.slots()).positions
    return timed


def read_weights(lm: LanguageModel, cross: bool = True) -> Iterator[Tensor]:
    """Matrices that every step reads completely: no embeddings; of cross-attention only query and output.  [any]"""
    dim = lm.config.dim
    for layer in lm.layers:
        yield from (layer.self_attn.in_proj_weight, layer.self_attn.out_proj.weight)
        yield from (layer.linear1.weight, layer.linear2.weight)
        if cross and layer.cross_attention is not None:
            yield from (layer.cross_attention.in_proj_weight[:dim], layer.cross_attention.out_proj.weight)
    for head in lm.linears:
        yield head.weight  # type: ignore[misc]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _request(executor: DeviceExecutor, lane: int, rows: int, filled: int, memory: int) -> StepRequest:
    config, device = executor.lm.config, executor.lm.device
    conditions = Conditions(memory=torch.randn(rows, memory, config.dim, device=device) if memory else None)
    steps = filled + STEPS_AT_A_TIME + 2
    sequence = torch.randint(0, config.card, (config.n_codebooks, steps), device=device)
    sequence[:, filled + 1 :] = UNKNOWN
    passes = executor.open((conditions,), sequence)
    state = executor.init_state(rows, steps, conditions)
    state.cache.normal_()
    state.step = state.length = filled
    passes.states = (state,)
    guidance = Guidance(cfg_coef_beta=5.0 if rows == 3 else None)
    return StepRequest(passes, Sampling(top_k=min(TOP_K, config.card)), guidance, seeded_generator(lane, device))
