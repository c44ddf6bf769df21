"""A terminal that gives single keys at once and echoes none, and is put back as it was, however the program ends.

Ctrl-C interrupts as ever; Ctrl-Z and Ctrl-\\ do nothing, since the music would end with the program. After kill -9
nothing can be put back: `reset` does it. Not for Windows, whose consoles need none of this.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

if sys.platform != "win32":
    import termios

_ENDINGS = ("SIGHUP", "SIGQUIT")  # those that end a program without unwinding it


class Terminal:
    """A context manager; `active` says whether single keys come. No effect on what is no terminal, or one that another
    program has in the foreground.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._before: list[Any] | None = None
        self._signals: dict[int, Any] = {}

    @property
    def active(self) -> bool:
        """Whether the terminal gives single keys.  [any]"""
        return self._before is not None

    def __enter__(self) -> Terminal:
        if sys.platform == "win32" or not os.isatty(self._handle) or not self._in_foreground():
            return self
        self._before = termios.tcgetattr(self._handle)
        wanted = termios.tcgetattr(self._handle)
        wanted[3] &= ~(termios.ICANON | termios.ECHO)
        for control, value in ((termios.VMIN, 1), (termios.VTIME, 0), (termios.VQUIT, b"\0"), (termios.VSUSP, b"\0")):
            wanted[6][control] = value
        atexit.register(self.put_back)
        self._watch_signals()
        termios.tcsetattr(self._handle, termios.TCSANOW, wanted)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.put_back()
        for number, handler in self._signals.items():
            signal.signal(number, handler)
        self._signals.clear()
        atexit.unregister(self.put_back)

    def put_back(self) -> None:
        """Put the terminal back; may be called twice.  [any]"""
        before, self._before = self._before, None
        if before is None or not self._in_foreground():
            return
        with suppress(termios.error):  # it has gone
            termios.tcsetattr(self._handle, termios.TCSANOW, before)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._handle) == os.getpgrp()
        except OSError:
            return True  # it is not this session's terminal: nobody else's either

    def _watch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for name in _ENDINGS:
            number = getattr(signal, name)
            if signal.getsignal(number) is signal.SIG_DFL:
                self._signals[number] = signal.signal(number, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.put_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
