"""Keys of the terminal to presses, read by a thread of their own.

    space play or stop   t, Enter take over   a again   k keep   h hold   r record (4 r: four bars)   u undo
    c, Backspace, Escape cancel   q quit

Other keys, arrows and the like do nothing.
"""

from __future__ import annotations

import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from plugin_host.jam.hands.switches import BARS_MAX
from plugin_host.jam.hands.terminal import Terminal
from plugin_host.jam.state import Press, Verb

QUIT = "q"
VERB_OF: dict[str, Verb] = {
    " ": "play_stop",
    "t": "take_over", "\r": "take_over", "\n": "take_over",
    "a": "again",
    "k": "keep",
    "h": "hold",
    "r": "record",
    "u": "undo",
    "c": "cancel", "\x1b": "cancel", "\x7f": "cancel", "\x08": "cancel",
}  # fmt: skip
HELP = (
    ("space", "play/stop"), ("t", "take over"), ("a", "again"), ("k", "keep"), ("h", "hold"), ("4 r", "record 4 bars"),
    ("u", "undo"), ("c", "cancel"), ("q", "quit"),
)  # fmt: skip
NUMBER_SECONDS = 3.0  # after which a typed number is forgotten
ESCAPE_SECONDS = 0.03  # in which the rest of an arrow key follows
POLL_SECONDS = 0.02  # on Windows, whose consoles cannot be waited for
_SEQUENCE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|O.)")  # arrows, function keys, mouse, answers of the terminal
_BEGUN = re.compile("\x1b(?:\\[[0-?]*[ -/]*|O)?$")


class KeyReader:
    """Text from a terminal to presses; `quit` is called for the key that ends the jam.

    [any: one thread]
    """

    def __init__(
        self,
        press: Callable[[Press], None],
        quit_jam: Callable[[], None] = lambda: None,
        sample_at: Callable[[float], int | None] = lambda seconds: None,
    ) -> None:
        self._press, self._quit, self._sample_at = press, quit_jam, sample_at
        self._number, self._number_at = "", 0.0

    def read(self, text: str, seconds: float) -> None:
        """Characters that came at a monotonic second."""
        for key in _SEQUENCE.sub("", text):
            self._key(key if len(key) == 1 and key in VERB_OF else key.lower(), seconds)

    def _key(self, key: str, seconds: float) -> None:
        number = self._number if seconds - self._number_at < NUMBER_SECONDS else ""
        self._number = ""
        if key in "0123456789":
            self._number, self._number_at = (number + key)[-2:], seconds
        elif key == QUIT:
            self._quit()
        elif key in VERB_OF:
            bars = min(int(number), BARS_MAX) if number and VERB_OF[key] == "record" and int(number) else None
            self._press(Press(VERB_OF[key], bars, "key", self._sample_at(seconds)))


class Keys:
    """A context manager that reads keys of standard input while it is a terminal; `active` says whether it does."""

    def __init__(self, reader: KeyReader, handle: int | None = None) -> None:
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
            self._thread = threading.Thread(target=self._run, name="segue-jam-keys", daemon=True)
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
