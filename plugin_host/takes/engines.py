"""The engine that makes takes: a running one, or a child process."""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bridge.control import messages
from bridge.errors import SegueError
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.engine_request import EngineRequest as EngineRequest
from plugin_host.client.udp_connection import Event
from plugin_host.takes.errors import TakeFailed

HASHED_BYTES_MAX = 2**29
KEY_SURE = 0.3  # from here on a detected key is used
SILENT_SECONDS = 10.0  # a running engine that is silent for so long is gone
CALL_SECONDS = 10.0  # a busy machine may take so long to answer


@dataclass(frozen=True)
class HotEngine:
    """A connected engine with a hot model; `sha256` of its weights if it is a child; `alive` says if it still runs.

    `keys` has the detected key of a lane's region, by lane, some seconds after the region was sent.
    """

    client: EngineClient
    model: str
    precision: str
    sha256: str
    alive: Callable[[], bool]
    keys: dict[int, str] = field(default_factory=dict)
    made: Callable[[int, str, str], None] = lambda order, name, path: None  # reports a take to all clients
    report: Callable[[str, int, int, str], None] = lambda name, done, total, text: None  # progress of stems, to them


@contextmanager
def hot_engine(request: EngineRequest, say: Callable[[str], None]) -> Iterator[HotEngine]:
    """A context with the requested engine, hot; a child ends with the block. Raises the engine's errors.  [main]"""
    keys: dict[int, str] = {}
    if request.port:
        with _client(request.port, request.secret, keys) as client:
            yield _described(client, "", lambda: client.silent_seconds < SILENT_SECONDS and not client.restarts, keys)
        return
    with tempfile.TemporaryDirectory(prefix="segue-") as folder:
        engine = EngineProcess(free_port(), Path(folder) / "engine.log", request.arguments)
        say(f"engine: starting, model {request.model}, device {request.device}")
        try:
            engine.start()
            client = engine.connect(lambda: _client(engine.port, "", keys), say)
            try:
                yield _described(client, weights_sha256(request.model), lambda: engine.running, keys)
            finally:
                client.close()
        finally:
            engine.stop()


def _client(port: int, secret: str, keys: dict[int, str]) -> EngineClient:
    def on_event(event: Event) -> None:
        said = event.values
        if event.message is messages.EVENT_REGION and float(str(said["key_sure"])) >= KEY_SURE:
            keys[int(str(said["lane"]))] = str(said["key"])

    return EngineClient(port, name="segue take", secret=secret, on_event=on_event, timeout_seconds=CALL_SECONDS)


def _described(client: EngineClient, sha256: str, alive: Callable[[], bool], keys: dict[int, str]) -> HotEngine:
    status = client.status()
    if status.state != "ready":
        raise TakeFailed(f"the engine is {status.state}{', ' if status.text else ''}{status.text}: load a model first")

    def report(name: str, done: int, total: int, text: str) -> None:
        with suppress(SegueError):  # an engine that is older or busy: nothing waits for it
            client.call(messages.REPORT, "stems", name[:64], done, total, text, timeout_seconds=0.5)

    return HotEngine(client, status.model, client.model().precision, sha256, alive, keys, client.take_made, report)


def weights_sha256(model: str) -> str:
    """Checksum of a model's weights on this machine; empty if they are elsewhere, or large.  [any]"""
    files = sorted(_folder(model).glob("*.safetensors")) if _folder(model).is_dir() else []
    if not files or sum(file.stat().st_size for file in files) > HASHED_BYTES_MAX:
        return ""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _folder(model: str) -> Path:
    """The folder of a model's files: that of a model in the package, or the named one."""
    engine = importlib.util.find_spec("engine") if model == "embedded" else None
    places = list(engine.submodule_search_locations or ()) if engine else []
    return Path(places[0]) / "models" / "embedded" if places else Path(model).expanduser()
