"""Row 4: 10,000 commands a second for 20 s while a lane plays, then as many mutated datagrams.

No frame may be lost, no acknowledged command, no ping of a client beside; pings take 10 ms at most (99th percentile),
and the engine's memory does not grow after first floods of six seconds. The twin's engine stands still for some
seconds.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from plugin_host.bench.trust import flood
from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.ping import Pings
from plugin_host.bench.trust.playing import LANE, Playing, engine_running, lane_playing, resident_kb
from plugin_host.bench.trust.stage import Stage

PER_SECOND = 10_000
QUIET_NAME = "temperature"
GROWTH_KB = 1024
STILL_SECONDS = 6.0
FIRST = 60_000  # of each kind; the second flood finds the buffers, and the ring, as full as they get


class QuietClient:
    """Another client on the machine, which sets a parameter five times a second, and reads it back."""

    def __init__(self, playing: Playing) -> None:
        self._client, self._done = playing.client, threading.Event()
        self.commands, self.faults = 0, list[str]()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._done.wait(0.2):
            value = 0.5 + self.commands % 8 / 8
            try:
                self._client.set(LANE, QUIET_NAME, value)
                got = self._client.get(LANE, QUIET_NAME).value
            except Exception as error:
                self.faults.append(f"the quiet client's command {self.commands}: {error}")
                continue
            self.commands += 1
            if got != value:
                self.faults.append(f"the quiet client's command {self.commands} was acknowledged, and lost")

    def stop(self) -> list[str]:
        """Its faults.  [main]"""
        self._done.set()
        self._thread.join()
        return self.faults


def flooded(playing: Playing, kind: str, count: int, stage: Stage) -> tuple[list[str], str]:
    """The faults of a flood, and its figures.  [main]"""
    child = flood.start(kind, playing.engine.port, PER_SECOND, count)
    before_kb = resident_kb(playing.engine.pid)
    with Pings(playing.engine.port) as pings:
        quiet = QuietClient(playing)
        if stage.twin:
            threading.Thread(target=_stand_still, args=(playing.engine.pid,), daemon=True).start()
        done = flood.finished(child)
        faults = quiet.stop()
        faults += pings.faults(stage.timed)
    playing.look_for(1.0)
    grown_kb = resident_kb(playing.engine.pid) - before_kb
    if grown_kb > GROWTH_KB:
        faults.append(f"{kind}: the engine's memory grew by {grown_kb} kB")
    if done.sent < count:
        faults.append(f"{kind}: only {done.sent} of {count} were sent")
    if kind == "commands":
        value = playing.client.get(LANE, flood.PARAMETER).value
        if abs(value - done.last_value) > flood.STEP / 4:
            faults.append(f"the last acknowledged command set {done.last_value:g}, the engine has {value:g}")
    rate = done.sent / max(done.seconds, 1e-9)
    told = f"{kind} {done.sent:,} at {rate:,.0f}/s, {done.acked:,} acknowledged, ping p99 {pings.p99_ms:.1f} ms, "
    return faults, told + f"memory {grown_kb:+d} kB"


def _stand_still(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STILL_SECONDS)
    os.kill(pid, signal.SIGCONT)


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count = PER_SECOND * stage.count(4, 20, 60)
    faults, told = list[str](), list[str]()
    with engine_running(stage.folder) as (engine, client), lane_playing(engine, client) as playing:
        for kind in ("commands", "mutated"):  # what is kept for a while is kept from now on
            flood.finished(flood.start(kind, engine.port, PER_SECOND, FIRST))
        playing.look_for(4.0)
        counters = playing.processor.counters
        lost, samples = playing.lost_samples, counters.samples
        for kind, n_sent in (("commands", count), ("mutated", count)):
            new, line = flooded(playing, kind, n_sent, stage)
            faults += new
            told.append(line)
        due, lost = counters.samples - samples, playing.lost_samples - lost
    return Figure(due - lost, due, "frames played", "; ".join(told), tuple(faults))
