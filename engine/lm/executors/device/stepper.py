"""Lanes that join and leave between steps, on one set of buffers and one runner. All of it [generate]."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from engine.lm.conditions import Conditions
from engine.lm.executors import fused
from engine.lm.executors.device.batch_slot import BatchSlot, StepRequest, hear, sit_down, take_along, tell
from engine.lm.executors.device.buffers import BUCKET_POSITIONS, Buffers, BufferSizes, bucket_of, memory_bucket
from engine.lm.executors.device.runner import GraphRunner, PlainRunner, Runner
from engine.lm.executors.device.step import StepShape, take_step
from engine.lm.state import LMState

if TYPE_CHECKING:
    from engine.lm.executors.fused import FusedStep
    from engine.lm.model import LanguageModel

WARM_SECONDS = 0.1  # a GPU that has done nothing for so long is given a step, so that its clocks stay up


class DeviceStepper:
    """Takes the steps of all windows of one model. What is not prefilled yet has no seat and keeps its own cache."""

    def __init__(self, lm: LanguageModel, runner: Runner | None = None) -> None:
        """`runner` None: CUDA graphs on a CUDA device, plain calls elsewhere."""
        self.lm = lm
        device = lm.out_norm.weight.device
        self.runner = runner or (GraphRunner(device) if device.type == "cuda" else PlainRunner())
        self._joined: tuple[object, ...] = ()
        self.weights = self._fresh_weights()
        self.buffers: Buffers | None = None
        self.worked_at = time.monotonic()
        self._seats: list[weakref.ref[BatchSlot]] = []

    def _fresh_weights(self) -> FusedStep:
        """The weights as the step takes them: made anew where embeddings or heads have changed (in training)."""
        stamp = tuple(map(_stamp, (*self.lm.emb, *self.lm.linears)))
        if stamp != self._joined:
            self._joined, self.weights = stamp, fused.fuse(self.lm, None)
            self.runner.forget()
        return self.weights

    # -- joining and leaving ------------------------------------------------------------------------------

    def seats(self) -> list[BatchSlot]:
        """Of windows that are still there, by row."""
        there = [(reference, seat) for reference in self._seats if (seat := reference()) is not None]
        self._seats = [reference for reference, _ in there]
        return sorted((seat for _, seat in there), key=lambda seat: seat.row)

    def seat(self, states: Sequence[LMState], conditions: Sequence[Conditions], sequence: Tensor) -> BatchSlot:
        """Rows for a prefilled window, whose caches and sequence [K, S] lie there from now on.

        Raises RuntimeError where the device has no memory for it; nothing has changed then.
        """
        self._fresh_weights()
        seat = BatchSlot(tuple(states), tuple(conditions), sequence)
        sitting = self.seats()
        row = _gap(sitting, seat.rows)
        buffers = self._holding(seat.sizes, row + seat.rows, sitting)
        sit_down(self.lm, seat, buffers, row)
        self._seats.append(weakref.ref(seat))
        return seat

    def _holding(self, sizes: BufferSizes, rows: int, sitting: Sequence[BatchSlot]) -> Buffers:
        """Buffers with so much room; who sits moves along where they have to grow."""
        have = BufferSizes() if self.buffers is None else self.buffers.sizes
        need = have.holding(BufferSizes(rows, sizes.positions, sizes.steps, sizes.memory))
        if self.buffers is None or need != have:
            dtype = self.lm.cache_dtype or self.lm.out_norm.weight.dtype
            heads = self.weights.heads
            grown = Buffers.allocate(self.lm.config, need, heads.device, dtype, heads.dtype)
            for seat in sitting:
                sit_down(self.lm, seat, grown, seat.row)
            self.buffers = grown
            self.runner.forget()
        return self.buffers

    def _close_ranks(self, sitting: list[BatchSlot]) -> list[BatchSlot]:
        """Move seats into gaps in front, so that no step computes rows that belong to nobody: the last, if it fits."""
        assert self.buffers is not None
        while sitting and sitting[-1].row + sitting[-1].rows > sum(seat.rows for seat in sitting):
            mover = sitting[-1]
            row = _gap(sitting[:-1], mover.rows)
            if row + mover.rows > mover.row:
                row = _gap(sitting, 1)
                mover = next(seat for seat in sitting if seat.row > row)
                take_along(mover)  # its new rows and its old ones may be the same in part
            sit_down(self.lm, mover, self.buffers, row)
            sitting = sorted(sitting, key=lambda seat: seat.row)
        return sitting

    def hear_anew(self, conditions: Conditions, first_row: int) -> None:
        """Frame features have changed from a row on that no step has read: for all that hear these conditions."""
        for seat in self.seats():
            first = seat.row
            for state, own in zip(seat.states, seat.conditions, strict=True):
                if own.frames is not None and own.frames is conditions.frames and self.buffers is not None:
                    rows = slice(first, first + state.rows)
                    with torch.inference_mode():
                        hear(self.lm, self.buffers, own, rows, seat.sequence.shape[1], first_row)
                first += state.rows

    # -- steps --------------------------------------------------------------------------------------------

    def step(self, turns: Sequence[StepRequest]) -> None:
        """One step of these seats, their next columns drawn into their sequences; the host waits for nothing.

        Raises ValueError for a seat at its end or guidance that does not fit its rows; no seat has moved then.
        """
        numbers = [turn.numbers() for turn in turns]
        self._prepare([turn.seat for turn in turns], draws=True)
        assert self.buffers is not None
        for turn, own in zip(turns, numbers, strict=True):
            tell(self.buffers, turn.seat, own)
            if not turn.sampling.greedy:
                self.buffers.noise[turn.seat.row].uniform_(generator=turn.generator)
        self._run([turn.seat for turn in turns], draws=True)
        for turn in turns:
            turn.seat.told["at"] = turn.seat.step

    def logits(self, seats: Sequence[BatchSlot]) -> list[Tensor]:
        """Logits [R, K, card] of the next step of each seat, whose next column is then to be written."""
        self._prepare(seats, draws=False)
        assert self.buffers is not None
        self._run(seats, draws=False)
        return [self.buffers.logits[seat.row : seat.row + seat.rows].clone() for seat in seats]

    def _prepare(self, seats: Sequence[BatchSlot], draws: bool) -> None:
        for seat in seats:
            seat.check()
        buffers, shape = self.buffers, self._shape(seats, draws, self._close_ranks(self.seats()))
        assert buffers is not None
        if not self.runner.ready(shape):
            self._set_active(self.seats(), set())
            self.runner.prepare(shape, self._call(shape))

    def _run(self, seats: Sequence[BatchSlot], draws: bool) -> None:
        assert self.buffers is not None
        sitting = self.seats()
        self._set_active(sitting, {id(seat) for seat in seats})
        shape = self._shape(seats, draws, sitting)
        self.runner.run(shape, self._call(shape))
        self.worked_at = time.monotonic()
        for seat in seats:
            seat.advance()

    def _call(self, shape: StepShape) -> partial[None]:
        assert self.buffers is not None
        return partial(take_step, self.lm, self.weights, self.buffers, shape)

    def shape_of(self, seats: Sequence[BatchSlot]) -> StepShape:
        """The shape of the next step of these seats."""
        return self._shape(seats, True, self.seats())

    def _shape(self, seats: Sequence[BatchSlot], draws: bool, sitting: Sequence[BatchSlot]) -> StepShape:
        rows = max(seat.row + seat.rows for seat in sitting)
        positions = bucket_of(max(seat.filled for seat in seats))
        return StepShape(rows, positions, memory_bucket(max(seat.vectors for seat in sitting)), draws)

    def _set_active(self, sitting: Sequence[BatchSlot], taking: set[int]) -> None:
        """Tell the device which seats (by id) take the next step, and where all of them stand."""
        assert self.buffers is not None
        for seat in sitting:
            tell(self.buffers, seat, {"at": seat.step, "active": id(seat) in taking})

    # -- beforehand, and meanwhile ------------------------------------------------------------------------

    def capture(self) -> int:
        """Prepare every cache bucket for the rows that sit now; how many shapes are ready then."""
        sitting, buffers = self._close_ranks(self.seats()) if self.buffers else [], self.buffers
        if not sitting or buffers is None:
            return 0
        self._set_active(sitting, set())
        buckets = range(BUCKET_POSITIONS, buffers.sizes.positions + 1, BUCKET_POSITIONS)
        known = self._shape(sitting, True, sitting)
        for positions in buckets:
            shape = StepShape(known.rows, positions, known.memory)
            self.runner.prepare(shape, self._call(shape))
        return len(buckets)

    def keep_warm(self) -> bool:
        """Use a moment in which all lanes are ahead; whether something was done.

        The shape that the lanes come to next is prepared, one a call. Where there is nothing to prepare and the device
        has done nothing for a while, it takes a step that is nobody's.
        """
        sitting = self._close_ranks(self.seats()) if self.buffers else []
        if not sitting or self.buffers is None:
            return False
        here = self._shape(sitting, True, sitting)
        ahead = replace(here, positions=min(here.positions + BUCKET_POSITIONS, self.buffers.sizes.positions))
        missing = next((shape for shape in (here, ahead) if not self.runner.ready(shape)), None)
        if missing is None and time.monotonic() - self.worked_at < WARM_SECONDS:
            return False
        self._set_active(sitting, set())
        run = self.runner.run if missing is None else self.runner.prepare
        run(missing or here, self._call(missing or here))
        self.worked_at = time.monotonic()
        return True


def _stamp(holder: torch.nn.Module) -> tuple[int, int]:
    """What changes with a module's weight: where it lies, and how often it was written to."""
    weight = cast(Tensor, holder.weight)
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


def _gap(sitting: Sequence[BatchSlot], rows: int) -> int:
    """First row from which `rows` are free, seats given by row."""
    row = 0
    for seat in sitting:
        if seat.row - row >= rows:
            break
        row = seat.row + seat.rows
    return row
