"""Which rows of the buffers a window has, what stands in them, and moving it.

A seat is freed with its last reference (its window's): no lane has to say that it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm.conditions import Conditions
from engine.lm.executors.device.buffers import Buffers, BufferSizes
from engine.lm.state import LMState

if TYPE_CHECKING:
    from engine.lm.model import LanguageModel

Numbers = dict[str, float]  # by the name of a buffer


@dataclass(eq=False)
class BatchSlot:
    """A window's rows from `row` on: those of its states, one after the other (two for two-step guidance).

    `states` and `sequence` are views of the buffers while it sits; `told` is what its head row's numbers say there.
    """

    states: tuple[LMState, ...]
    conditions: tuple[Conditions, ...]
    sequence: Tensor  # [K, S]
    row: int = -1
    told: Numbers = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Of all its states.  [generate]"""
        return sum(state.rows for state in self.states)

    @property
    def step(self) -> int:
        """The step whose column is read next.  [generate]"""
        return self.states[0].step

    @property
    def filled(self) -> int:
        """Positions that its next step reads, the new one counted in.  [generate]"""
        return 1 + max(state.length for state in self.states)

    @property
    def vectors(self) -> int:
        """Of its longest memory, 0 without one.  [generate]"""
        return max(_vectors(state) for state in self.states)

    @property
    def sizes(self) -> BufferSizes:
        """What it needs.  [generate]"""
        positions = max(state.capacity for state in self.states)
        return BufferSizes(self.rows, positions, self.sequence.shape[1], self.vectors)

    def check(self) -> None:
        """ValueError where there is no step left to take.  [generate]"""
        if self.step + 1 >= self.sequence.shape[1]:
            raise ValueError(f"the window has {self.sequence.shape[1]} steps, all of them are taken")

    def advance(self) -> None:
        """A step was taken.  [generate]"""
        for state in self.states:
            state.step, state.length = state.step + 1, state.length + 1


@dataclass(frozen=True)
class StepRequest:
    """A seat that takes a step, and how its next column is drawn.  [generate]"""

    seat: BatchSlot
    sampling: Sampling
    guidance: Guidance
    generator: torch.Generator

    def numbers(self) -> Numbers:
        """Of its head row.  Raises ValueError where rows and guidance do not belong together.  [generate]"""
        drawn, guidance, rows = self.sampling, self.guidance, self.seat.rows
        if rows > 3 or (rows == 3 and guidance.cfg_coef_beta is None):
            raise ValueError(f"guidance got {rows} rows, needs {guidance.rows} (or 1 for none)")
        return {
            "cfg": guidance.cfg_coef,
            "beta": guidance.cfg_coef_beta or 0.0,
            "temperature": 1.0 if drawn.greedy else drawn.temperature,
            "top_k": drawn.top_k,
            "top_p": drawn.top_p,
            "greedy": drawn.greedy,
        }


@torch.inference_mode()
def sit_down(lm: LanguageModel, seat: BatchSlot, buffers: Buffers, row: int) -> None:
    """Copy all that a seat has to rows `row` on, and let it stand there.  [generate]"""
    first, steps = row, seat.sequence.shape[1]
    for state, conditions in zip(seat.states, seat.conditions, strict=True):
        here = slice(first, first + state.rows)
        cache = buffers.cache[:, :, here, :, : state.capacity]
        cache[..., : state.length, :] = state.cache[..., : state.length, :]
        state.cache = cache
        _copy_memory(state, buffers, here)
        hear(lm, buffers, conditions, here, steps)
        buffers.prefix[here] = state.length - state.step
        buffers.vectors[here] = _vectors(state)
        first += state.rows
    sequence = buffers.sequence[row, :, :steps]
    sequence.copy_(seat.sequence)
    rows = slice(row, first)
    buffers.head[rows] = row
    buffers.middle[rows] = row + 1 if first - row == 3 else row
    buffers.null[rows] = first - 1
    buffers.active[rows] = False
    seat.sequence, seat.row, seat.told = sequence, row, {}


def hear(
    lm: LanguageModel, buffers: Buffers, conditions: Conditions, rows: slice, steps: int, first_row: int = 0
) -> None:
    """Work out what is added to the inputs of some rows from step `first_row` on.  [generate]"""
    known = lm.known_inputs(conditions, steps, rows.stop - rows.start)
    buffers.known[rows, first_row:steps] = known[:, first_row:]


def tell(buffers: Buffers, seat: BatchSlot, numbers: Numbers) -> None:
    """Write those of a head row's numbers that have changed; nothing waits for it.  [generate]"""
    for name, number in numbers.items():
        if seat.told.get(name) != number:
            getattr(buffers, name)[seat.row].fill_(number)
            seat.told[name] = number


def take_along(seat: BatchSlot) -> None:
    """Give a seat memory of its own, until it sits down again.  [generate]"""
    for state in seat.states:
        state.cache = state.cache.clone()
    seat.sequence = seat.sequence.clone()


def _vectors(state: LMState) -> int:
    return state.cross_kv[0][0].shape[2] if state.cross_kv else 0


def _copy_memory(state: LMState, buffers: Buffers, rows: slice) -> None:
    if buffers.memory is None:
        return
    buffers.memory[:, :, rows] = 0.0  # a row without a memory looks at one vector of zeros, which adds nothing
    if state.cross_kv:
        count = _vectors(state)
        for index, (keys, values) in enumerate(state.cross_kv):
            buffers.memory[index, 0, rows, :, :count] = keys
            buffers.memory[index, 1, rows, :, :count] = values
