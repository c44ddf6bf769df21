"""One engine of a farm, in a Ray actor: today's engine as a child process, with what Ray gave it."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bridge.errors import NoAnswer, SegueError
from bridge.ring import shared_memory
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port

ASK_SECONDS = 1.0
SILENT_SECONDS = 20.0  # after which an engine that runs and does not answer counts as gone


class EngineActor:
    """Starts an engine that listens for relays; its process ends with this one."""

    def __init__(self, name: str, node_address: str, secret: str, arguments: Sequence[str]) -> None:
        """`node_address`: of this machine, as relays see it.  [main]"""
        shared_memory.remove_stale()
        self.name, self._node_address, self._far_port = name, node_address, _free_tcp_port()
        self._folder = tempfile.TemporaryDirectory(prefix="segue-farm-")
        secret_file = Path(self._folder.name) / "secret"
        secret_file.touch(0o600)
        secret_file.write_text(secret)
        words = [*arguments, "--listen", f"0.0.0.0:{self._far_port}", "--secret-file", str(secret_file)]
        self._process = EngineProcess(free_port(), Path(self._folder.name) / "engine.log", words)
        self._stopped = False
        self._up: dict[str, Any] = {}  # the last state, if the engine was up
        self._answered_seconds = 0.0
        self._process.start()

    def state(self) -> dict[str, Any]:
        """Its place: address (empty until the model is hot), lanes; why not, if it is not up. An engine that has
        crashed is started again.  [main]
        """
        found: dict[str, Any] = {"name": self.name, "address": "", "lanes": 0, "lanes_max": 0, "pid": os.getpid()}
        if self._stopped:
            return {**found, "text": "stopped"}
        try:
            self._process.revive(lambda text: None)
            with EngineClient(self._process.port, name="segue farm", timeout_seconds=ASK_SECONDS) as client:
                status = client.status()
        except NoAnswer:  # it has much to do, or hangs
            if self._up and self._process.running and time.monotonic() - self._answered_seconds < SILENT_SECONDS:
                return self._up
            return {**found, "text": "it does not answer" if self._up else "it starts"}
        except SegueError as fault:
            return {**found, "text": str(fault)}
        found |= {"lanes": status.lanes_open, "lanes_max": status.lanes_max, "text": status.text}
        if status.state == "ready":
            found["address"] = f"{self._node_address}:{self._far_port}"
        self._up, self._answered_seconds = found if found["address"] else {}, time.monotonic()
        return found

    def stop(self) -> None:
        """End the engine; its relays go on elsewhere.  [main]"""
        self._stopped, self._up = True, {}
        self._process.stop()

    def start(self) -> None:
        """Start an engine that was stopped.  [main]"""
        if self._stopped:
            self._process.start()
            self._stopped = False


def _free_tcp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104 - the engine listens there
        return int(probe.getsockname()[1])
