"""`segue host`, `segue watch` and `segue jam` as child processes of the panel: started and ended by the page.

Their last lines and exit codes are states of the panel; they end with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence

from bridge.errors import Busy
from plugin_host.panel.state import PanelState

LINES = 8  # of a program's output that are shown
END_SECONDS = 8.0


class Program:
    """One program, at most one process of it at a time."""

    def __init__(self, name: str, state: PanelState) -> None:
        self.name, self._state = name, state
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._lines: deque[str] = deque(maxlen=LINES)
        self._tell()

    @property
    def running(self) -> bool:
        """Whether it runs.  [any]"""
        return self._process is not None and self._process.poll() is None

    def start(self, arguments: Sequence[str]) -> None:
        """Start `segue NAME` with these arguments; Busy if it runs already.  [any]"""
        with self._lock:
            if self.running:
                raise Busy(f"segue {self.name} runs already: stop it first")
            self._lines.clear()
            apart = {"process_group": 0} if os.name == "posix" else {}  # Ctrl-C is the panel's; it passes it on
            self._process = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603 - our own command
                [sys.executable, "-m", "plugin_host.cli", self.name, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", env={**os.environ, "PYTHONUNBUFFERED": "1"}, **apart,
            )  # fmt: skip
            threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        self._tell()

    def stop(self) -> None:
        """End it as Ctrl-C does, or kill it if it does not end. May be called twice.  [any]"""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            if line.strip():
                self._lines.append(line.rstrip()[:300])
                self._tell()
        process.wait()
        self._tell()

    def _tell(self) -> None:
        process = self._process
        code = None if process is None else process.poll()
        values = {"running": int(self.running), "code": -1 if code is None else code, "lines": "\n".join(self._lines)}
        self._state.put("program", values, self.name)
