"""The executor protocol: an executor takes a language model's steps. Streams use only this interface.

passes = executor.open(conditions, sequence)              # a window's passes
state  = executor.init_state(rows, steps, conditions)     # the state of each pass
logits = executor.prefill(tokens, conditions, state)      # its prompt, piece by piece
faults = executor.take([request, ...])                    # one step of many windows: draws their next columns
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

UNKNOWN = -1  # a cell of a sequence that is not drawn yet
PIECE_FRAMES = 50


@dataclass(eq=False)
class WindowPasses:
    """A window in its executor: one state per pass (two for two-step guidance), and the tokens.

    `sequence` [K, S] is delayed; an executor may move it to its own memory. `states` is empty until the first piece of
    the prompt is read. The next step reads column `states[0].step`.  [generate]
    """

    conditions: tuple[Conditions, ...]
    sequence: Tensor
    states: tuple[LMState, ...] = ()

    def read_into(self, states: tuple[LMState, ...]) -> None:
        """Set the states into which the prompt is read.  [generate]"""
        self.states = states

    def follow(self, conditions: tuple[Conditions, ...]) -> None:
        """Set the conditions of the coming steps.  [generate]"""
        self.conditions = conditions


@dataclass(frozen=True)
class StepRequest:
    """A window that takes a step, and the settings by which its next column is drawn.

    With `first_logits` [R, K, card], the last logits of its prompt, the column is drawn from these.  [generate]
    """

    passes: WindowPasses
    sampling: Sampling
    guidance: Guidance
    generator: torch.Generator
    first_logits: Tensor | None = None


class Executor(Protocol):
    """Takes the steps of one model's windows; `select.choose` chooses it once for a loaded model.  [generate]"""

    cache_dtype: torch.dtype
    piece_frames: int  # frames of a prepared window that are read at once

    @property
    def lm(self) -> LanguageModel:
        """The model."""

    @property
    def precision(self) -> str:
        """Precision of a step's weights: float32, float16, bfloat16, int8 or int4."""

    @property
    def held_bytes(self) -> int:
        """Memory of its own weights, in addition to the model's."""

    def init_state(self, rows: int, capacity_steps: int, conditions: Conditions) -> LMState:
        """An empty cache for `capacity_steps` audio steps and the prefix; computes the cross keys once."""

    def prefill(self, tokens: Tensor, conditions: Conditions, state: LMState) -> Tensor:
        """Run known steps [R, K, S], the prefix before the first; logits [R, K, card] of the last one.

        ValueError if the cache is too short.
        """

    def step(self, tokens: Tensor, state: LMState) -> Tensor:
        """One step of one state: tokens [R, K] to logits [R, K, card].

        ValueError if the cache is full, or for invalid tokens.
        """

    def open(self, conditions: tuple[Conditions, ...], sequence: Tensor) -> WindowPasses:
        """The passes of a new window; nothing is read yet."""

    def fork(self, passes: WindowPasses) -> WindowPasses:
        """An independent copy. Conditions, and everything computed from them, are shared."""

    def conditions_changed(self, passes: WindowPasses, first_row: int) -> None:
        """Recompute what depends on the conditions' frames, which changed from a row on that no step has read."""

    def renew(self, passes: WindowPasses, conditions: tuple[Conditions, ...]) -> None:
        """Take a window's coming steps with other conditions of the same shape; what was read stays as it is.

        The window's own: forks of it keep theirs. ValueError for another shape.
        """

    def logits(self, windows: Sequence[WindowPasses]) -> list[Tensor | Exception]:
        """Logits [R, K, card] of each window's next step, taken together if that is faster.

        An exception for each window that failed; its step was not taken.
        """

    def take(self, requests: Sequence[StepRequest]) -> list[Exception | None]:
        """Take one step of each window and draw its next column into its sequence; None or its exception for each."""

    def warm_up(self) -> None:
        """Do in advance, for the present windows, work that a step would otherwise wait for."""

    def keep_warm(self) -> None:
        """Use a moment in which no step is requested."""
