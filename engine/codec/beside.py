"""Decodes in parallel to the language model on a GPU: on its own thread and CUDA stream.

    steps    |-- frames 0..3 --|-- frames 4..7 --|-- 8, 9 --|
    codec                      |-- decodes 0..3 -|-- decodes 4..7 --|-- the rest

Work is done in order; the caller waits for it before it uses the same stream again.

On a CPU the caller does the work at once. A second thread raised speed by a seventh on two idle hyperthreads, but on a
virtual machine that temporarily loses its CPUs, streams took up to fifteen times as long: the thread that holds the GIL
loses its CPU, and the other waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

import torch

TINY = 1e-40  # a number that is 0 if the processor flushes denormals
Made = TypeVar("Made")


class DecodeThread:
    """One thread with the settings of the thread that opened it.  Use it with `with`, or `close` it.  [generate]"""

    def __init__(self, device: torch.device | str = "cpu", threaded: bool | None = None) -> None:
        """`threaded` None: on every device except a CPU."""
        place = torch.device(device)
        self._pool: ThreadPoolExecutor | None = None
        if place.type != "cpu" if threaded is None else threaded:
            flush = bool((torch.tensor(TINY) * 1.0).item() == 0.0)
            self._pool = ThreadPoolExecutor(1, "segue-codec", torch.set_flush_denormal, (flush,))
        self._stream: Any = torch.cuda.Stream(place) if place.type == "cuda" else None

    def start(self, work: Callable[[], Made]) -> Future[Made]:
        """Queue `work`; it may use results queued on the caller's CUDA stream."""
        made = None if self._stream is None else torch.cuda.current_stream(self._stream.device).record_event()

        def beside() -> Made:
            with torch.no_grad(), self._place():
                if made is not None:
                    self._stream.wait_event(made)
                return work()

        return _done_now(beside) if self._pool is None else self._pool.submit(beside)

    def _place(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def close(self) -> None:
        """Wait for all work, then end the thread."""
        if self._pool is not None:
            self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _done_now(work: Callable[[], Made]) -> Future[Made]:
    done: Future[Made] = Future()
    try:
        done.set_result(work())
    except Exception as error:
        done.set_exception(error)
    return done
