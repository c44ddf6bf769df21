"""One engine of a farm, in a Ray actor: today's engine as a child process, with what Ray gave it."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bridge.errors import SegueError
from bridge.ring import shared_memory
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port

ASK_SECONDS = 1.0


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
        self._process.start()

    def state(self) -> dict[str, Any]:
        """Its place: address (empty until the model is hot), lanes; the log's end if it has ended.  [main]"""
        found: dict[str, Any] = {"name": self.name, "address": "", "lanes": 0, "lanes_max": 0, "pid": os.getpid()}
        if not self._process.running:
            return {**found, "text": self._process.log_end()}
        try:
            with EngineClient(self._process.port, name="segue farm", timeout_seconds=ASK_SECONDS) as client:
                status = client.status()
        except SegueError as fault:
            return {**found, "text": str(fault)}
        found |= {"lanes": status.lanes_open, "lanes_max": status.lanes_max, "text": status.text}
        if status.state == "ready":
            found["address"] = f"{self._node_address}:{self._far_port}"
        return found

    def stop(self) -> None:
        """End the engine; its relays go on elsewhere.  [main]"""
        self._process.stop()


def _free_tcp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104 - the engine listens there
        return int(probe.getsockname()[1])
