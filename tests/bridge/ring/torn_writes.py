"""Words of a segment in plain memory, and writes that happen in the middle of a read."""

from __future__ import annotations

from collections.abc import Callable

from bridge.ring.fields import Words


class _Plain:
    """Memory without a name: what `Words` needs of a segment."""

    def __init__(self) -> None:
        self.memory = memoryview(bytearray(512))
        self.n_bytes = 512
        self.name = "plain"


def plain_words() -> Words:
    """Words of no segment, all 0."""
    return Words(_Plain())  # type: ignore[arg-type]


class _Meddled:
    """A view during whose `nth` load the writer publishes, as it may at any moment."""

    def __init__(self, view: memoryview, nth: int, write: Callable[[], None]) -> None:
        self._view, self._left, self._write = view, nth, write

    def __getitem__(self, index: int) -> object:
        self._left -= 1
        if self._left == 0:
            self._write()
        return self._view[index]


def meddled(words: Words, view: str, nth: int, write: Callable[[], None]) -> Callable[[], None]:
    """Makes the `nth` load of a view meet a whole write; returns what takes that back."""
    plain = getattr(words, view)

    def publish() -> None:
        setattr(words, view, plain)
        write()

    setattr(words, view, _Meddled(plain, nth, publish))
    return lambda: setattr(words, view, plain)
