"""Segue's side of the contest on a GPU: the step of all lanes at once, as `engine.lm.executors.device` takes it.

Steps are enqueued like in the engine; events in the device's queue give the time of each.
"""

from __future__ import annotations

import itertools

import torch

from engine.bench.segue_side import ROWS, VISIT_STEPS
from engine.bench.shapes import Shape
from engine.lm.executors.base import Executor
from engine.lm.executors.device import TimedStep, time_steps


class DeviceSide:
    """Lanes of one model on a GPU, one probe for each (fill, lanes).  [generate]"""

    name = "Segue"

    def __init__(self, shape: Shape, executor: Executor) -> None:
        self.shape, self.executor = shape, executor
        self._timed: tuple[tuple[int, int], TimedStep] | None = None  # one at a time: caches are large
        self.notes: list[str] = []

    @property
    def precision(self) -> str:
        """Precision of the weights that a step reads."""
        return self.executor.precision

    @property
    def cache_item_bytes(self) -> int:
        """Bytes of a number in the cache."""
        return self.executor.cache_dtype.itemsize

    @property
    def held_cache_bytes(self) -> int:
        """Bytes of one lane's cache for a whole window."""
        shape, config = self.shape, self.shape.lm
        positions = shape.prefix + config.sequence_steps(shape.window_frames)
        return 2 * config.n_layers * ROWS * positions * config.dim * self.cache_item_bytes

    def visit(self, fill_frames: int, n_steps: int = VISIT_STEPS, lanes: int | None = None) -> list[float]:
        """Seconds of each of `n_steps` steps of this many lanes (None: one) at a fill."""
        timed = self._probe(fill_frames, lanes or 1)
        timed.step()
        if self.executor.lm.device.type == "cpu":  # the same code in tests
            return [timed.first_after(0.0) for _ in range(n_steps)]
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(n_steps + 1)]
        timed.wait()
        marks[0].record()
        for mark in marks[1:]:
            timed.step()
            mark.record()
        timed.wait()
        return [begin.elapsed_time(end) / 1000.0 for begin, end in itertools.pairwise(marks)]

    def _probe(self, fill_frames: int, lanes: int) -> TimedStep:
        key = (fill_frames, lanes)
        if self._timed is None or self._timed[0] != key:
            self._timed = None
            filled = self.shape.prefix + fill_frames + 1
            lm, cache = self.executor.lm, self.executor.cache_dtype
            timed = time_steps(lm, ROWS, lanes, filled, self.shape.memory, cache_dtype=cache)
            for _ in range(3):
                timed.step()
            timed.wait()
            if timed.reason and timed.reason not in self.notes:
                self.notes.append(timed.reason)
            self._timed = (key, timed)
        return self._timed[1]
