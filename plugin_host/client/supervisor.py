"""`segue engine`: the engine as a child process, restarted after a crash.

    segue engine --signals, exit code--> python -m engine --killed, or out of memory--> the same again

Clients notice the new engine by its hello and set up their lanes again. An engine that ended by itself (a wrong option,
a port in use, no model, a request to quit) is not restarted, nor is one that crashes repeatedly.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from plugin_host.console.screen import complain

RESTARTS_MAX = 3  # within the time below
RESTARTS_SECONDS = 60.0
CRASHED_CODE = 1  # an unexpected error
STOP_SECONDS = 10.0
PASSED_ON = tuple(
    number for name in ("SIGTERM", "SIGINT", "SIGHUP") if (number := getattr(signal, name, None)) is not None
)


class Supervisor:
    """Runs one command until it ends by itself or is stopped."""

    def __init__(self, command: Sequence[str], say: Callable[[str], None]) -> None:
        self._command, self._say = list(command), say
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._crashes: list[float] = []

    def run(self) -> int:
        """Run it, and restart it after a crash; returns its exit code, 128 and more for a signal.  [main]"""
        before = {number: signal.signal(number, self._pass_on) for number in PASSED_ON}
        try:
            while True:
                code = self._once()
                if self._ending or not _crashed(code):
                    return code if code >= 0 else 128 - code
                if not self._may_restart():
                    self._say(f"the engine crashed {len(self._crashes)} times in a minute: it is not started again")
                    return code if code >= 0 else 128 - code
                self._say(f"the engine ended with {_how(code)}: it is started again")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _once(self) -> int:
        apart = {"process_group": 0} if os.name == "posix" else {}  # this process passes on Ctrl-C, once
        self._child = subprocess.Popen(self._command, **apart)  # type: ignore[call-overload]  # noqa: S603 - our own
        if self._ending:  # between two starts
            self._child.terminate()
        return int(self._child.wait())

    def _may_restart(self) -> bool:
        now = time.monotonic()
        self._crashes = [then for then in self._crashes if now - then < RESTARTS_SECONDS] + [now]
        return len(self._crashes) <= RESTARTS_MAX

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on to the engine; a second one kills it."""
        child = self._child
        if child is None or child.poll() is not None:
            self._ending = True
            return
        if self._ending:
            child.kill()
        else:
            child.send_signal(number if os.name == "posix" else signal.SIGTERM)
        self._ending = True


def _crashed(code: int) -> bool:
    return code < 0 or code == CRASHED_CODE


def _how(code: int) -> str:
    try:
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
    except ValueError:
        return f"signal {-code}"


def run_engine(arguments: Sequence[str]) -> int:
    """Run the engine with these arguments, supervised; it ends with this process in any case.  [main]"""
    command = [sys.executable, "-m", "engine", "--parent", str(os.getpid()), *arguments]
    return Supervisor(command, lambda text: complain(f"segue: {text}")).run()
