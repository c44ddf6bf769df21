"""Two streams from one: the same tokens so far, the same open window, another seed from here on.

stream   ....... window with its cache .......|---- continues
fork     ....... window, cache copied ........|---- continues with another seed
"""

from __future__ import annotations

import copy

from engine.core.sampling import seeded_generator
from engine.stream.tokens import TokenStream
from engine.stream.window import Window


def fork(stream: TokenStream, seed: int) -> TokenStream:
    """A stream that continues from this one, drawing from `seed`; this one is unchanged.

    The open window's conditions, and everything computed from them, are shared: a change affects both.  [generate]
    """
    other = copy.copy(stream)
    other._codes, other._fresh = stream._codes.clone(), list(stream._fresh)
    other.generator = seeded_generator(seed, stream.executor.lm.device)
    other.window, other.next_window = None if stream.window is None else _fork_window(stream.window), None
    return other


def _fork_window(window: Window) -> Window:
    other = copy.copy(window)
    other.passes = window.executor.fork(window.passes)
    return other
