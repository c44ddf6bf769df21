"""One window of one stream: an empty cache, a prompt, and the steps that fill the rest.

    step          0   1   2   3   4   5   6   7   8          T = 5 frames, prompt P = 2, delays 0 1 2 3
    codebook 0    .   p   p   ?   ?   ?   .   .   .          `.` special, `p` prompt, `?` not drawn yet
    codebook 1    .   .   p   p   ?   ?   ?   .   .
    codebook 2    .   .   .   p   p   ?   ?   ?   .
    codebook 3    .   .   .   .   p   p   ?   ?   ?
                  |-- prefill --|                            first call: steps 0..P, logits of step P + 1

Prompt codes after step P, which are there because of the delay, stay; frame t is complete after step
t + 1 + max(delays).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.core.delay import delay
from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm import Conditions, LMState
from engine.lm.executors.base import UNKNOWN, Executor, StepRequest

PIECE_STEPS = 128  # steps of a prompt that are read at once; other lanes step between two pieces


@dataclass(frozen=True)
class WindowSize:
    """Frames of a window, and frames by which it rolls (the reference: 1500 and 900).  [any]"""

    window_frames: int = 1500
    stride_frames: int = 900

    def __post_init__(self) -> None:
        if not 0 < self.stride_frames < self.window_frames:
            raise ValueError(
                f"stride_frames is {self.stride_frames}, must be 1 to {self.window_frames - 1} (window_frames - 1)"
            )

    @property
    def keep_frames(self) -> int:
        """Frames that a rolled window takes from the previous one.  [any]"""
        return self.window_frames - self.stride_frames


class Window:
    """Fills one delayed sequence step by step; `logits` and `write` alternate until `done`."""

    def __init__(self, executor: Executor, conditions: Sequence[Conditions], prompt: Tensor, n_frames: int) -> None:
        """Prompt codes [K, P] int64, P < `n_frames`; one `Conditions` per pass (two for two-step guidance).

        Raises ValueError if the prompt leaves no frame to fill.  [generate]
        """
        prompt_frames = prompt.shape[-1]
        if not prompt_frames < n_frames:
            raise ValueError(f"prompt has {prompt_frames} frames, the window only {n_frames}")
        config = executor.lm.config
        codes = prompt.new_full((config.n_codebooks, n_frames), UNKNOWN)
        codes[:, :prompt_frames] = prompt
        self.executor = executor
        self.config = config
        self.n_frames = n_frames
        self.prompt_frames = prompt_frames
        self.passes = executor.open(tuple(conditions), delay(codes, config.delays, config.special))
        self.next_step = 0  # the step that the next `write` fills; 0 = nothing prefilled yet

    @property
    def sequence(self) -> Tensor:
        """The delayed sequence [K, S], in the executor's memory.  [generate]"""
        return self.passes.sequence

    @property
    def conditions(self) -> tuple[Conditions, ...]:
        """Conditions of each pass.  [generate]"""
        return self.passes.conditions

    @property
    def states(self) -> tuple[LMState, ...]:
        """States of each pass; none before the first piece of the prompt is read.  [generate]"""
        return self.passes.states

    @property
    def n_steps(self) -> int:
        """S: steps of the whole sequence.  [generate]"""
        return self.sequence.shape[-1]

    @property
    def done(self) -> bool:
        """Whether every step is written.  [generate]"""
        return self.next_step >= self.n_steps

    @property
    def complete_frames(self) -> int:
        """Frames from the window's start, including the prompt, whose K codes are all known.  [generate]"""
        return max(self.prompt_frames, self.next_step - 1 - self.config.max_delay)

    def codes(self, start: int, stop: int) -> Tensor:
        """Codes [K, stop - start] of complete frames, counted from the window's start.  [generate]"""
        rows = [self.sequence[k, 1 + lag + start : 1 + lag + stop] for k, lag in enumerate(self.config.delays)]
        return torch.stack(rows)

    def logits(self) -> Tensor:
        """Logits [R, K, card] of the next step to write; the first call prefills prefix and prompt.

        Advances the cache by the previous step: call `write` once after each call.  [generate]
        """
        if self.next_step == 0:
            return self._prefill()
        (logits,) = self.executor.logits([self.passes])
        if isinstance(logits, Exception):
            raise logits
        return logits

    def request(self, sampling: Sampling, guidance: Guidance, generator: torch.Generator) -> StepRequest:
        """The request to its executor for the next step; reads the rest of the prompt now.  [generate]"""
        first = None if self.next_step else self._prefill()
        return StepRequest(self.passes, sampling, guidance, generator, first)

    def read_piece(self) -> bool:
        """Prefill a piece of its prompt, if more than one is left; else True: the first logits read the last one.

        Streams always read prompts like this, alone or with others, so that the numbers are the same.  [generate]
        """
        read = self.states[0].step if self.states else 0
        if self.next_step or self.prompt_frames + 1 - read <= PIECE_STEPS:
            return True
        self.read_to(read + PIECE_STEPS - 1)
        return False

    def was_drawn(self) -> None:
        """Advance after its executor has filled the next step.  [generate]"""
        self.next_step += 1

    def learn(self, codes: Tensor) -> None:
        """Append codes [K, n] to its prompt; only before the first step.  [generate]"""
        begin = self.prompt_frames
        for row, lag, known in zip(self.sequence, self.config.delays, codes.to(self.sequence.device), strict=True):
            row[1 + lag + begin : 1 + lag + begin + len(known)] = known
        self.prompt_frames += codes.shape[1]

    def unlearn(self, n_frames: int) -> None:
        """Drop the codes of its prompt after the first `n_frames`, which were read; only before the first step.

        [generate]
        """
        for row, lag in zip(self.sequence, self.config.delays, strict=True):
            row[1 + lag + n_frames : 1 + lag + self.prompt_frames] = UNKNOWN
        self.prompt_frames = n_frames
        for state in self.states:
            state.back_to(min(state.step, n_frames + 1))

    def read_to(self, n_frames: int) -> list[Tensor]:
        """Prefill the steps up to frame `n_frames` of the prompt that are not in the cache yet.

        Returns logits [R, K, card] of the last one, for each pass.  [generate]
        """
        if not self.states:
            rows = [conditions.rows or 1 for conditions in self.conditions]
            given = zip(rows, self.conditions, strict=True)
            self.passes.read_into(tuple(self.executor.init_state(count, self.n_steps, own) for count, own in given))
        parts = []
        for conditions, state in zip(self.conditions, self.states, strict=True):
            state.back_to(min(state.step, n_frames))
            steps = self.sequence[:, state.step : n_frames + 1]
            parts.append(self.executor.prefill(steps.expand(state.rows, -1, -1), conditions, state))
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
        """Drop the codes from its frame `n_frames` on, without a new prefill: those steps are taken again.

        ValueError before its first frame, before a prefill, or if they are not complete.  [generate]
        """
        if not self.next_step or not 0 < n_frames <= self.complete_frames:
            raise ValueError(f"cannot go back to frame {n_frames} of a window with {self.complete_frames}")
        for row, lag in zip(self.sequence, self.config.delays, strict=True):
            row[1 + lag + n_frames : 1 + lag + self.n_frames] = UNKNOWN
        self.next_step = n_frames + 1
        self.prompt_frames = n_frames
        for state in self.states:
            state.back_to(n_frames)

    def conditions_changed(self, first_row: int) -> None:
        """Read the conditions' frames again from a row on that no step has read yet.  [generate]"""
        self.executor.conditions_changed(self.passes, first_row)

    def renew(self, conditions: tuple[Conditions, ...]) -> None:
        """Take the coming steps with other conditions of the same shape; ValueError for another one.  [generate]"""
        self.executor.renew(self.passes, conditions)

    def write(self, tokens: Tensor) -> None:
        """Fill the next step's unknown cells from tokens [K]; known and special ones stay.  [generate]"""
        column = self.sequence[:, self.next_step]
        torch.where(column == UNKNOWN, tokens, column, out=column)
        self.next_step += 1
