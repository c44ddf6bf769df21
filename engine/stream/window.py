"""One window of one stream: a fresh cache, a prompt, and the steps that fill the rest.

    step          0   1   2   3   4   5   6   7   8          T = 5 frames, prompt P = 2, delays 0 1 2 3
    codebook 0    .   p   p   ?   ?   ?   .   .   .          `.` special, `p` prompt, `?` to be drawn
    codebook 1    .   .   p   p   ?   ?   ?   .   .
    codebook 2    .   .   .   p   p   ?   ?   ?   .
    codebook 3    .   .   .   .   p   p   ?   ?   ?
                  |-- prefill --|                            first call: steps 0..P, logits of step P + 1

Prompt codes that lie after step P because of the delay are kept; frame t is complete after step t + 1 +
max(delays).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.core.delay import delay
from engine.lm import Conditions, LanguageModel, LMState
from engine.lm.executors.device import BatchSlot
from engine.lm.executors.joint import JointStep

PIECE_STEPS = 128  # of a prompt that are read at once; other lanes step between two pieces
_UNKNOWN = -1


@dataclass(frozen=True)
class WindowSize:
    """How many frames a window sees and by how many it rolls (the reference: 1500 and 900).  [any]"""

    window_frames: int = 1500
    stride_frames: int = 900

    def __post_init__(self) -> None:
        if not 0 < self.stride_frames < self.window_frames:
            raise ValueError(
                f"stride_frames is {self.stride_frames}, must be 1 to {self.window_frames - 1} (window_frames - 1)"
            )

    @property
    def keep_frames(self) -> int:
        """Frames a rolled window begins with, taken from the one before.  [any]"""
        return self.window_frames - self.stride_frames


class Window:
    """Fills one delayed sequence step by step; `logits` and `write` alternate until `done`."""

    def __init__(self, lm: LanguageModel, conditions: Sequence[Conditions], prompt: Tensor, n_frames: int) -> None:
        """Prompt codes [K, P] int64, P < `n_frames`; one `Conditions` per pass (two for two-step guidance).

        Raises ValueError when the prompt does not leave a frame to fill.  [generate]
        """
        prompt_frames = prompt.shape[-1]
        if not prompt_frames < n_frames:
            raise ValueError(f"prompt has {prompt_frames} frames, the window only {n_frames}")
        config = lm.config
        codes = prompt.new_full((config.n_codebooks, n_frames), _UNKNOWN)
        codes[:, :prompt_frames] = prompt
        self.lm = lm
        self.n_frames = n_frames
        self.prompt_frames = prompt_frames
        self._sequence = delay(codes, config.delays, config.special)
        self.seat: BatchSlot | None = None  # its rows, where steps of several windows are taken together
        self.conditions = tuple(conditions)
        self.states: tuple[LMState, ...] = ()
        self.next_step = 0  # the step that the next `write` fills; 0 = nothing prefilled yet

    @property
    def sequence(self) -> Tensor:
        """[K, S], delayed.  [generate]"""
        return self._sequence if self.seat is None else self.seat.sequence

    @sequence.setter
    def sequence(self, tokens: Tensor) -> None:
        if self.seat is None:
            self._sequence = tokens
        else:
            self.seat.sequence.copy_(tokens)

    @property
    def n_steps(self) -> int:
        """S, steps of the whole sequence.  [generate]"""
        return self.sequence.shape[-1]

    @property
    def done(self) -> bool:
        """True when every step is written.  [generate]"""
        return self.next_step >= self.n_steps

    @property
    def complete_frames(self) -> int:
        """Frames from the window's start, prompt included, whose K codes are all known.  [generate]"""
        return max(self.prompt_frames, self.next_step - 1 - self.lm.config.max_delay)

    def codes(self, start: int, stop: int) -> Tensor:
        """Codes [K, stop - start] of complete frames, counted from the window's start.  [generate]"""
        rows = [self.sequence[k, 1 + lag + start : 1 + lag + stop] for k, lag in enumerate(self.lm.config.delays)]
        return torch.stack(rows)

    def logits(self) -> Tensor:
        """Logits [R, K, card] of the next step to be written; the first call prefills prefix and prompt.

        Advances the cache by the step before it: call `write` once after each call.  [generate]
        """
        if self.next_step == 0:
            return self._prefill()
        seat = self.sit()
        if seat is not None and self.lm.device_step is not None:
            return self.lm.device_step.logits([seat])[0]
        parts = [ask.alone() for ask in self.asks()]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def asks(self) -> list[JointStep]:
        """What each pass of the next step asks of the model; there was a first one.  [generate]"""
        column = self.last_column()
        return [
            JointStep(self.lm, state, column.expand(state.rows, -1), step_frames(conditions, state.step))
            for conditions, state in zip(self.conditions, self.states, strict=True)
        ]

    def sit(self) -> BatchSlot | None:
        """Its seat beside other windows; None before its first step, and for models that step each window alone.

        RuntimeError where the device has no room for one more.  [generate]
        """
        stepper = self.lm.device_step
        if self.seat is None and stepper is not None and self.next_step and self.states[0].step == self.next_step - 1:
            self.seat = stepper.seat(self.states, self.conditions, self._sequence)
        return self.seat

    def read_piece(self) -> bool:
        """Prefill a piece of its prompt, if more is left; else True: what is left comes with the first logits.

        Windows of streams are always read like this, in company or not, so that their numbers are the same.  [generate]
        """
        read = self.states[0].step if self.states else 0
        if self.next_step or self.prompt_frames + 1 - read <= PIECE_STEPS:
            return True
        self.read_to(read + PIECE_STEPS - 1)
        return False

    def was_drawn(self) -> None:
        """Its next step was filled where it sits.  [generate]"""
        self.next_step += 1

    def last_column(self) -> Tensor:
        """Tokens [K] of the newest step that is written, the input of the next.  [generate]"""
        return self.sequence[:, self.next_step - 1]

    def learn(self, codes: Tensor) -> None:
        """More codes [K, n] of its prompt, behind those that it has; before the first step alone.  [generate]"""
        begin = self.prompt_frames
        for row, lag, known in zip(self.sequence, self.lm.config.delays, codes.to(self.sequence.device), strict=True):
            row[1 + lag + begin : 1 + lag + begin + len(known)] = known
        self.prompt_frames += codes.shape[1]

    def unlearn(self, n_frames: int) -> None:
        """Forget the codes of its prompt behind the first `n_frames`, which were read; before the first step alone.

        [generate]
        """
        for row, lag in zip(self.sequence, self.lm.config.delays, strict=True):
            row[1 + lag + n_frames : 1 + lag + self.prompt_frames] = _UNKNOWN
        self.prompt_frames = n_frames
        for state in self.states:
            state.back_to(min(state.step, n_frames + 1))

    def read_to(self, n_frames: int) -> list[Tensor]:
        """Prefill what is not in the cache yet of the steps that end with frame `n_frames` of the prompt.

        Logits [R, K, card] of the last one, for each pass.  [generate]
        """
        if not self.states:
            rows = [conditions.rows or 1 for conditions in self.conditions]
            given = zip(rows, self.conditions, strict=True)
            self.states = tuple(self.lm.init_state(count, self.n_steps, conditions) for count, conditions in given)
        parts = []
        for conditions, state in zip(self.conditions, self.states, strict=True):
            state.back_to(min(state.step, n_frames))
            steps = self.sequence[:, state.step : n_frames + 1]
            parts.append(self.lm.prefill(steps.expand(state.rows, -1, -1), conditions, state))
        return parts

    def _prefill(self) -> Tensor:
        parts = self.read_to(self.prompt_frames)
        self.next_step = self.prompt_frames + 1
        return torch.cat(parts)

    @property
    def free_row(self) -> int:
        """First row of the conditions' frames that no step has read yet.  [generate]"""
        if not self.next_step:
            return self.states[0].step if self.states else 0
        return self.next_step - 1

    def back_to(self, n_frames: int) -> None:
        """Forget the codes from its frame `n_frames` on, without a new prefill: those steps are taken again.

        ValueError before its first frame, before a prefill, or where they are not complete.  [generate]
        """
        if not self.next_step or not 0 < n_frames <= self.complete_frames:
            raise ValueError(f"cannot go back to frame {n_frames} of a window with {self.complete_frames}")
        for row, lag in zip(self.sequence, self.lm.config.delays, strict=True):
            row[1 + lag + n_frames : 1 + lag + self.n_frames] = _UNKNOWN
        self.next_step = n_frames + 1
        self.prompt_frames = n_frames
        for state in self.states:
            state.back_to(n_frames)

    def hear_anew(self, first_row: int) -> None:
        """The conditions' frames have changed from a row on that no step has read yet.  [generate]"""
        for conditions, state in zip(self.conditions, self.states, strict=bool(self.states)):
            self.lm.hear_anew(conditions, state, first_row)

    def write(self, tokens: Tensor) -> None:
        """Fill the next step's unknown cells from tokens [K]; known and special ones stay.  [generate]"""
        column = self.sequence[:, self.next_step]
        torch.where(column == _UNKNOWN, tokens, column, out=column)
        self.next_step += 1


def step_frames(conditions: Conditions, step: int) -> Tensor | None:
    """Per-frame features [R, F] of one step, None where there are none.  [generate]"""
    if conditions.frames is None or step >= conditions.frames.shape[1]:
        return None
    return conditions.frames[:, step]
