"""Keys of the terminal, read by a thread of their own and given to a reader as text."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from plugin_host.console.terminal import Terminal

ESCAPE_SECONDS = 0.03  # in which the rest of an arrow key follows
POLL_SECONDS = 0.02  # on Windows, whose consoles cannot be waited for
SEQUENCE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|O.)")  # arrows, function keys, mouse, answers of the terminal
_BEGUN = re.compile("\x1b(?:\\[[0-?]*[ -/]*|O)?$")


class Reader(Protocol):
    """Takes what is typed."""

    def read(self, text: str, seconds: float) -> None:
        """Characters that came at a monotonic second.  [any: one thread]"""


class Keys:
    """A context manager that reads keys of standard input while it is a terminal; `active` says whether it does."""

    def __init__(self, reader: Reader, handle: int | None = None) -> None:
        self._reader = reader
        self._handle = _standard_input() if handle is None else handle
        self._terminal = Terminal(self._handle)
        self._ending = threading.Event()
        self._wake: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None

    @property
    def active(self) -> bool:
        """Whether keys are read.  [any]"""
        return self._thread is not None

    def __enter__(self) -> Keys:
        on_windows = sys.platform == "win32" and os.isatty(self._handle)
        self._terminal.__enter__()
        if self._terminal.active or on_windows:
            self._wake = os.pipe()
            self._thread = threading.Thread(target=self._run, name="segue-keys", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        if self._thread is not None and self._wake is not None:
            os.write(self._wake[1], b"x")
            if self._thread is not threading.current_thread():
                self._thread.join(1.0)
        self._thread = None
        self._terminal.__exit__(kind, fault, at)

    def _run(self) -> None:
        for text in _windows_texts(self._ending) if sys.platform == "win32" else self._texts():
            self._reader.read(text, time.monotonic())
            if self._ending.is_set():
                return

    def _texts(self) -> Iterator[str]:
        while self._comes(None):
            text = self._read()
            while _BEGUN.search(text) and self._comes(ESCAPE_SECONDS) and (more := self._read()):
                text += more
            if not text:
                return  # the terminal has gone
            yield text

    def _comes(self, seconds: float | None) -> bool:
        assert self._wake is not None
        ready = select.select([self._handle, self._wake[0]], [], [], seconds)[0]
        return self._handle in ready and not self._ending.is_set()

    def _read(self) -> str:
        try:
            return os.read(self._handle, 256).decode("utf-8", "replace")
        except OSError:
            return ""


def _standard_input() -> int:
    """Its handle, -1 where a program has none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return -1


def _windows_texts(ending: threading.Event) -> Iterator[str]:
    if sys.platform == "win32":
        import msvcrt

        while not ending.wait(POLL_SECONDS):
            while msvcrt.kbhit():
                key = msvcrt.getwch()
                if key in "\0\xe0":  # arrows and function keys are two
                    msvcrt.getwch()
                else:
                    yield key
    yield from ()
