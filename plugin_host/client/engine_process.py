"""The engine as a child process: start it, wait until it is hot, restart it if it dies, end it.

It runs as `python -m engine`; none of its modules is imported here. Its output goes to a log file, whose end is shown
if it fails.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bridge.errors import NoAnswer, SegueError
from bridge.ring import shared_memory
from plugin_host.client.client import EngineClient
from plugin_host.client.started_engine import EXITS, last_words

START_SECONDS = 120.0
CONNECT_SECONDS = 1.0
STOP_SECONDS = 5.0
RESTARTS_MAX = 3
_LOG_LINES = 12


class EngineProcessError(SegueError):
    """The engine did not start, or died too often; the message has the end of its log."""

    code = "engine_process"


def free_port() -> int:
    """A free UDP port of this machine.  [main]"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EngineProcess:
    """One child engine; `arguments` go to `python -m engine`, or another program that runs the engine."""

    def __init__(self, port: int, log: Path, arguments: Sequence[str], program: str = "engine") -> None:
        self.port = port
        self.log = log
        self.restarts = 0
        ours = ["--port", str(port), "--parent", str(os.getpid())]
        self._command = [sys.executable, "-m", program, *ours, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 before `start`.  [main]"""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether the process lives.  [main]"""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended, the negative number of a signal; None while it runs, and before.  [main]"""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the process; EngineProcessError if Python does not start.  [main]"""
        own_group = {"process_group": 0} if os.name == "posix" else {}
        try:
            with self.log.open("ab" if self.restarts else "wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    **own_group,  # type: ignore[call-overload]
                )
        except OSError as error:
            raise EngineProcessError(f"the engine does not start: {error}") from None

    def connect(self, client: Callable[[], EngineClient], say: Callable[[str], None]) -> EngineClient:
        """A client connected to the hot model; `client` makes one for each try.

        EngineProcessError if the process ends, reports a failure, or takes too long.  [main]
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._check(deadline)
            made = client()
            try:
                made.connect(timeout_seconds=CONNECT_SECONDS)
                break
            except NoAnswer:
                made.close()
        try:
            self._wait_hot(made, deadline, say)
        except BaseException:
            made.close()
            raise
        return made

    def _wait_hot(self, client: EngineClient, deadline: float, say: Callable[[str], None]) -> None:
        shown = ""
        while True:
            self._check(deadline)
            with contextlib.suppress(NoAnswer):
                status = client.status()
                if status.state == "ready":
                    return
                if status.state == "failed":
                    raise EngineProcessError(f"the engine failed: {status.text}\n{self.log_end()}")
                if status.text and status.text != shown:
                    shown = status.text
                    say(f"engine: {shown}")
            time.sleep(0.05)

    def _check(self, deadline: float) -> None:
        if not self.running:
            code = self._process.returncode if self._process else None
            raise EngineProcessError(f"the engine ended with code {code} while it started:\n{self.log_end()}")
        if time.monotonic() > deadline:
            raise EngineProcessError(f"the engine was not ready in {START_SECONDS:.0f} s:\n{self.log_end()}")

    def died(self) -> EngineProcessError:
        """The error for an engine that has ended, with the end of its log.  [main]"""
        code = self._process.poll() if self._process else None
        return EngineProcessError(f"the engine ended with code {code}:\n{self.log_end()}")

    def revive(self, say: Callable[[str], None]) -> None:
        """Restart it if it has died; EngineProcessError after three times, or if it ended by itself, as for a model
        that cannot be used.  [main]
        """
        if self.running or self._process is None:
            return
        code = self._process.returncode
        if code and code in EXITS:
            raise EngineProcessError(last_words(self.log, crashed=False) or f"the engine ended with code {code}")
        if self.restarts == RESTARTS_MAX:
            raise EngineProcessError(
                f"the engine died {RESTARTS_MAX + 1} times, last with code {code}:\n{self.log_end()}"
            )
        self.restarts += 1
        say(f"the engine ended with code {code}; starting it again ({self.restarts} of {RESTARTS_MAX})")
        shared_memory.remove_stale()
        self.start()

    def log_end(self) -> str:
        """The last lines of its log.  [main]"""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return "\n".join(f"    {line}" for line in lines[-_LOG_LINES:]) or "    (its log is empty)"

    def stop(self) -> None:
        """Request its end, kill it after five seconds, remove its segments. May be called twice.  [main]"""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except BaseException as error:  # also a second Ctrl-C: the engine must not outlive this process
                process.kill()
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
        shared_memory.remove_stale()
