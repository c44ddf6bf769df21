"""Which rows of the buffers a window has, what stands in them, and moving it.

A slot is freed with its last reference (its window's): no lane has to say that it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from engine.lm.conditions import Conditions
from engine.lm.executors.base import StepRequest, WindowPasses
from engine.lm.executors.device.buffers import Buffers, BufferSizes
from engine.lm.model import LanguageModel
from engine.lm.state import LMState

Numbers = dict[str, float]  # by the name of a buffer


@dataclass(eq=False)
class BatchSlot(WindowPasses):
    """A window's rows from `row` on: those of its states, one after the other (two for two-step guidance).

    `row` is -1 until its first step is taken. From then on `states` and `sequence` are views of the buffers; `told` is
    what its head row's numbers say there.
    """

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


def numbers_of(request: StepRequest, rows: int) -> Numbers:
    """Of the head row of a window that has so many rows.

    Raises ValueError where rows and guidance do not belong together.  [generate]
    """
    drawn, guidance = request.sampling, request.guidance
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
def give_rows(lm: LanguageModel, slot: BatchSlot, buffers: Buffers, row: int) -> None:
    """Copy all that a slot has to rows `row` on of the buffers, and let it stand there.  [generate]"""
    first, steps = row, slot.sequence.shape[1]
    for state, conditions in zip(slot.states, slot.conditions, strict=True):
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
    sequence.copy_(slot.sequence)
    rows = slice(row, first)
    buffers.head[rows] = row
    buffers.middle[rows] = row + 1 if first - row == 3 else row
    buffers.null[rows] = first - 1
    buffers.active[rows] = False
    slot.sequence, slot.row, slot.told = sequence, row, {}


def hear(
    lm: LanguageModel, buffers: Buffers, conditions: Conditions, rows: slice, steps: int, first_row: int = 0
) -> None:
    """Work out what is added to the inputs of some rows from step `first_row` on.  [generate]"""
    known = lm.known_inputs(conditions, steps, rows.stop - rows.start)
    buffers.known[rows, first_row:steps] = known[:, first_row:]


def tell(buffers: Buffers, slot: BatchSlot, numbers: Numbers) -> None:
    """Write those of a head row's numbers that have changed; nothing waits for it.  [generate]"""
    for name, number in numbers.items():
        if slot.told.get(name) != number:
            getattr(buffers, name)[slot.row].fill_(number)
            slot.told[name] = number


def take_along(slot: BatchSlot) -> None:
    """Give a slot memory of its own, until it is given rows again.  [generate]"""
    for state in slot.states:
        state.cache = state.cache.clone()
    slot.sequence = slot.sequence.clone()


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
