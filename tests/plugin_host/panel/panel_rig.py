"""A panel in this process: the real server, desk and link; the engine's side answers every request by its row."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.control import messages
from bridge.control.arguments import Argument, Message
from bridge.control.endpoint import Endpoint
from bridge.control.requests import Answer, Request
from bridge.errors import NoSuchLane
from plugin_host.client.engine_process import free_port
from plugin_host.panel.desk import Desk, Places, Shared
from plugin_host.panel.gate import Gate
from plugin_host.panel.link import EngineLink
from plugin_host.panel.server import make_app, make_server
from plugin_host.panel.state import PanelState

OWNER, GUEST = "owner-token-of-the-test", "guest-token-of-the-test"


def value_of(row: Argument) -> Any:
    """A value that a row allows, the same each time."""
    if row.choices:
        return row.choices[-1] if row.kind == "s" else int(row.choices[-1])
    if row.kind in ("s", "at"):
        return "bar" if row.kind == "at" else row.name[: row.max_length]
    return max(row.low, min(row.high, 3)) if row.kind == "i" else max(row.low, min(row.high, 0.5))


@dataclass
class AnyEngine:
    """Answers each request with values of its reply columns; lane 0 is open."""

    came: list[Request] = field(default_factory=list)

    def handlers(self) -> dict[str, Any]:
        own = (messages.HELLO, messages.BYE, messages.PING, messages.CHALLENGE, messages.SYNC, *messages.STATE_REQUESTS)
        return {row.address: self._handler(row) for row in messages.REQUESTS if row not in own}

    def _handler(self, row: Message) -> Any:
        said = {
            messages.STATUS: ("ready", "embedded", "cpu", 1, 8, ""),
            messages.MODEL: ("embedded", 32000, 1, 10.0, "text melody style continue tempo", "CC0", "int8", ""),
            messages.MODEL_LIST: ("embedded", "small melody"),
            messages.LANE_STATUS: ("playing", 16.0, 3, 1234, "melody", "a host plays it", "", "1", "1"),
            messages.LANE_RING: ("segue-1-0",),
            messages.LANE_SCHEDULED: (2, "7 prompt 16, 8 mute 24"),
        }.get(row, tuple(value_of(column) for column in row.reply))

        def handle(request: Request) -> Answer:
            self.came.append(request)
            if row is messages.LANE_STATUS and request.whole("lane") > 3:
                raise NoSuchLane(f"lane {request.whole('lane')} is not open")
            return said

        return handle


@dataclass
class Rig:
    """A panel that serves: its port, its engine's side, its desk."""

    port: int
    engine: AnyEngine
    desk: Desk
    state: PanelState

    @property
    def owner(self) -> str:
        return f"http://127.0.0.1:{self.port}/{OWNER}/"

    @property
    def guest(self) -> str:
        return f"http://127.0.0.1:{self.port}/{GUEST}/"


@contextmanager
def serving(folder: Path) -> Iterator[Rig]:
    """A rig, in a context; `folder` is its session and its scratch folder."""
    engine, state = AnyEngine(), PanelState()
    with (
        Endpoint(0, engine.handlers(), engine="test 1") as endpoint,
        EngineLink(endpoint.port, "127.0.0.1", "", state) as link,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        port = int(listening.getsockname()[1])
        desk = Desk(Places(endpoint.port, free_port(), free_port(), folder, folder), link, state, Shared())
        server = make_server(make_app(Gate(port, OWNER, GUEST), desk))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Rig(port, engine, desk, state)
        finally:
            server.should_exit = True
            thread.join()
            desk.close()
