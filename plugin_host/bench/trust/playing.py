"""An engine with one lane that plays into a host in real time, for rows that do something to it meanwhile."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.errors import SegueError
from bridge.time.transport import Grid
from plugin_host.client.client import SLOW_CALL_SECONDS, EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.host.clock import PacedClock
from plugin_host.host.headless import HeadlessHost, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor

RATE_HZ, BPM, LANE = 48_000, 120.0, 37
WAIT_SECONDS = 60.0


class Waited(SegueError):
    """Something did not happen in time; the message says what."""

    code = "waited"


def wait_for(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> float:
    """Wait for a condition, and return the seconds it took; Waited.  [main]"""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise Waited(f"{what}: not in {seconds:g} s")
        time.sleep(0.002)
    return time.monotonic() - began


def resident_kb(pid: int) -> int:
    """Resident memory of a process in kB.  [any]"""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) if found else 0


@contextmanager
def engine_running(
    folder: Path, arguments: Sequence[str] = (), program: str = "engine", slow_seconds: float = SLOW_CALL_SECONDS
) -> Iterator[tuple[EngineProcess, EngineClient]]:
    """An engine that is hot, and a client; both end with the block.  [main]"""
    engine = EngineProcess(free_port(), folder / "engine.log", arguments, program)
    engine.start()
    try:
        client = engine.connect(
            lambda: EngineClient(engine.port, name="trust", slow_timeout_seconds=slow_seconds), lambda text: None
        )
        try:
            yield engine, client
        finally:
            client.close()
    finally:
        if engine.running:
            os.kill(engine.pid, signal.SIGCONT)
        engine.stop()


class EngineOf(Protocol):
    """An engine's process and its UDP port, however it was started."""

    port: int

    @property
    def pid(self) -> int:
        """Its process id.  [main]"""


@dataclass
class Playing:
    """A lane that plays; `log` is what the session said."""

    engine: EngineOf
    client: EngineClient
    session: LaneSession
    host: Host
    runner: HeadlessHost
    log: list[str]

    @property
    def processor(self) -> Processor:
        """The host's side of the lane.  [any]"""
        return self.host.processor

    @property
    def lost_samples(self) -> int:
        """Frames that were due and that the ring did not have.  [any]"""
        return self.processor.counters.missed_samples

    def look(self) -> None:
        """As a host does ten times a second.  [main]"""
        now = self.host.timeline.now
        self.session.look(now.grid, now.position_samples)

    def look_for(self, seconds: float) -> None:
        """Let it play.  [main]"""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()
            time.sleep(0.05)


@contextmanager
def lane_playing(engine: EngineOf, client: EngineClient, record_seconds: float = 0.0) -> Iterator[Playing]:
    """A lane on an engine, heard by a host in real time for as long as the block lasts.  [main]"""
    processor, log = Processor(RATE_HZ, 2), list[str]()
    host = Host(processor, Timeline(Grid(RATE_HZ, BPM)), None, record_samples=int(record_seconds * RATE_HZ))
    session = LaneSession(client, processor, Setup(seed=1), log.append, LANE)
    runner = HeadlessHost(host, PacedClock(RATE_HZ))
    session.open()
    runner.start()
    try:
        wait_for(lambda: processor.counters.blocks, "the host's first block")
        session.play(0.0, 0, 4.0)
        host.timeline.play()
        wait_for(lambda: processor.counters.played_samples > RATE_HZ // 2, "the first music")
        yield Playing(engine, client, session, host, runner, log)
    finally:
        runner.stop()
        session.close()
