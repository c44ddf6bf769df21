"""What an executor is: the one who takes a language model's steps. Everything that streams ask of one stands here.

passes = executor.open(conditions, sequence)              # a window's
state  = executor.init_state(rows, steps, conditions)     # of each of its passes
logits = executor.prefill(tokens, conditions, state)      # its prompt, piece by piece
faults = executor.take([request, ...])                    # one step of many windows: next columns are drawn
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.core.guidance import Guidance
from engine.core.sampling import Sampling
from engine.lm.conditions import Conditions
from engine.lm.model import LanguageModel
from engine.lm.state import LMState

UNKNOWN = -1  # a cell of a sequence that is to be drawn
PIECE_FRAMES = 50


@dataclass(eq=False)
class WindowPasses:
    """A window as its executor has it: one state for each pass (two for two-step guidance), and the tokens.

    `sequence` [K, S] is delayed; an executor may move it to memory of its own. There are no `states` before the first
    piece of the prompt is read. Column `states[0].step` is read by the next step.  [generate]
    """

    conditions: tuple[Conditions, ...]
    sequence: Tensor
    states: tuple[LMState, ...] = ()

    def read_into(self, states: tuple[LMState, ...]) -> None:
        """These states hold what is read of the prompt from now on.  [generate]"""
        self.states = states


@dataclass(frozen=True)
class StepRequest:
    """A window that takes a step, and how its next column is drawn.

    `first_logits` [R, K, card] are those that its prompt ended with: then the column is drawn from these.  [generate]
    """

    passes: WindowPasses
    sampling: Sampling
    guidance: Guidance
    generator: torch.Generator
    first_logits: Tensor | None = None


class Executor(Protocol):
    """Takes the steps of one model's windows. Chosen by `select.choose`, once for a loaded model.  [generate]"""

    cache_dtype: torch.dtype
    piece_frames: int  # of a prepared window that are read at once

    @property
    def lm(self) -> LanguageModel:
        """The model."""

    @property
    def precision(self) -> str:
        """Of the weights that a step reads: float32, float16, bfloat16, int8 or int4."""

    @property
    def held_bytes(self) -> int:
        """Of the weights that it has for itself, beside the model's."""

    def init_state(self, rows: int, capacity_steps: int, conditions: Conditions) -> LMState:
        """An empty cache for `capacity_steps` audio steps and the prefix; cross keys computed once."""

    def prefill(self, tokens: Tensor, conditions: Conditions, state: LMState) -> Tensor:
        """Run known steps [R, K, S] (and, first, the prefix); logits [R, K, card] of the last one.

        ValueError where the cache is too short.
        """

    def step(self, tokens: Tensor, state: LMState) -> Tensor:
        """One step of one state: tokens [R, K] to logits [R, K, card].

        ValueError where the cache is full, or for tokens that there are not.
        """

    def open(self, conditions: tuple[Conditions, ...], sequence: Tensor) -> WindowPasses:
        """A new window's passes, nothing read yet."""

    def fork(self, passes: WindowPasses) -> WindowPasses:
        """A copy that goes on by itself. Conditions, and what was worked out of them, are shared."""

    def conditions_changed(self, passes: WindowPasses, first_row: int) -> None:
        """The conditions' frames have changed from a row on that no step has read: what was made of them follows."""

    def logits(self, windows: Sequence[WindowPasses]) -> list[Tensor | Exception]:
        """Logits [R, K, card] of each window's next step, taken together where that is faster.

        An exception for a window that failed, alone; its step was not taken then.
        """

    def take(self, requests: Sequence[StepRequest]) -> list[Exception | None]:
        """One step of each window, its next column drawn into its sequence; None, or what went wrong with it."""

    def warm_up(self) -> None:
        """Do beforehand, for the windows that there are, what a step would otherwise wait for."""

    def keep_warm(self) -> None:
        """Use a moment in which nobody wants a step."""
