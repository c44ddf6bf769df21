"""A panel in this process: the real server, desk and link. The engine's side answers every request by its row, and
sends those who subscribe the state of an engine with one lane, by the rows of the table, as the real one does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.control import messages, midi_rows
from bridge.control.arguments import Argument, Message
from bridge.control.clients import Client
from bridge.control.endpoint import Endpoint
from bridge.control.parameters import PARAMETERS
from bridge.control.requests import Answer, Request
from bridge.control.state_rows import REFRESH_SECONDS, STATE_REQUESTS, STATES_OF, SUBSCRIBE
from bridge.errors import NoSuchLane
from plugin_host.client.engine_process import free_port
from plugin_host.midi.osc import MidiPort
from plugin_host.panel.desk import Desk, Places, Shared
from plugin_host.panel.gate import Gate
from plugin_host.panel.link import EngineLink
from plugin_host.panel.server import make_app, make_server
from plugin_host.panel.state import PanelState

OWNER, GUEST = "owner-token-of-the-test", "guest-token-of-the-test"


def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def value_of(row: Argument) -> Any:
    """A value that a row allows, the same each time."""
    if row.choices:
        return row.choices[-1] if row.kind == "s" else int(row.choices[-1])
    if row.kind in ("s", "at"):
        return "bar" if row.kind == "at" else row.name[: row.max_length]
    return max(row.low, min(row.high, 3)) if row.kind == "i" else max(row.low, min(row.high, 0.5))


SAID = {  # where a row's columns alone would say too little
    messages.STATUS: ("ready", "embedded", "cpu", 1, 8, ""),
    messages.MODEL: ("embedded", 32000, 1, 10.0, "text melody style continue tempo", "CC0", "int8", ""),
    messages.MODEL_LIST: ("embedded", "small melody"),
    messages.LANE_STATUS: ("playing", 16.0, 3, 1234, "melody", "a host plays it", "", "1", "1"),
    messages.LANE_RING: ("segue-1-0",),
    messages.LANE_SCHEDULED: (2, "7 prompt 16, 8 mute 24"),
    messages.STATE_ENGINE: ("ready", "embedded", "cpu", 1, ""),
    messages.STATE_LANE: (0, "playing", 3, 1234, "melody", 0, 1, ""),
    messages.STATE_PROMPT: (0, "soft pads"),
    messages.STATE_TIME: (0, 0, 8.0, 2, 0.0, 120.0, 4, 4, 0),
    messages.STATE_RING: (0, 1990.0, 4.0, 16.0, 0, 0),
    messages.STATE_PENDING: (0, 2, "7 prompt 16, 8 mute 24", "prompt", 16.0, 8.0),
    messages.STATE_PROGRESS: ("loading", "", 0, 0, ""),
}  # fmt: skip


@dataclass
class AnyEngine:
    """Answers each request with values of its reply columns; no lane above 3 is open, and only lane 0 is told."""

    came: list[Request] = field(default_factory=list)
    subscribers: list[Client] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    endpoint: Endpoint | None = None
    said: dict[Message, tuple[Any, ...]] = field(default_factory=lambda: dict(SAID))

    def handlers(self) -> dict[str, Any]:
        """Handlers of every request that the endpoint does not answer itself."""
        own = (messages.HELLO, messages.BYE, messages.PING, messages.CHALLENGE, messages.SYNC, *STATE_REQUESTS)
        rows = [row for row in messages.REQUESTS if row not in own or row is messages.DUMP]
        return {SUBSCRIBE.address: self._subscribe, **{row.address: self._handler(row) for row in rows}}

    def _handler(self, row: Message) -> Any:
        def handle(request: Request) -> Answer:
            self.came.append(request)
            if row in (messages.LANE_STATUS, messages.LANE_STATS) and request.whole("lane") > 3:
                raise NoSuchLane(f"lane {request.whole('lane')} is not open")
            return self._values(row, row.reply)

        return handle

    def _subscribe(self, request: Request) -> Answer:
        self.came.append(request)
        if request.client not in self.subscribers:
            self.subscribers.append(request.client)
        if len(self.subscribers) == 1:
            assert self.endpoint is not None
            self.endpoint.later(0.0, self._refresh)
        return request.number("rate_hz"), len(STATES_OF), 30.0, 250.0

    def _refresh(self) -> None:
        """All states, as after a subscription and from time to time.  [control]"""
        for row in (row for states in STATES_OF.values() for row in states):
            if row is messages.STATE_PARAMETER:
                for parameter in PARAMETERS.values():
                    self.tell(row, 0, parameter.name, parameter.default)
            else:
                self.tell(row, *self._values(row, row.arguments))
        assert self.endpoint is not None
        self.endpoint.later(REFRESH_SECONDS, self._refresh)

    def _values(self, row: Message, columns: Sequence[Argument]) -> tuple[Any, ...]:
        return self.said.get(row) or tuple(value_of(column) for column in columns)

    def start(self, model: str) -> None:
        """What the panel does to start an engine."""
        self.started.append(model)

    def tell(self, row: Message, *values: object) -> None:
        """Send a state to those who subscribed.  [any]"""
        assert self.endpoint is not None
        datagram = row.pack(*values)
        for client in self.subscribers:
            self.endpoint.send(datagram, client.address)


@dataclass
class AnyMap:
    """The MIDI map's side: its port, what was asked of it, its rows."""

    came: list[tuple[Message, Mapping[str, Any]]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    port: MidiPort | None = None

    def handle(self, row: Message, values: Mapping[str, Any]) -> Sequence[object]:
        """A request, by its row."""
        assert self.port is not None
        if row is not midi_rows.MIDI_MAP:
            self.came.append((row, values))
        if row is midi_rows.MIDI_LEARN:
            self.port.tell(midi_rows.MIDI_LEARNING, 1, values["to"])
        for mapped in self.rows if row is midi_rows.MIDI_MAP else ():
            self.port.reply(midi_rows.MIDI_MAPPED, *mapped)
        return (len(self.rows),) if row.reply else ()

    def moved(self, control: str, to: str, *rest: object) -> None:
        """The player moves a control: it is learned."""
        assert self.port is not None
        self.rows.append((control, to, *rest))
        self.port.tell(midi_rows.MIDI_LEARNING, 0, to)
        self.port.tell(midi_rows.MIDI_LEARNED, control, to)


@dataclass
class Rig:
    """A panel that serves: its port, its engine's side, its desk."""

    port: int
    engine: AnyEngine
    desk: Desk
    state: PanelState
    controller: AnyMap

    @property
    def owner(self) -> str:
        return f"http://127.0.0.1:{self.port}/{OWNER}/"

    @property
    def guest(self) -> str:
        return f"http://127.0.0.1:{self.port}/{GUEST}/"


@contextmanager
def serving(folder: Path) -> Iterator[Rig]:
    """A rig, in a context; `folder` is its session and its scratch folder."""
    engine, state, controller = AnyEngine(), PanelState(), AnyMap()
    with (
        Endpoint(0, engine.handlers(), engine="test 1") as endpoint,
        EngineLink(endpoint.port, "127.0.0.1", "", state) as link,
        MidiPort(0, controller.handle) as midi,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        engine.endpoint, controller.port = endpoint, midi
        port = int(listening.getsockname()[1])
        places = Places(endpoint.port, free_port(), free_port(), midi.port, folder, folder)
        desk = Desk(places, link, state, Shared(), engine.start)
        server = make_server(make_app(Gate(port, OWNER, GUEST), desk))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Rig(port, engine, desk, state, controller)
        finally:
            server.should_exit = True
            thread.join()
            desk.close()
