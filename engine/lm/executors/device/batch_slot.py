"""A window's rows in the buffers: their content, and moving it.

A slot is freed with its last reference (its window's), so no lane has to leave explicitly.
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
    """A window's rows from `row` on: those of its states in order (two for two-step guidance).

    `row` is -1 until its first step. From then on `states` and `sequence` are views of the buffers; `written` holds the
    numbers that were written to its head row.
    """

    row: int = -1
    written: Numbers = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of all its states.  [generate]"""
        return sum(state.rows for state in self.states)

    @property
    def step(self) -> int:
        """The step whose column the next step reads.  [generate]"""
        return self.states[0].step

    @property
    def filled(self) -> int:
        """Positions that its next step reads, including the new one.  [generate]"""
        return 1 + max(state.length for state in self.states)

    @property
    def vectors(self) -> int:
        """Vectors of its longest memory, 0 without one.  [generate]"""
        return max(_vectors(state) for state in self.states)

    @property
    def sizes(self) -> BufferSizes:
        """The buffer sizes that it needs.  [generate]"""
        positions = max(state.capacity for state in self.states)
        return BufferSizes(self.rows, positions, self.sequence.shape[1], self.vectors)

    def check(self) -> None:
        """ValueError if no step is left.  [generate]"""
        if self.step + 1 >= self.sequence.shape[1]:
            raise ValueError(f"the window has {self.sequence.shape[1]} steps, all of them are taken")

    def advance(self) -> None:
        """Advance its states by a step.  [generate]"""
        for state in self.states:
            state.step, state.length = state.step + 1, state.length + 1


def numbers_of(request: StepRequest, rows: int) -> Numbers:
    """The numbers of the head row of a window of `rows` rows.

    Raises ValueError if rows and guidance do not match.  [generate]
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
    """Move all data of a slot to rows `row` on of the buffers.  [generate]"""
    first, steps = row, slot.sequence.shape[1]
    for state, conditions in zip(slot.states, slot.conditions, strict=True):
        here = slice(first, first + state.rows)
        cache = buffers.cache[:, :, here, :, : state.capacity]
        cache[..., : state.length, :] = state.cache[..., : state.length, :]
        state.cache = cache
        _copy_memory(state, buffers, here)
        put_known_inputs(lm, buffers, conditions, here, steps)
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
    slot.sequence, slot.row, slot.written = sequence, row, {}


@torch.inference_mode()
def give_conditions(lm: LanguageModel, slot: BatchSlot, buffers: Buffers) -> None:
    """Write a slot's memory and known inputs, which have changed, to its rows.  [generate]"""
    first = slot.row
    for state, conditions in zip(slot.states, slot.conditions, strict=True):
        here = slice(first, first + state.rows)
        _copy_memory(state, buffers, here)
        put_known_inputs(lm, buffers, conditions, here, slot.sequence.shape[1])
        first += state.rows


def put_known_inputs(
    lm: LanguageModel, buffers: Buffers, conditions: Conditions, rows: slice, steps: int, first_row: int = 0
) -> None:
    """Compute the known inputs of some rows from step `first_row` on.  [generate]"""
    known = lm.known_inputs(conditions, steps, rows.stop - rows.start)
    buffers.known[rows, first_row:steps] = known[:, first_row:]


def put_numbers(buffers: Buffers, slot: BatchSlot, numbers: Numbers) -> None:
    """Write the changed numbers of a head row, without waiting.  [generate]"""
    for name, number in numbers.items():
        if slot.written.get(name) != number:
            getattr(buffers, name)[slot.row].fill_(number)
            slot.written[name] = number


def take_along(slot: BatchSlot) -> None:
    """Give a slot its own memory, until it is given rows again.  [generate]"""
    for state in slot.states:
        state.cache = state.cache.clone()
    slot.sequence = slot.sequence.clone()


def _vectors(state: LMState) -> int:
    return state.cross_kv[0][0].shape[2] if state.cross_kv else 0


def _copy_memory(state: LMState, buffers: Buffers, rows: slice) -> None:
    if buffers.memory is None:
        return
    buffers.memory[:, :, rows] = 0.0  # a row without a memory attends to one vector of zeros, which adds nothing
    if state.cross_kv:
        count = _vectors(state)
        for index, (keys, values) in enumerate(state.cross_kv):
            buffers.memory[index, 0, rows, :, :count] = keys
            buffers.memory[index, 1, rows, :, :count] = values
