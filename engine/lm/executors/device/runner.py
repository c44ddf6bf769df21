"""How a step is run: called, or captured once as a CUDA graph and replayed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import torch

from engine.lm.executors.device.step import StepShape

WARM_RUNS = 2  # before a capture: libraries choose their kernels and allocate what they need
_log = logging.getLogger("segue.engine")


class Runner(Protocol):
    """Runs steps of given shapes; `reason` says why a graph is not used where one could be, empty else."""

    reason: str

    def prepare(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Be ready to run a shape; may run `step` and must be called while no row is active.  [generate]"""

    def ready(self, shape: StepShape) -> bool:
        """Whether `run` needs no `prepare` before.  [generate]"""

    def run(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Run a prepared shape.  [generate]"""

    def forget(self) -> None:
        """What was prepared no longer holds: the buffers lie elsewhere.  [generate]"""


class PlainRunner:
    """Calls the step: on processors, and where graphs fail."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    def prepare(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Nothing to do.  [generate]"""

    def ready(self, shape: StepShape) -> bool:
        """Always.  [generate]"""
        return True

    def run(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Call it.  [generate]"""
        step()

    def forget(self) -> None:
        """Nothing was kept.  [generate]"""


class GraphRunner:
    """Replays one CUDA graph for each shape; all graphs share one pool of memory.

    Where a capture fails the step is called from then on, `reason` says why, and the log says so once.
    """

    def __init__(self, device: torch.device) -> None:
        self.reason = ""
        self._device = device
        self._graphs: dict[StepShape, torch.cuda.CUDAGraph] = {}
        self._pool: Any = None
        self._side: Any = None  # the stream that captures are made on

    def ready(self, shape: StepShape) -> bool:
        """Whether its graph is there.  [generate]"""
        return bool(self.reason) or shape in self._graphs

    def prepare(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Capture its graph.  [generate]"""
        if self.ready(shape):
            return
        try:
            self._graphs[shape] = self._capture(step)
        except RuntimeError as fault:
            self.reason = str(fault).strip().split("\n")[0][:200]
            _log.warning("steps run without CUDA graphs, more slowly: %s", self.reason)
            self._graphs.clear()

    def _capture(self, step: Callable[[], None]) -> torch.cuda.CUDAGraph:
        """Not by `torch.cuda.graph`, which empties caches and collects garbage first: lanes may be playing."""
        with torch.cuda.device(self._device):
            if self._pool is None:
                self._pool, self._side = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
            self._side.wait_stream(torch.cuda.current_stream())
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.stream(self._side):
                    for _ in range(WARM_RUNS):
                        step()
                    graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")  # others may load a model
                    try:
                        step()
                    finally:
                        graph.capture_end()
            finally:
                torch.cuda.current_stream().wait_stream(self._side)
            return graph

    def run(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Replay its graph.  [generate]"""
        graph = self._graphs.get(shape)
        if graph is None:
            step()
        else:
            with torch.cuda.device(self._device):
                graph.replay()

    def forget(self) -> None:
        """Let all graphs go, once those that are under way are done.  [generate]"""
        if self._graphs:
            torch.cuda.synchronize(self._device)
        self._graphs.clear()
