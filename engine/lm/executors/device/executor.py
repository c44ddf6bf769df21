"""Lanes that join and leave between steps, on one set of buffers and one runner. All of it [generate]."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from engine.lm.conditions import Conditions
from engine.lm.executors.base import StepRequest, WindowPasses
from engine.lm.executors.basic import BasicExecutor, draw_column
from engine.lm.executors.device.batch_slot import (
    BatchSlot,
    Numbers,
    give_conditions,
    give_rows,
    numbers_of,
    put_known_inputs,
    put_numbers,
    take_along,
)
from engine.lm.executors.device.buffers import BUCKET_POSITIONS, Buffers, BufferSizes, bucket_of, memory_bucket
from engine.lm.executors.device.runner import GraphRunner, PlainRunner, Runner
from engine.lm.executors.device.step import StepShape, take_step
from engine.lm.executors.fused import FusedBound, FusedStep, fuse
from engine.lm.model import LanguageModel
from engine.lm.state import LMState

WARM_SECONDS = 0.1  # a GPU that was idle for so long is given a step, so that its clocks stay up
Stepping = tuple[int, BatchSlot, StepRequest, Numbers]  # index of the request, its slot, itself, its numbers


class DeviceExecutor(BasicExecutor):
    """Takes the steps of all windows at once. A window that is not prefilled has no rows and keeps its own cache."""

    piece_frames = 100  # weights are read once for many frames: fewer passes

    def __init__(self, lm: LanguageModel, runner: Runner | None = None, cache_dtype: torch.dtype | None = None) -> None:
        """`runner` None: CUDA graphs on a CUDA device, plain calls elsewhere."""
        super().__init__(lm, cache_dtype)
        self.runner = runner or (GraphRunner(lm.device) if lm.device.type == "cuda" else PlainRunner())
        self._joined: tuple[object, ...] = ()
        self.weights = self._fresh_weights()
        self.buffers: Buffers | None = None
        self.worked_at = time.monotonic()
        self._slots: list[weakref.ref[BatchSlot]] = []

    def bind(self, state: LMState, conditions: Conditions, capacity_steps: int) -> FusedBound:
        """Weights for separate steps of the state, before its window has rows."""
        return FusedBound(self.lm, self.weights, conditions)

    def _fresh_weights(self) -> FusedStep:
        """The step's weights, regrouped again if embeddings or heads have changed (in training)."""
        stamp = tuple(map(_stamp, (*self.lm.emb, *self.lm.linears)))
        if stamp != self._joined:
            self._joined, self.weights = stamp, fuse(self.lm, None)
            self.runner.forget()
        return self.weights

    # -- joining and leaving ------------------------------------------------------------------------------

    def open(self, conditions: tuple[Conditions, ...], sequence: Tensor) -> BatchSlot:
        """The passes of a new window; nothing is read yet."""
        return BatchSlot(conditions, sequence)

    def slots(self) -> list[BatchSlot]:
        """Slots of the existing windows that have rows, by row."""
        there = [(reference, slot) for reference in self._slots if (slot := reference()) is not None]
        self._slots = [reference for reference, _ in there]
        return sorted((slot for _, slot in there), key=lambda slot: slot.row)

    def with_rows(self, passes: WindowPasses) -> BatchSlot:
        """Give a prefilled window rows, which hold its caches and sequence [K, S] from now on.

        Raises RuntimeError, and changes nothing, if the device has no memory for it.
        """
        slot = cast(BatchSlot, passes)
        if slot.row < 0:
            self._fresh_weights()
            placed = self.slots()
            row = _gap(placed, slot.rows)
            buffers = self._holding(slot.sizes, row + slot.rows, placed)
            give_rows(self.lm, slot, buffers, row)
            self._slots.append(weakref.ref(slot))
        return slot

    def _holding(self, sizes: BufferSizes, rows: int, placed: Sequence[BatchSlot]) -> Buffers:
        """Buffers of at least these sizes; if they have to grow, slots move to the new ones."""
        have = BufferSizes() if self.buffers is None else self.buffers.sizes
        need = have.holding(BufferSizes(rows, sizes.positions, sizes.steps, sizes.memory))
        if self.buffers is None or need != have:
            heads = self.weights.heads
            grown = Buffers.allocate(self.lm.config, need, heads.device, self.cache_dtype, heads.dtype)
            for slot in placed:
                give_rows(self.lm, slot, grown, slot.row)
            self.buffers = grown
            self.runner.forget()
        return self.buffers

    def _close_ranks(self, placed: list[BatchSlot]) -> list[BatchSlot]:
        """Move slots into earlier gaps, the last slot if it fits, so that no step computes unused rows."""
        assert self.buffers is not None
        while placed and placed[-1].row + placed[-1].rows > sum(slot.rows for slot in placed):
            mover = placed[-1]
            row = _gap(placed[:-1], mover.rows)
            if row + mover.rows > mover.row:
                row = _gap(placed, 1)
                mover = next(slot for slot in placed if slot.row > row)
                take_along(mover)  # its new rows and its old ones may overlap
            give_rows(self.lm, mover, self.buffers, row)
            placed = sorted(placed, key=lambda slot: slot.row)
        return placed

    @torch.inference_mode()
    def conditions_changed(self, passes: WindowPasses, first_row: int) -> None:
        """Read frame features again from a row on that no step has read, for all windows with these conditions."""
        frames = [conditions.frames for conditions in passes.conditions if conditions.frames is not None]
        for slot in self.slots() if passes.states else ():
            first = slot.row
            for state, own in zip(slot.states, slot.conditions, strict=True):
                if any(own.frames is each for each in frames) and self.buffers is not None:
                    rows = slice(first, first + state.rows)
                    put_known_inputs(self.lm, self.buffers, own, rows, slot.sequence.shape[1], first_row)
                first += state.rows

    @torch.inference_mode()
    def renew(self, passes: WindowPasses, conditions: tuple[Conditions, ...]) -> None:
        """Take a window's coming steps with other conditions; a window with rows has its memory there."""
        super().renew(passes, conditions)
        slot = cast(BatchSlot, passes)
        if slot.row >= 0 and self.buffers is not None:
            give_conditions(self.lm, slot, self.buffers)

    # -- steps --------------------------------------------------------------------------------------------

    def take(self, requests: Sequence[StepRequest]) -> list[Exception | None]:
        """Take one step of these windows and draw their next columns on the device, without waiting.

        ValueError for a window at its end, or guidance that does not match its rows. If the step itself fails, it
        fails for all windows and none has moved.
        """
        faults: list[Exception | None] = [None] * len(requests)
        stepping: list[Stepping] = []
        for place, request in enumerate(requests):
            try:
                if request.first_logits is None:
                    slot = self.with_rows(request.passes)
                    slot.check()
                    stepping.append((place, slot, request, numbers_of(request, slot.rows)))
                else:
                    faults[place] = draw_column(request, request.first_logits)
            except Exception as error:
                faults[place] = error
        try:
            if stepping:
                self._take(stepping)
        except Exception as error:
            for place, *_ in stepping:
                faults[place] = error
        return faults

    def _take(self, stepping: Sequence[Stepping]) -> None:
        slots = [slot for _, slot, *_ in stepping]
        self._prepare(slots, draws=True)
        assert self.buffers is not None
        for _, slot, request, numbers in stepping:
            put_numbers(self.buffers, slot, numbers)
            if not request.sampling.greedy:
                self.buffers.noise[slot.row].uniform_(generator=request.generator)
        self._run(slots, draws=True)
        for slot in slots:
            slot.written["at"] = slot.step

    def logits(self, windows: Sequence[WindowPasses]) -> list[Tensor | Exception]:
        """Logits [R, K, card] of each window's next step; the caller then writes its next column."""
        made: dict[int, Tensor | Exception] = {}
        stepping: dict[int, BatchSlot] = {}
        for place, window in enumerate(windows):
            try:
                slot = self.with_rows(window)
                slot.check()
                stepping[place] = slot
            except Exception as error:
                made[place] = error
        try:
            made |= dict(zip(stepping, self._logits(list(stepping.values())), strict=True))
        except Exception as error:
            made |= dict.fromkeys(stepping, error)
        return [made[place] for place in range(len(windows))]

    def _logits(self, slots: Sequence[BatchSlot]) -> list[Tensor]:
        if not slots:
            return []
        self._prepare(slots, draws=False)
        assert self.buffers is not None
        self._run(slots, draws=False)
        return [self.buffers.logits[slot.row : slot.row + slot.rows].clone() for slot in slots]

    def _prepare(self, slots: Sequence[BatchSlot], draws: bool) -> None:
        buffers, shape = self.buffers, self._shape(slots, draws, self._close_ranks(self.slots()))
        assert buffers is not None
        if not self.runner.ready(shape):
            self._set_active(self.slots(), set())
            self.runner.prepare(shape, self._call(shape))

    def _run(self, slots: Sequence[BatchSlot], draws: bool) -> None:
        assert self.buffers is not None
        placed = self.slots()
        self._set_active(placed, {id(slot) for slot in slots})
        shape = self._shape(slots, draws, placed)
        self.runner.run(shape, self._call(shape))
        self.worked_at = time.monotonic()
        for slot in slots:
            slot.advance()

    def _call(self, shape: StepShape) -> partial[None]:
        assert self.buffers is not None
        return partial(take_step, self.lm, self.weights, self.buffers, shape)

    def shape_of(self, slots: Sequence[BatchSlot]) -> StepShape:
        """The shape of the next step of these slots."""
        return self._shape(slots, True, self.slots())

    def _shape(self, slots: Sequence[BatchSlot], draws: bool, placed: Sequence[BatchSlot]) -> StepShape:
        rows = max(slot.row + slot.rows for slot in placed)
        positions = bucket_of(max(slot.filled for slot in slots))
        return StepShape(rows, positions, memory_bucket(max(slot.vectors for slot in placed)), draws)

    def _set_active(self, placed: Sequence[BatchSlot], taking: set[int]) -> None:
        """Set on the device which slots (by id) take the next step, and the position of each."""
        assert self.buffers is not None
        for slot in placed:
            put_numbers(self.buffers, slot, {"at": slot.step, "active": id(slot) in taking})

    # -- preparation ----------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Prepare every cache bucket for the rows in use."""
        placed, buffers = self._close_ranks(self.slots()) if self.buffers else [], self.buffers
        if not placed or buffers is None:
            return
        self._set_active(placed, set())
        buckets = range(BUCKET_POSITIONS, buffers.sizes.positions + 1, BUCKET_POSITIONS)
        known = self._shape(placed, True, placed)
        for positions in buckets:
            shape = StepShape(known.rows, positions, known.memory)
            self.runner.prepare(shape, self._call(shape))

    def keep_warm(self) -> None:
        """Use a moment in which all lanes are ahead.

        Prepares the next shape that the lanes will need, one per call. With nothing to prepare, and if the device was
        idle for a while, runs a step that no lane takes.
        """
        placed = self._close_ranks(self.slots()) if self.buffers else []
        if not placed or self.buffers is None:
            return
        here = self._shape(placed, True, placed)
        ahead = replace(here, positions=min(here.positions + BUCKET_POSITIONS, self.buffers.sizes.positions))
        missing = next((shape for shape in (here, ahead) if not self.runner.ready(shape)), None)
        if missing is None and time.monotonic() - self.worked_at < WARM_SECONDS:
            return
        self._set_active(placed, set())
        run = self.runner.run if missing is None else self.runner.prepare
        run(missing or here, self._call(missing or here))
        self.worked_at = time.monotonic()


def _stamp(holder: torch.nn.Module) -> tuple[int, int]:
    """Identifies a module's weight: its address, and how often it was written."""
    weight = cast(Tensor, holder.weight)
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


def _gap(placed: Sequence[BatchSlot], rows: int) -> int:
    """First row from which `rows` rows are free; `placed` is sorted by row."""
    row = 0
    for slot in placed:
        if slot.row - row >= rows:
            break
        row = slot.row + slot.rows
    return row
