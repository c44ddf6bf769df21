"""The next step of several windows' states on a processor: together where native code takes them, else one by one.

Together each weight is read once for all. A row is reckoned by itself, so a state's logits are the same to the last bit
whoever takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from engine.lm.executors.native_step import NativeBound, NativeStepper

if TYPE_CHECKING:
    from engine.lm.model import LanguageModel
    from engine.lm.state import LMState


class JointStep(NamedTuple):
    """A state's next step: tokens [R, K], and features of this step [R, F] or None.  [generate]"""

    lm: LanguageModel
    state: LMState
    tokens: Tensor
    frames: Tensor | None

    def alone(self) -> Tensor:
        """Logits [R, K, card]; the state has moved on.  [generate]"""
        return self.lm.step(self.tokens, self.state, self.frames)


@torch.inference_mode()
def step_states(asked: Sequence[JointStep]) -> list[Tensor | Exception]:
    """Logits [R, K, card] of each, or what went wrong with it alone; who has none is where it was.  [generate]"""
    made: dict[int, Tensor | Exception] = {}
    joint: dict[int, tuple[NativeStepper, list[tuple[int, JointStep, NativeBound, Tensor]]]] = {}
    for place, ask in enumerate(asked):
        bound = ask.state.bound
        try:
            if isinstance(bound, NativeBound) and bound.joins:
                tokens = bound.checked(ask.tokens, ask.state.step, ask.state.length)
                joint.setdefault(id(bound.stepper), (bound.stepper, []))[1].append((place, ask, bound, tokens))
            else:
                made[place] = ask.alone()
        except Exception as error:
            made[place] = error
    for stepper, chosen in joint.values():
        turns = [(bound, tokens, ask.state.step, ask.state.length) for _, ask, bound, tokens in chosen]
        try:
            taken = stepper.take_together(turns)
        except Exception as error:
            made.update((place, error) for place, *_ in chosen)
            continue
        for (place, ask, *_), logits in zip(chosen, taken, strict=True):
            ask.state.step, ask.state.length = ask.state.step + 1, ask.state.length + 1
            made[place] = logits.view(-1, ask.lm.config.n_codebooks, ask.lm.config.card)
    return [made[place] for place in range(len(asked))]
