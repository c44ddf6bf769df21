"""The sequence lock of a block of words: one side writes the block, others read it whole, nobody waits.

sequence   4  5  5  5  6        odd while the words are being written; 0: never written
words      a  a  ?  b  b        a reader that sees it odd or changed reads again, a few times
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from bridge.ring.fields import Words, u32

TRIES = 8

Copied = TypeVar("Copied")


class SequenceLock:
    """The lock of one block, by the name of its sequence word in the layout; it has no state of its own.

    `gives_way`: a reader lets the writer run between its tries; never on the audio thread.
    """

    def __init__(self, name: str, gives_way: bool = False) -> None:
        self._at = u32(name)
        self._gives_way = gives_way

    def begin(self, words: Words) -> int:
        """Begin to write the block; returns the number for `end`.  [any]"""
        sequence: int = words.u32[self._at] | 1
        words.u32[self._at] = sequence
        words.fence()
        return sequence

    def end(self, words: Words, begun: int) -> None:
        """Publish the block's words: they are stored.  [any]"""
        words.fence()
        words.u32[self._at] = (begun + 1) & 0xFFFFFFFF or 2

    def changed(self, words: Words, known: int) -> bool:
        """Whether the block was written since its sequence was `known`.  [audio]"""
        sequence: int = words.u32[self._at]
        return sequence != known

    def read(self, words: Words, known: int, copy: Callable[[Words], Copied]) -> tuple[Copied, int] | None:
        """What `copy` reads of the whole block, and its sequence; None if it is `known`, or odd at each try.  [any]"""
        for attempt in range(TRIES):
            if attempt and self._gives_way:
                time.sleep(0)
            before: int = words.u32[self._at]
            if before == known:
                return None
            if before & 1:
                continue
            words.fence()
            copied = copy(words)
            words.fence()
            if words.u32[self._at] == before:
                return copied, before
        return None
