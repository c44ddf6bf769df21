"""Lanes: streams that begin and end at different times and advance together.

All lanes of an executor take a step in one call. On a CPU each row is computed separately, so a lane's tokens are bit
for bit independent of other lanes; on a GPU values differ by rounding at most (`engine.lm.executors`). Prompts are read
piece by piece, with one step of the others between two pieces; lanes that have their frames do not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.lm.executors.base import Executor, StepRequest
from engine.stream.tokens import TokenStream
from engine.stream.window import Window

Faults = dict[Hashable, Exception]


def step_windows(windows: Sequence[Window]) -> list[Tensor | Exception]:
    """Logits [R, K, card] of each window's next step; an exception for a lane that failed.  [generate]"""
    results: dict[int, Tensor | Exception] = {}
    stepping: list[int] = []
    for index, window in enumerate(windows):
        if window.next_step:
            stepping.append(index)
            continue
        try:
            results[index] = window.logits()
        except Exception as error:
            results[index] = error
    for executor, own in _by_executor([(index, windows[index].executor) for index in stepping]):
        results |= dict(zip(own, executor.logits([windows[index].passes for index in own]), strict=True))
    return [results[index] for index in range(len(windows))]


def step_streams(streams: Sequence[TokenStream]) -> list[Exception | None]:
    """Take one step of each stream, those of the same executor together; None or its exception for each.

    The rest of a prompt is read first.  [generate]
    """
    faults: dict[int, Exception] = {}
    requests: dict[int, StepRequest] = {}
    for index, stream in enumerate(streams):
        try:
            requests[index] = stream.request()
        except Exception as error:
            faults[index] = error
    for executor, own in _by_executor([(index, streams[index].executor) for index in requests]):
        for index, fault in zip(own, executor.take([requests[index] for index in own]), strict=True):
            try:
                if fault is not None:
                    raise fault
                streams[index].was_drawn()
            except Exception as error:
                faults[index] = error
    return [faults.get(index) for index in range(len(streams))]


def _by_executor(numbers: Iterable[tuple[int, Executor]]) -> Iterable[tuple[Executor, list[int]]]:
    """Numbers grouped by executor."""
    found: dict[int, tuple[Executor, list[int]]] = {}
    for index, executor in numbers:
        found.setdefault(id(executor), (executor, []))[1].append(index)
    return found.values()


@dataclass(frozen=True)
class LaneFrames:
    """A lane's new frames: codes [K, n] int64, whether it is finished, its exception.  [generate]"""

    codes: Tensor
    finished: bool
    error: Exception | None = None

    @property
    def goes_on(self) -> bool:
        """Whether the lane continues."""
        return not self.finished and self.error is None

    def and_then(self, more: LaneFrames) -> LaneFrames:
        """These frames and the following ones."""
        return LaneFrames(torch.cat([self.codes, more.codes], dim=1), more.finished, more.error)


class LaneBatch:
    """Streams by name, advanced in lock step; only a lane that fails is dropped."""

    def __init__(self) -> None:
        self.streams: dict[Hashable, TokenStream] = {}

    def add(self, name: Hashable, stream: TokenStream) -> None:
        """Add a stream from the next step on; replaces one of the same name.  [generate]"""
        self.streams[name] = stream

    def remove(self, name: Hashable) -> TokenStream | None:
        """Remove a stream; it keeps its codes.  [generate]"""
        return self.streams.pop(name, None)

    def advance(
        self,
        n_frames: int,
        names: Iterable[Hashable] | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> dict[Hashable, LaneFrames]:
        """Complete up to `n_frames` more of each named lane (None = all); finished lanes yield the rest.

        Does not wait for a lane that still reads its prompt when the others have their frames. A lane that raises is
        removed; its exception comes with the frames that it completed. `enough` is called while only prompts are read,
        and may end this early.  [generate]
        """
        chosen = {name: self.streams[name] for name in (self.streams if names is None else names)}
        start = {name: stream.n_frames for name, stream in chosen.items()}
        errors: dict[Hashable, Exception] = {}
        while True:
            waiting = [
                name
                for name, stream in chosen.items()
                if name not in errors and not stream.finished and stream.n_frames < start[name] + n_frames
            ]
            if not waiting:
                break
            reading, failed = _step([(name, chosen[name]) for name in waiting])
            errors.update(failed)
            if reading == len(waiting) and (reading < len(chosen) or enough()):
                break  # other lanes have their frames, and do not wait for prompts
        for name in errors:
            self.remove(name)
        return {
            name: LaneFrames(stream.codes(start[name]), stream.finished, errors.get(name))
            for name, stream in chosen.items()
        }

    def keep_warm(self) -> None:
        """Use a moment without requests for frames: see `Executor.keep_warm`.  [generate]"""
        for executor in {id(stream.executor): stream.executor for stream in self.streams.values()}.values():
            executor.keep_warm()


def _step(lanes: Sequence[tuple[Hashable, TokenStream]]) -> tuple[int, Faults]:
    """Take a step of every lane, or read a piece of its prompt; returns how many read one, and the exceptions."""
    faults: Faults = {}
    stepping: list[tuple[Hashable, TokenStream]] = []
    for name, stream in lanes:
        try:
            if stream.read_piece():
                stepping.append((name, stream))
        except Exception as error:
            faults[name] = error
    reading = len(lanes) - len(stepping) - len(faults)
    for (name, _), fault in zip(stepping, step_streams([stream for _, stream in stepping]), strict=True):
        if fault is not None:
            faults[name] = fault
    return reading, faults
