"""Two streams out of one: the same tokens so far, the same open window, other numbers of the dice from here on.

stream   ....... window with its cache .......|---- goes on
fork     ....... window, cache copied ........|---- goes on, another seed
"""

from __future__ import annotations

import copy

from engine.core.sampling import seeded_generator
from engine.stream.tokens import TokenStream
from engine.stream.window import Window


def fork(stream: TokenStream, seed: int) -> TokenStream:
    """A stream that goes on from where this one is, drawing from `seed`; this one is left as it is.

    What the open window hears (conditions, and what was worked out of them) is shared: a change of it is heard by
    both.  [generate]
    """
    other = copy.copy(stream)
    other._codes, other._fresh = stream._codes.clone(), list(stream._fresh)
    other.generator = seeded_generator(seed, stream.executor.lm.device)
    other.window, other.coming = None if stream.window is None else _fork_window(stream.window), None
    return other


def _fork_window(window: Window) -> Window:
    other = copy.copy(window)
    other.passes = window.executor.fork(window.passes)
    return other
