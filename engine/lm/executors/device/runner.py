"""Runners of a step: one calls it, one captures it once as a CUDA graph and replays it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import torch

from engine.lm.executors.device.step import StepShape

WARM_RUNS = 2  # before a capture: libraries choose their kernels and allocate memory
_log = logging.getLogger("segue.engine")


class Runner(Protocol):
    """Runs steps of given shapes; `reason` says why a possible graph is not used, else it is empty."""

    reason: str

    def prepare(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Prepare to run a shape; may run `step`, and must be called while no row is active.  [generate]"""

    def ready(self, shape: StepShape) -> bool:
        """Whether `run` needs no `prepare` first.  [generate]"""

    def run(self, shape: StepShape, step: Callable[[], None]) -> None:
        """Run a prepared shape.  [generate]"""

    def forget(self) -> None:
        """Drop everything prepared: the buffers have moved.  [generate]"""


class PlainRunner:
    """Calls the step: on CPUs, and if graphs fail."""

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
        """Nothing to drop.  [generate]"""


class GraphRunner:
    """Replays one CUDA graph per shape; all graphs share one memory pool.

    If a capture fails, the step is called from then on, `reason` says why, and it is logged once.
    """

    def __init__(self, device: torch.device) -> None:
        self.reason = ""
        self._device = device
        self._graphs: dict[StepShape, torch.cuda.CUDAGraph] = {}
        self._pool: Any = None
        self._side: Any = None  # the stream of captures

    def ready(self, shape: StepShape) -> bool:
        """Whether its graph exists.  [generate]"""
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
        """Without `torch.cuda.graph`, which first empties caches and collects garbage: lanes may be playing."""
        with torch.cuda.device(self._device):
            if self._pool is None:
                self._pool, self._side = torch.cuda.graph_pool_handle(), torch.cuda.Stream()
            self._side.wait_stream(torch.cuda.current_stream())
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.stream(self._side):
                    for _ in range(WARM_RUNS):
                        step()
                    graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")  # another may load
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
        """Drop all graphs, once running ones are done.  [generate]"""
        if self._graphs:
            torch.cuda.synchronize(self._device)
        self._graphs.clear()
