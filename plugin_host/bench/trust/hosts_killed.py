"""Row 9: hosts are killed while they play; their engine frees what they had, and the next host gets it.

    python -m plugin_host.bench.trust.hosts_killed PORT    a host: opens a lane, plays, says `playing`, lives on

The engine lives, the dead host's lane is free in half a second, the next host has it in 200 ms, and nothing is left.
The twin's hosts stand still instead of dying: their lane is not free.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from bridge.errors import NoSuchLane
from bridge.ring import shared_memory
from bridge.ring.reader import RingReader
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.playing import LANE, Waited, engine_running, lane_playing, wait_for
from plugin_host.bench.trust.stage import Stage
from plugin_host.client.client import EngineClient
from plugin_host.console.screen import print_line

FREED_MS, ATTACH_MS, PATIENCE_SECONDS = 500.0, 200.0, 5.0


def host(port: int) -> None:
    """Play until killed.  [main]"""
    from plugin_host.client.engine_process import EngineProcess

    engine = EngineProcess(port, Path(os.devnull), ())  # another's: it is not started here
    with EngineClient(port, name="mortal") as client, lane_playing(engine, client) as playing:
        print_line(f"playing {client.ring(LANE)}")
        while True:
            playing.look_for(1.0)


def kill_one(client: EngineClient, wait_seconds: float, twin: bool) -> tuple[str, float, float]:
    """The fault of one death, milliseconds until the lane is free, and until the next host has it.  [main]"""
    child = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "plugin_host.bench.trust.hosts_killed", str(client.port)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        if not child.stdout.readline().startswith("playing"):
            return "the host did not play", 0.0, 0.0
        time.sleep(wait_seconds)
        child.send_signal(signal.SIGSTOP if twin else signal.SIGKILL)
        try:
            freed = wait_for(lambda: not _open(client), "the dead host's lane is free", PATIENCE_SECONDS)
        except Waited as error:
            return str(error), 0.0, 0.0
        began = time.monotonic()
        lane, ring = client.open_lane(LANE)
        RingReader.attach(ring).close()
        attached = time.monotonic() - began
        client.close_lane(lane)
        return "", 1000 * freed, 1000 * attached
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _open(client: EngineClient) -> bool:
    try:
        client.lane_status(LANE)
    except NoSuchLane:
        return False
    return True


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count, faults, rng = stage.count(2, 20, 100), list[str](), random.Random(9)
    freed, attached = list[float](), list[float]()
    with engine_running(stage.folder) as (engine, client):
        for number in range(1, count + 1):
            fault, freed_ms, attached_ms = kill_one(client, rng.uniform(0, 0.3), stage.twin)
            freed.append(freed_ms)
            attached.append(attached_ms)
            if stage.timed and (freed_ms > FREED_MS or attached_ms > ATTACH_MS):
                fault = fault or f"lane free after {freed_ms:.0f} ms, the next host has it {attached_ms:.0f} ms later"
            faults += [f"host {number}: {fault}"] if fault else []
            if not engine.running:
                faults.append(f"host {number}: the engine has ended")
                break
        if not stage.twin:
            wait_for(lambda: not _left(engine.pid), "all rings are gone")
    told = f"lane free after {max(freed):.0f} ms of {FREED_MS:.0f} at most, reattached in {max(attached):.0f} ms of "
    return counted(count, "hosts killed", faults, f"{told}{ATTACH_MS:.0f}")


def _left(pid: int) -> list[str]:
    return [name for name in shared_memory.existing() if name.startswith(f"segue-{pid}-")]


if __name__ == "__main__":
    host(int(sys.argv[1]))
