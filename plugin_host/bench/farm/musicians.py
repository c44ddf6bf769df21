"""Some musicians of the stage, in one process: each a relay, a host in real time, and a panel that steers it.

`python -m plugin_host.bench.farm.musicians DOOR SECRET_FILE FIRST COUNT`: plays until a line comes on standard input;
then prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from bridge.errors import SegueError
from bridge.far import frames
from bridge.time.transport import Grid
from plugin_host.bench.farm.ear import Ear
from plugin_host.client.client import EngineClient
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.console.screen import print_line
from plugin_host.host.clock import PacedClock
from plugin_host.host.headless import Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor
from plugin_host.relay.jitter_buffer import BufferChoice
from plugin_host.relay.relay import Relay

RATE_HZ, BPM, BAR_SAMPLES, BLOCK_SAMPLES = 48_000, 120.0, 96_000, 2048
LOOK_SECONDS = 0.1
OPEN_SECONDS = 300.0


class Musician:
    """One of them; `temperature` is what the panel sets, not the host."""

    def __init__(self, number: int) -> None:
        self.number, self.port = number, 0
        self.temperature = 0.5 + number / 64
        self.prompt, self.seed = f"musician {number}", 1000 + number
        self.said: list[tuple[float, str]] = []
        self.ear = Ear(RATE_HZ, BAR_SAMPLES)
        self.over = threading.Event()
        self.found: dict[str, Any] = {}
        self.thread = threading.Thread(target=self._run, daemon=True)

    def say(self, text: str) -> None:
        """A line of the relay or of the host.  [any]"""
        self.said.append((time.time(), text))

    def _run(self) -> None:
        try:
            self._play()
        except SegueError as fault:
            self.found["fault"] = f"{type(fault).__name__}: {fault}"

    def _play(self) -> None:
        processor, timeline = Processor(RATE_HZ), Timeline(Grid(RATE_HZ, BPM))
        timeline.play()
        host, clock = Host(processor, timeline), PacedClock(RATE_HZ)
        ended = threading.Event()

        def audio() -> None:
            out = np.zeros((BLOCK_SAMPLES, 2), np.float32)
            while not ended.is_set():
                clock.wait(BLOCK_SAMPLES)
                position = timeline.now.position_samples
                host.render(out)
                self.ear.listen(out, position, processor.state)

        with EngineClient(port=self.port, name=f"host {self.number}") as client:
            session = LaneSession(client, processor, Setup(prompt="at first", seed=self.seed), self.say)
            self._until_done(session.client.hello)
            self._until_done(session.open)
            sounding = threading.Thread(target=audio, daemon=True)
            sounding.start()
            self._until_done(lambda: session.play("bar", 0, 4.0))
            self._until_done(lambda: self._steer(session.lane))
            while not self.over.wait(LOOK_SECONDS):
                session.look(timeline.now.grid, timeline.now.position_samples)
            self.found |= {"clock_late": clock.late, "underruns": processor.counters.underruns,
                           "losses": session.losses, "lane": session.lane}  # fmt: skip
            with suppress(SegueError):
                status = client.lane_status(session.lane)
                kept = client.get(session.lane, "temperature").value
                self.found |= {"seed": status.seed, "temperature_kept": abs(kept - self.temperature) < 1e-4,
                               "seed_kept": status.seed == self.seed, "late_blocks":
                               client.lane_stats(session.lane).late_blocks}  # fmt: skip
            ended.set()
            sounding.join()

    def _steer(self, lane: int) -> None:
        """What the panel sets, and the host does not know."""
        with EngineClient(port=self.port, name=f"panel {self.number}") as panel:
            panel.prompt(lane, self.prompt)
            panel.set(lane, "temperature", self.temperature)

    def _until_done(self, act: Callable[[], object]) -> None:
        """Again and again, as a person would on a busy machine."""
        deadline = time.monotonic() + OPEN_SECONDS
        while True:
            try:
                act()
                return
            except SegueError as fault:
                self.say(f"{type(fault).__name__}: {fault}")
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def result(self) -> dict[str, Any]:
        """What was heard and said.  [main]"""
        held = [(each.begun_seconds, each.seconds, each.on_bar) for each in self.ear.held]
        return {"number": self.number, **self.found, "holes": self.ear.holes, "blocks": self.ear.blocks,
                "heard": self.ear.heard, "held": held, "said": self.said}  # fmt: skip


async def _run(where: tuple[str, int], secret: str, first: int, count: int) -> None:
    relays, musicians, running = [], [], []
    for number in range(first, first + count):
        musician = Musician(number)
        relay = Relay(where, secret, BufferChoice(), musician.say)
        await relay.port.open(0)
        musician.port = relay.port.port
        relays.append(relay)
        musicians.append(musician)
        running.append(asyncio.ensure_future(relay.run()))
        musician.thread.start()
    await asyncio.to_thread(sys.stdin.readline)
    for each in musicians:
        each.over.set()
    for each in musicians:
        await asyncio.to_thread(each.thread.join, 60)
    for relay in relays:
        relay.quit()
    await asyncio.gather(*running, return_exceptions=True)
    print_line(json.dumps([each.result() for each in musicians]))


if __name__ == "__main__":
    door, secret_file, first, count = sys.argv[1:5]
    asyncio.run(_run(frames.address_of(door), Path(secret_file).read_text().strip(), int(first), int(count)))
