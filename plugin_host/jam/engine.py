"""The engine of a jam: a running one, or a child process that is started again if it dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plugin_host.client.client import SLOW_CALL_SECONDS, EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.engine_request import EngineRequest
from plugin_host.client.udp_connection import Event

CALL_SECONDS = 10.0  # a busy machine may take so long to answer
PATIENT_SECONDS = 120.0  # offline, where an answer that is given up would make another jam


@dataclass(frozen=True)
class JamEngine:
    """A connected engine; `attend` restarts a child that has died."""

    client: EngineClient
    attend: Callable[[], None]


@contextmanager
def jam_engine(
    request: EngineRequest,
    log: Path,
    say: Callable[[str], None],
    receive: Callable[[Event], None],
    patient: bool = False,
    journal: Path | None = None,
) -> Iterator[JamEngine]:
    """A context with the engine, hot; a child ends with it. `patient`: for jams that are not in real time.
    A child writes its lanes' journals into the folder `journal`.

    Raises the engine's errors.  [main]
    """

    def client_at(port: int) -> EngineClient:
        seconds = PATIENT_SECONDS if patient else CALL_SECONDS
        return EngineClient(
            port, name="segue jam", secret=request.secret, on_event=receive, timeout_seconds=seconds,
            slow_timeout_seconds=PATIENT_SECONDS if patient else SLOW_CALL_SECONDS,
        )  # fmt: skip

    if request.port:
        with client_at(request.port) as client:
            yield JamEngine(client, lambda: None)
        return
    kept = [] if journal is None else ["--journal", str(journal.absolute())]
    process = EngineProcess(free_port(), log, [*request.arguments, *kept])
    say(f"engine: starting, model {request.model}, device {request.device}")
    try:
        process.start()
        client = process.connect(lambda: client_at(process.port), say)
        try:
            yield JamEngine(client, lambda: process.revive(say))
        finally:
            client.close()
    finally:
        process.stop()
