"""Lanes: streams that begin and end at different times and advance together.

On a processor native code takes the steps of all lanes of a model in one call that reads each weight once; each row is
reckoned by itself, so a lane's tokens are the same to the last bit whatever plays beside it. Without native code every
lane takes its own step. On a GPU all take one together too (`executors.device`); values differ from those alone by
rounding at most. Prompts are read a piece at a time, one step of the others between two pieces, and who has its
frames is not kept waiting for them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.lm import LanguageModel
from engine.lm.executors.device import BatchSlot, StepRequest
from engine.lm.executors.joint import JointStep, step_states
from engine.stream.tokens import TokenStream
from engine.stream.window import Window


def step_windows(windows: Sequence[Window]) -> list[Tensor | Exception]:
    """Logits [R, K, card] of each window's next step; an exception for a lane that failed.  [generate]"""
    results: dict[int, Tensor | Exception] = {}
    seated: list[tuple[int, BatchSlot, LanguageModel]] = []
    asking: dict[int, list[JointStep]] = {}
    for index, window in enumerate(windows):
        try:
            seat = window.sit()
            if seat is not None:
                seated.append((index, seat, window.lm))
            elif window.next_step:
                asking[index] = window.asks()
            else:
                results[index] = window.logits()
        except Exception as error:
            results[index] = error
    for lm in {id(lm): lm for *_, lm in seated}.values():
        own = [(index, seat) for index, seat, its in seated if its is lm]
        for (index, _), logits in zip(own, _logits_together(lm, [seat for _, seat in own]), strict=True):
            results[index] = logits
    every = iter(step_states([ask for asks in asking.values() for ask in asks]))
    for index, asks in asking.items():
        results[index] = _joined([next(every) for _ in asks])
    return [results[index] for index in range(len(windows))]


def _joined(parts: Sequence[Tensor | Exception]) -> Tensor | Exception:
    """Logits of all passes of a window, or the first thing that went wrong."""
    good = [part for part in parts if isinstance(part, Tensor)]
    if len(good) == len(parts):
        return good[0] if len(good) == 1 else torch.cat(good)
    return next(part for part in parts if isinstance(part, Exception))


def _logits_together(lm: LanguageModel, seats: Sequence[BatchSlot]) -> Sequence[Tensor | Exception]:
    """Logits of seats in one step; where that fails, its exception for each."""
    assert lm.device_step is not None
    try:
        return lm.device_step.logits(seats)
    except Exception as error:
        return [error] * len(seats)


@dataclass(frozen=True)
class LaneFrames:
    """What a lane gained: codes [K, n] int64, whether it is at its end, what went wrong.  [generate]"""

    codes: Tensor
    finished: bool
    error: Exception | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there is more to come."""
        return not self.finished and self.error is None

    def and_then(self, more: LaneFrames) -> LaneFrames:
        """These and what followed them."""
        return LaneFrames(torch.cat([self.codes, more.codes], dim=1), more.finished, more.error)


class LaneBatch:
    """Streams by name, advanced in lock step; a lane that fails is dropped alone."""

    def __init__(self) -> None:
        self.streams: dict[Hashable, TokenStream] = {}

    def add(self, name: Hashable, stream: TokenStream) -> None:
        """Let a stream take part from the next step on; replaces one of the same name.  [generate]"""
        self.streams[name] = stream

    def remove(self, name: Hashable) -> TokenStream | None:
        """Take a stream out; its codes stay with it.  [generate]"""
        return self.streams.pop(name, None)

    def advance(
        self,
        n_frames: int,
        names: Iterable[Hashable] | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> dict[Hashable, LaneFrames]:
        """Complete up to `n_frames` more of each named lane (None = all); finished lanes yield what is left.

        A lane that still reads its prompt when the others have their frames is not waited for. One that raises is
        removed; its exception comes with the frames it still completed. `enough` is asked while prompts alone are
        read, and may end it sooner.  [generate]
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
                break  # others have what they wanted, and are not kept waiting for prompts
        for name in errors:
            self.remove(name)
        return {
            name: LaneFrames(stream.codes(start[name]), stream.finished, errors.get(name))
            for name, stream in chosen.items()
        }

    def keep_warm(self) -> None:
        """Nobody wants frames now, but somebody soon will: see `DeviceStepper.keep_warm`.  [generate]"""
        for lm in {id(stream.lm): stream.lm for stream in self.streams.values()}.values():
            if lm.device_step is not None:
                lm.device_step.keep_warm()


Faults = dict[Hashable, Exception]


def _step(lanes: Sequence[tuple[Hashable, TokenStream]]) -> tuple[int, Faults]:
    """One step of every lane, or a piece of its prompt; how many read one, and the exceptions of those that failed."""
    faults: Faults = {}
    reading = 0
    alone: list[tuple[Hashable, TokenStream]] = []
    together: dict[int, list[tuple[Hashable, TokenStream, StepRequest]]] = {}
    for name, stream in lanes:
        try:
            if not stream.read_piece():
                reading += 1
                continue
            turn = stream.turn()
            if turn is None:
                alone.append((name, stream))
            else:
                turn.numbers()  # a lane whose own numbers are wrong fails alone
                together.setdefault(id(stream.lm), []).append((name, stream, turn))
        except Exception as error:
            faults[name] = error
    faults.update(_step_each(alone))
    for group in together.values():
        faults.update(_step_together(group))
    return reading, faults


def _step_each(lanes: Sequence[tuple[Hashable, TokenStream]]) -> Faults:
    """One step of lanes that sit nowhere."""
    faults: Faults = {}
    logits = step_windows([stream.open_window() for _, stream in lanes])
    for (name, stream), made in zip(lanes, logits, strict=True):
        try:
            if isinstance(made, Exception):
                raise made
            stream.write(made)
        except Exception as error:
            faults[name] = error
    return faults


def _step_together(lanes: Sequence[tuple[Hashable, TokenStream, StepRequest]]) -> Faults:
    """One step of lanes of one model."""
    stepper = lanes[0][1].lm.device_step
    assert stepper is not None
    try:
        stepper.step([turn for *_, turn in lanes])
    except Exception as error:
        return {name: error for name, *_ in lanes}
    faults: Faults = {}
    for name, stream, _ in lanes:
        try:
            stream.was_drawn()
        except Exception as error:
            faults[name] = error
    return faults
