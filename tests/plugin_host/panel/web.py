"""A websocket of a test: synchronous, messages in a queue."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

SECONDS = 30.0


class WebSocket:
    """Connects, or raises ConnectionRefusedError; `texts` and `pieces` get whole messages."""

    def __init__(self, url: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname or "", where.port or 80), SECONDS)
        self._socket.settimeout(None)
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._lock = threading.Lock()
        self.texts: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.pieces: list[bytes] = []
        self._answered, self.closed, self._parts = threading.Event(), threading.Event(), list[Any]()
        self.accepted = False
        own = [(b"origin", f"http://{where.netloc}".encode())] if headers is None else headers
        self.send_event(Request(host=where.netloc, target=where.path, extra_headers=own))
        threading.Thread(target=self._run, daemon=True).start()
        assert self._answered.wait(SECONDS)
        if not self.accepted:
            raise ConnectionRefusedError(url)

    def send_event(self, event: Any) -> None:
        with self._lock:
            self._socket.sendall(self._wire.send(event))

    def send(self, message: Any) -> None:
        self.send_event(TextMessage(message if isinstance(message, str) else json.dumps(message)))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _run(self) -> None:
        while not self.closed.is_set():
            try:
                data = self._socket.recv(1 << 20)
            except OSError:
                data = b""
            self._wire.receive_data(data or None)
            for event in self._wire.events():
                self._take(event)
            if not data:
                self.closed.set()
                self._answered.set()

    def _take(self, event: Any) -> None:
        if isinstance(event, AcceptConnection):
            self.accepted = True
            self._answered.set()
        elif isinstance(event, (RejectConnection, CloseConnection)):
            self.closed.set()
            self._answered.set()
        elif isinstance(event, Ping):
            self.send_event(event.response())
        elif isinstance(event, Message):
            self._parts.append(event.data)
            if event.message_finished:
                if isinstance(event, BytesMessage):
                    self.pieces.append(b"".join(self._parts))
                else:
                    self.texts.put("".join(self._parts))
                self._parts = []


class Page:
    """What a page of the panel knows: the table, the newest states, events, answers."""

    def __init__(self, address: str) -> None:
        self.socket = WebSocket(f"{address.replace('http', 'ws', 1)}ws", None)
        self.table: dict[str, Any] = {}
        self.role = ""
        self.states: dict[tuple[str, str], Any] = {}
        self.events: list[dict[str, Any]] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._unnumbered = 0
        self._id = 1

    def __enter__(self) -> Page:
        self.wait(lambda: self.table)
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def read(self, seconds: float = 0.05) -> None:
        try:
            said = json.loads(self.socket.texts.get(timeout=seconds))
        except queue.Empty:
            return
        if "table" in said:
            self.table, self.role = said["table"], said["role"]
        elif "state" in said:
            self.states[said["state"], said["about"]] = said["values"]
        elif "event" in said:
            self.events.append(said)
        elif "progress" not in said:
            self._answers[said["id"]] = said
            self._unnumbered += said["id"] <= 1

    def answered(self) -> int:
        """How many answers came to requests without a number of ours."""
        return self._unnumbered

    def wait(self, condition: Any, seconds: float = SECONDS) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "waited in vain"
            self.read()
        return found

    def do(self, address: str, **values: Any) -> dict[str, Any]:
        """The whole answer: with `ok` or `error`."""
        self._id += 1
        id = self._id
        self.socket.send({"id": id, "do": address, "values": values})
        self.wait(lambda: id in self._answers)
        return self._answers.pop(id)
