"""Rows 6 and 7: the engine is killed again and again while its lane plays, and a supervisor starts it again.

6  the host lives and its own block is never late, the bar goes on without a step, the death is seen within 100 ms
7  each time the music comes back by itself, in the same take and on a bar line

`measure` is row 6, `restarts.measure` row 7. The twin of row 6 has no held bar, the twin of row 7 no supervisor. The
supervisor's own limit of restarts in a minute is lifted: here they are wanted.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from bridge.time.transport import Transport
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.playing import RATE_HZ, Playing, lane_playing, wait_for
from plugin_host.bench.trust.stage import Stage, percentile
from plugin_host.client import supervisor
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import free_port
from plugin_host.playback.counters import BlockState

SEEN_MS, BACK_SECONDS, STEP_DBFS = 100.0, 60.0, -40.0
PLAYS_SECONDS = 0.4  # between two kills, at least
RESTARTS = 10_000
PROCESS_SHARE = 0.25  # of a block's length


class SupervisedEngine:
    """`segue engine`, and the process of the engine below it."""

    def __init__(self, folder: Path, supervised: bool = True) -> None:
        self.port = free_port()
        alone = ["-m", "engine", "--parent", str(os.getpid())]
        words = ["-m", "plugin_host.bench.trust.kills"] if supervised else alone
        self._log = (folder / "engine.log").open("wb")
        self._supervised = supervised
        self.top = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *words, "--port", str(self.port)], stdout=self._log, stderr=self._log
        )

    @property
    def pid(self) -> int:
        """The engine's process id, 0 while there is none.  [main]"""
        if not self._supervised:
            return self.top.pid if self.top.poll() is None else 0
        children = Path(f"/proc/{self.top.pid}/task/{self.top.pid}/children")
        words = children.read_text().split() if children.exists() else []
        return int(words[0]) if words else 0

    def stop(self) -> None:
        """End both.  [main]"""
        self.top.terminate()
        try:
            self.top.wait(10)
        except subprocess.TimeoutExpired:
            self.top.kill()
            self.top.wait()
        self._log.close()


@contextmanager
def supervised(folder: Path, with_supervisor: bool = True) -> Iterator[tuple[SupervisedEngine, EngineClient]]:
    """A supervised engine that is hot, and a client.  [main]"""
    engine, client = SupervisedEngine(folder, with_supervisor), None
    try:
        client = EngineClient(engine.port, name="trust")
        client.connect(timeout_seconds=BACK_SECONDS)
        wait_for(lambda: client.status().state == "ready", "a hot model", BACK_SECONDS)
        yield engine, client
    finally:
        if client is not None:
            client.close()
        engine.stop()


@dataclass
class Kills:
    """What was seen in each kill."""

    tried: int = 0
    seen_ms: list[float] = field(default_factory=list)
    back_seconds: list[float] = field(default_factory=list)
    host_faults: list[str] = field(default_factory=list)
    back_faults: list[str] = field(default_factory=list)


class Watch:
    """A processor's `process`: the time it takes, its silent blocks, and steps where the source changes; [audio].

    A step counts by what it is above the largest one of the music in the blocks around it.
    """

    def __init__(self, playing: Playing, holds: bool) -> None:
        processor = playing.processor
        self.slow, self.worst_ms, self.blocks, self.step, self.silent = 0, 0.0, 0, 0.0, 0
        self._before: Audio = np.zeros((2, processor.channels), np.float32)
        self._state = processor.state
        self._process, self._holds, self._processor = processor.process, holds, processor
        processor.process = self.process  # type: ignore[method-assign]

    def process(self, out: Audio, transport: Transport) -> None:
        """As the processor's, timed by this thread's processor time."""
        began = time.thread_time()
        self._process(out, transport)
        took = time.thread_time() - began
        state = self._processor.state
        if not self._holds and state != BlockState.PLAYING:
            out[:] = 0
        self.blocks += 1
        self.worst_ms = max(self.worst_ms, 1000 * took)
        self.slow += took > PROCESS_SHARE * len(out) / RATE_HZ
        self.silent += 0 if out.any() else len(out)
        if state != self._state:
            own = max(float(np.abs(np.diff(part, axis=0)).max()) for part in (self._before, out))
            self.step = max(self.step, float(np.abs(out[0] - self._before[-1]).max()) - own)
        self._state, self._before = state, out.copy()


def kill_once(playing: Playing, engine: SupervisedEngine, found: Kills, number: int, patience: float) -> None:
    """Kill the engine, and look until its music is heard again.  [main]"""
    session, processor = playing.session, playing.processor
    losses, rejoins, held = session.losses, processor.counters.rejoins, processor.counters.muted_samples
    began = time.monotonic()
    os.kill(engine.pid, signal.SIGKILL)
    while session.losses == losses and time.monotonic() - began < 10 * SEEN_MS / 1000:
        playing.look()
        time.sleep(0.002)
    found.seen_ms.append(1000 * (time.monotonic() - began))
    if session.losses == losses:
        found.host_faults.append(f"kill {number}: the death was not seen in a second")
    try:
        wait_for(lambda: _heard(playing, rejoins), "music", patience)
        found.back_seconds.append(time.monotonic() - began)
    except Exception as error:
        found.back_faults.append(f"kill {number}: {error}; {' '.join(playing.log[-2:])}")
    muted = processor.counters.muted_samples - held
    if muted:
        found.host_faults.append(f"kill {number}: {muted} silent samples")


def _heard(playing: Playing, rejoins: int) -> bool:
    playing.look()
    return playing.processor.counters.rejoins > rejoins and not playing.session.lost


def run(
    stage: Stage, count: int, holds: bool = True, with_supervisor: bool = True, patience: float = BACK_SECONDS
) -> tuple[Kills, Watch]:
    """The kills, and the host's blocks.  [main]"""
    found, rng = Kills(), random.Random(6)
    engines = supervised(stage.folder, with_supervisor)
    with engines as (engine, client), lane_playing(engine, client) as playing:
        watch = Watch(playing, holds)
        playing.look_for(3.0)
        for number in range(1, count + 1):
            kill_once(playing, engine, found, number, patience)
            found.tried = number
            if found.back_faults and not with_supervisor:
                break
            playing.look_for(PLAYS_SECONDS + rng.uniform(0, 0.5))
    return found, watch


def measure(stage: Stage) -> Figure:
    """Row 6.  [main]"""
    count = stage.count(2, 10, 100)
    found, watch = run(stage, count, holds=not stage.twin)
    faults = [*found.host_faults]
    if watch.silent:
        faults.append(f"{watch.silent} silent samples")
    if stage.timed and watch.slow:
        faults.append(f"{watch.slow} of {watch.blocks} blocks took over {PROCESS_SHARE:.0%} of their length")
    if stage.timed and percentile(found.seen_ms, 0.99) > SEEN_MS:
        faults.append(f"a death was seen after {max(found.seen_ms):.0f} ms, may be {SEEN_MS:.0f}")
    step_dbfs = 20 * float(np.log10(max(watch.step, 1e-9)))
    if step_dbfs > STEP_DBFS:
        faults.append(f"a step is {step_dbfs:.1f} dBFS above the music's own, may be {STEP_DBFS:.0f}")
    worst = f"seen after {max(found.seen_ms):.0f} ms, process() {watch.worst_ms:.2f} ms, steps {step_dbfs:.1f} dBFS"
    return counted(count, "kills that the host lives through", faults, f"at most: {worst}")


if __name__ == "__main__":
    supervisor.RESTARTS_MAX = RESTARTS
    sys.exit(supervisor.run_engine(sys.argv[1:]))
