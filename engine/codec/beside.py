"""Decoding beside the language model: on a thread of its own, and on a GPU on a stream of its own.

    steps    |-- frames 0..3 --|-- frames 4..7 --|-- frames 8..11 --|
    codec                      |-- decodes 0..3 -|-- decodes 4..7 --|-- the rest

Work is done in the order in which it was given; whoever gave it waits for it before it touches the same stream again.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

import torch

TINY = 1e-40  # a number that a processor told to flush tiny ones takes for 0
Made = TypeVar("Made")


class DecodeThread:
    """One thread that computes as the thread that opened it does.  Use it with `with`, or `close` it.  [generate]"""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        flush = bool((torch.tensor(TINY) * 1.0).item() == 0.0)
        self._pool = ThreadPoolExecutor(1, "segue-codec", torch.set_flush_denormal, (flush,))
        place = torch.device(device)
        self._stream: Any = torch.cuda.Stream(place) if place.type == "cuda" else None

    def start(self, work: Callable[[], Made]) -> Future[Made]:
        """Do this after what was given before; it may use what the caller's stream of a GPU has been told to make."""
        made = None if self._stream is None else torch.cuda.current_stream(self._stream.device).record_event()

        def beside() -> Made:
            with torch.no_grad(), self._place():
                if made is not None:
                    self._stream.wait_event(made)
                return work()

        return self._pool.submit(beside)

    def _place(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def close(self) -> None:
        """Wait for what was given, and end."""
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
