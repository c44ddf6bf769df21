"""The engine that the panel starts: started again if it crashes; one that ends by itself, as for its model, says why.

It is not tried again then: the page shows the reason, and starts it with another model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bridge.errors import Busy, SegueError
from plugin_host.client.engine_process import EngineProcess
from plugin_host.client.engine_request import EngineRequest
from plugin_host.panel.state import PanelState

LOOK_SECONDS = 0.5
Say = Callable[[str], None]


class OwnEngine:
    """None until `start`; also a context manager, which ends it. `say` gets lines for the terminal."""

    def __init__(self, request: EngineRequest, scratch: Path, state: PanelState, say: Say) -> None:
        self._request, self.state, self._say = request, state, say
        self._log = scratch / "engine.log"
        self._lock = threading.Lock()
        self._engine: EngineProcess | None = None
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="segue-panel-engine", daemon=True)

    def __enter__(self) -> OwnEngine:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._keeper.join()
        if self._engine is not None:
            self._engine.stop()

    def start(self, model: str = "") -> None:
        """Start it, with a model, or with that of the command line; Busy if it runs or another one does.  [any]"""
        with self._lock:
            if self.state.get("link").get("there") or (self._engine is not None and self._engine.running):
                raise Busy("an engine runs already: change its model instead")
            request = replace(self._request, model=model, precision="auto") if model else self._request
            self._say(f"engine: starting, model {request.model}, device {request.device}; its port is {request.port}")
            self._tell(request.model, "")
            engine = EngineProcess(request.port, self._log, request.arguments)
            engine.start()
            self._request, self._engine = request, engine

    def _keep(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            with self._lock:
                self._look()

    def _look(self) -> None:
        if self._engine is None:
            return
        try:
            self._engine.revive(self._say)
        except SegueError as fault:
            self._engine = None
            self._say(str(fault))
            self._tell(self._request.model, str(fault).splitlines()[0])

    def _tell(self, model: str, text: str) -> None:
        self.state.put("own", {"model": model, "text": text})
