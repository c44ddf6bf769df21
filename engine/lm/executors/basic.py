"""The base of all executors: caches, prompts, forks, and tokens drawn on the host from a step's logits.

`bind` of each returns the object that takes a state's steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor

from engine.lm.conditions import Conditions
from engine.lm.executors.base import PIECE_FRAMES, UNKNOWN, StepRequest, WindowPasses
from engine.lm.executors.half_prefill import HalfPrefill
from engine.lm.executors.native_draw import draw_guided
from engine.lm.model import LanguageModel
from engine.lm.state import LMState


class Bound(Protocol):
    """An executor's data for one state (`LMState.bound`); takes its steps.  [generate]"""

    def run(self, tokens: Tensor, state: LMState) -> Tensor:
        """Tokens [R, K] of the state's next step to logits [R, K * card]; the caller advances the state's position."""

    def conditions_changed(self, conditions: Conditions, first_row: int) -> None:
        """Read the frame features again from a row on."""

    def rebound(self, state: LMState) -> Bound:
        """The same data for a copy of the state."""


class PassStep(NamedTuple):
    """A state's next step: tokens [R, K].  [generate]"""

    state: LMState
    tokens: Tensor


class BasicExecutor:
    """Takes each state's step separately, unless `step_states` is overridden.  All methods [generate]."""

    piece_frames = PIECE_FRAMES
    scales: Tensor | None = None  # [L, 2, H, 1, D/H] of an 8-bit cache

    def __init__(self, lm: LanguageModel, cache_dtype: torch.dtype | None = None, prefill_half: bool = False) -> None:
        """Keys and values are in `cache_dtype` (None: as LayerNorms); `prefill_half`: prefill runs in bfloat16."""
        self.lm = lm
        self.cache_dtype = cache_dtype or lm.out_norm.weight.dtype
        self._half_prefill = HalfPrefill(lm) if prefill_half else None

    def bind(self, state: LMState, conditions: Conditions, capacity_steps: int) -> Bound:
        """The object that takes the steps of a new state."""
        raise NotImplementedError

    @property
    def precision(self) -> str:
        """Precision of a step's weights."""
        return str(self.lm.linears[0].weight.dtype).removeprefix("torch.")

    @property
    def held_bytes(self) -> int:
        """Memory of its own weights."""
        return 0

    @torch.inference_mode()
    def init_state(self, rows: int, capacity_steps: int, conditions: Conditions) -> LMState:
        """An empty cache for `capacity_steps` audio steps and the prefix; computes the cross keys once."""
        config = self.lm.config
        capacity = capacity_steps + conditions.prefix_steps
        shape = (config.n_layers, 2, rows, config.n_heads, capacity, config.head_dim)
        cache = torch.zeros(shape, dtype=self.cache_dtype, device=self.lm.device)
        scales = None if self.scales is None else self.scales.clone()
        state = LMState(cache, self.lm.cross_keys_values(conditions), scales=scales)
        state.bound = self.bind(state, conditions, capacity_steps)
        return state

    def prefill(self, tokens: Tensor, conditions: Conditions, state: LMState) -> Tensor:
        """Run known steps [R, K, S], the prefix before the first; logits [R, K, card] of the last one."""
        if self._half_prefill is not None:
            return self._half_prefill.read(tokens, conditions, state)
        return self.lm.prefill(tokens, conditions, state)

    @torch.inference_mode()
    def step(self, tokens: Tensor, state: LMState) -> Tensor:
        """One step of one state: tokens [R, K] to logits [R, K, card]."""
        if state.length >= state.capacity:
            raise ValueError(f"cache holds {state.capacity} positions, {state.length + 1} needed")
        return self.stepped(state, cast(Bound, state.bound).run(tokens, state))

    def stepped(self, state: LMState, logits: Tensor) -> Tensor:
        """Advance a state by a step; logits [R, K * card] to [R, K, card]."""
        state.step, state.length = state.step + 1, state.length + 1
        return logits.view(-1, self.lm.config.n_codebooks, self.lm.config.card)

    # -- windows ------------------------------------------------------------------------------------------

    def open(self, conditions: tuple[Conditions, ...], sequence: Tensor) -> WindowPasses:
        """The passes of a new window; nothing is read yet."""
        return WindowPasses(conditions, sequence)

    def fork(self, passes: WindowPasses) -> WindowPasses:
        """An independent copy."""
        other = self.open(passes.conditions, passes.sequence.clone())
        other.states = tuple(map(_copied, passes.states))
        return other

    @torch.inference_mode()
    def conditions_changed(self, passes: WindowPasses, first_row: int) -> None:
        """Read the conditions' frames again from a row on that no step has read."""
        for conditions, state in zip(passes.conditions, passes.states, strict=bool(passes.states)):
            cast(Bound, state.bound).conditions_changed(conditions, first_row)

    @torch.inference_mode()
    def renew(self, passes: WindowPasses, conditions: tuple[Conditions, ...]) -> None:
        """Take a window's coming steps with other conditions of the same shape."""
        check_shapes(passes.conditions, conditions)
        for state, own in zip(passes.states, conditions, strict=bool(passes.states)):
            self.read_prefix(state, own)
            state.cross_kv = self.lm.cross_keys_values(own)
            state.bound = self.bind(state, own, state.capacity - own.prefix_steps)
        passes.follow(conditions)

    def read_prefix(self, state: LMState, conditions: Conditions) -> None:
        """Write the keys and values of another prefix over those of a state's, if it has read one."""
        if conditions.prefix is None or not state.length:
            return
        (rows, count), books = conditions.prefix.shape[:2], self.lm.config.n_codebooks
        scales = None if state.scales is None else state.scales.clone()
        alone = LMState(
            torch.zeros_like(state.cache[..., :count, :]), self.lm.cross_keys_values(conditions), scales=scales
        )
        self.prefill(torch.empty(rows, books, 0, dtype=torch.long, device=self.lm.device), conditions, alone)
        read = alone.cache
        if state.scales is not None and alone.scales is not None:  # in the scales of the steps behind it
            exact = read * (alone.scales / state.scales).unsqueeze(2)
            read = exact.round().clamp(-127, 127).to(torch.int8)
        state.cache[..., :count, :] = read

    def logits(self, windows: Sequence[WindowPasses]) -> list[Tensor | Exception]:
        """Logits [R, K, card] of each window's next step; an exception for one that failed."""
        asked = [_pass_steps(window) for window in windows]
        steps = [step for steps in asked if not isinstance(steps, Exception) for step in steps]
        taken = iter(self.step_states(steps))
        return [steps if isinstance(steps, Exception) else _joined(len(steps), taken) for steps in asked]

    @torch.inference_mode()
    def step_states(self, asked: Sequence[PassStep]) -> list[Tensor | Exception]:
        """Logits [R, K, card] of each state's step, or its exception; a state that failed has not moved."""
        made: list[Tensor | Exception] = []
        for state, tokens in asked:
            try:
                made.append(self.step(tokens, state))
            except Exception as error:
                made.append(error)
        return made

    def take(self, requests: Sequence[StepRequest]) -> list[Exception | None]:
        """Take one step of each window and draw its next column into its sequence; None or its exception for each."""
        stepped = iter(self.logits([request.passes for request in requests if request.first_logits is None]))
        return [
            draw_column(request, next(stepped) if request.first_logits is None else request.first_logits)
            for request in requests
        ]

    def warm_up(self) -> None:
        """Nothing to do."""

    def keep_warm(self) -> None:
        """Nothing to do."""


def draw_column(request: StepRequest, logits: Tensor | Exception) -> Exception | None:
    """Draw the unknown cells of a window's next column from logits [R, K, card]; its states have advanced to it.

    [generate]
    """
    if isinstance(logits, Exception):
        return logits
    try:
        tokens = draw_guided(logits, request.guidance, request.sampling, request.generator)
        column = request.passes.sequence[:, request.passes.states[0].step]
        torch.where(column == UNKNOWN, tokens, column, out=column)
    except Exception as error:
        return error
    return None


def check_shapes(before: Sequence[Conditions], after: Sequence[Conditions]) -> None:
    """ValueError if conditions have other shapes than those they replace.  [generate]"""
    shapes = [
        [
            [None if part is None else tuple(part.shape) for part in (each.prefix, each.memory, each.frames)]
            for each in conditions
        ]
        for conditions in (before, after)
    ]
    if shapes[0] != shapes[1]:
        raise ValueError(f"a window's conditions keep their shape: they are {shapes[0]}, got {shapes[1]}")


def _pass_steps(window: WindowPasses) -> list[PassStep] | Exception:
    """The tokens of each pass of a window's next step, or the reason why there is none."""
    try:
        return [
            PassStep(state, window.sequence[:, state.step].expand(state.rows, -1))
            for _, state in zip(window.conditions, window.states, strict=True)
        ]
    except Exception as error:
        return error


def _joined(count: int, taken: Iterator[Tensor | Exception]) -> Tensor | Exception:
    """Logits of all passes of a window, or the first exception."""
    parts = [next(taken) for _ in range(count)]
    good = [part for part in parts if isinstance(part, Tensor)]
    if len(good) == len(parts):
        return good[0] if len(good) == 1 else torch.cat(good)
    return next(part for part in parts if isinstance(part, Exception))


def _copied(state: LMState) -> LMState:
    """A state with its own cache."""
    other = replace(state, cache=state.cache.clone())
    other.bound = cast(Bound, state.bound).rebound(other)
    return other
