"""Two streams out of one: the same tokens so far, the same open window, other numbers of the dice from here on.

stream   ....... window with its cache .......|---- goes on
fork     ....... window, cache copied ........|---- goes on, another seed
"""

from __future__ import annotations

import copy
from dataclasses import replace

from engine.core.sampling import seeded_generator
from engine.lm import LMState
from engine.stream.tokens import TokenStream
from engine.stream.window import Window


def fork(stream: TokenStream, seed: int) -> TokenStream:
    """A stream that goes on from where this one is, drawing from `seed`; this one is left as it is.

    What the open window hears (conditions, and what was worked out of them) is shared: a change of it is heard by
    both.  [generate]
    """
    other = copy.copy(stream)
    other._codes, other._fresh = stream._codes.clone(), list(stream._fresh)
    other.generator = seeded_generator(seed, stream.lm.out_norm.weight.device)
    other.window, other.coming = None if stream.window is None else _fork_window(stream.window), None
    return other


def _fork_window(window: Window) -> Window:
    other = copy.copy(window)
    other.seat = None  # it takes one of its own
    other.sequence = window.sequence.clone()
    other.states = tuple(_fork_state(window, index) for index in range(len(window.states)))
    return other


def _fork_state(window: Window, index: int) -> LMState:
    state = window.states[index]
    other = replace(state, cache=state.cache.clone())
    if state.bound is not None:
        other.bound = state.bound.stepper.bind(other, state.bound.known)
    return other
