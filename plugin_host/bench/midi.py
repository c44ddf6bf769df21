"""`segue bench --midi`: from a control change to its parameter in the engine.

    message --> decoder, map, pickup --> UDP --> engine, the lane's value is set --> its answer
    |                                                                              |
    +----------------------------- measured ---------------------------------------+

The MIDI system's own time before the message, as a block of JACK, is not in it. Values come as often as a lane takes
them, twenty a second: faster ones replace each other.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bridge.control import messages
from bridge.control.packet import parse
from bridge.control.udp_socket import open_socket
from bridge.errors import SegueError
from plugin_host.bench.bench import BenchError, FigureRow, show_rows
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.console.output import check_file, put
from plugin_host.console.screen import Screen
from plugin_host.doctor.doctor import version
from plugin_host.midi.binding import bind
from plugin_host.midi.mapper import Mapper
from plugin_host.midi.targets import Target
from plugin_host.run.performance import Performance, PlaybackOptions
from plugin_host.run.region_layout import RegionRequest, lay_out_region

CHANGES = 1000
EVERY_SECONDS = 0.055  # on one lane
LANES = 4  # that stand, changed in turn
BARS = 28
ANSWER_SECONDS = 5.0
GOAL_MS = 10.0


class _Changes:
    """Sends control changes through a map, and takes the time until the engine answers each."""

    def __init__(self, port: int, lanes: Sequence[int]) -> None:
        self._engine = ("127.0.0.1", port)
        self._socket = open_socket("127.0.0.1", 0)
        self._socket.settimeout(ANSWER_SECONDS)
        self._mapper = Mapper(self._send)
        self._mapper.use(bind(f"cc {lane}", "level_db", lane, low=-12.0, high=0.0, pickup=False) for lane in lanes)
        self._lanes = lanes

    def close(self) -> None:
        self._socket.close()

    def _send(self, target: Target, value: float | None) -> None:
        self._socket.sendto(target.row.pack(*target.values(value)), self._engine)

    def measure(self, count: int, show: Callable[[str], None]) -> list[float]:
        """Milliseconds of each change."""
        import mido

        took, every = [], EVERY_SECONDS / len(self._lanes)
        for number, lane in zip(range(count), itertools.cycle(self._lanes), strict=False):
            message = mido.Message("control_change", control=lane, value=(37 * number) % 128)
            began = time.monotonic()
            self._mapper.act(self._mapper.decode(message, began), began)
            self._answer()
            took.append(1000 * (time.monotonic() - began))
            time.sleep(max(0.0, began + every - time.monotonic()))
            if number % 50 == 0:
                show(f"control change {number} of {count}")
        return took

    def _answer(self) -> None:
        try:
            (packet,) = parse(self._socket.recv(65535))
        except TimeoutError:
            raise BenchError(f"the engine did not answer a change in {ANSWER_SECONDS:g} s") from None
        if packet.address != messages.OK.address:
            raise BenchError(f"the engine refused a change: {packet.values}")


def measure_midi(device: str, changes: int, screen: Screen) -> list[FigureRow]:
    """On lanes that stand, then on one that plays; errors as a demo's.  [main]"""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        engine = EngineProcess(free_port(), out / "engine.log", ["--device", device])
        try:
            engine.start()
            with closing(engine.connect(lambda: EngineClient(engine.port, name="segue bench"), screen.say)) as client:
                lanes = [client.open_lane().lane for _ in range(LANES)]
                rows = _rows("lanes stand", _measured(engine.port, lanes, changes, screen))
                for lane in lanes:
                    client.close_lane(lane)
                with _playing(client, out, screen) as lane:
                    rows += _rows("a lane plays", _measured(engine.port, [lane], changes, screen))
        finally:
            engine.stop()
    return rows


def _measured(port: int, lanes: Sequence[int], changes: int, screen: Screen) -> list[float]:
    with closing(_Changes(port, lanes)) as sender:
        took = sender.measure(changes, screen.show)
    screen.show("")
    return took


def _rows(name: str, took: list[float]) -> list[FigureRow]:
    at = {share: float(np.percentile(took, share)) for share in (50, 95, 99)}
    return [
        FigureRow(f"control change to parameter, {name}, p{share}", ms, "ms", f"< {GOAL_MS:g}")
        for share, ms in at.items()
    ] + [FigureRow(f"control change to parameter, {name}, slowest of {len(took)}", max(took), "ms")]


@contextmanager
def _playing(client: EngineClient, out: Path, screen: Screen) -> Iterator[int]:
    """A context in which a lane plays in real time; what it says of its music is left out."""
    layout = lay_out_region(RegionRequest(bars=BARS), out)
    performance = Performance(layout, PlaybackOptions(), lambda line: None, lambda line: None, record=False)
    session = LaneSession(client, performance.processor, Setup(regions=(layout.region,) if layout.region else ()),
                          screen.say)  # fmt: skip
    faults: list[SegueError] = []

    def play() -> None:
        try:
            performance.run(session, lambda: None)
        except SegueError as fault:
            faults.append(fault)

    session.open()
    thread = threading.Thread(target=play, name="segue-bench-play", daemon=True)
    try:
        thread.start()
        while thread.is_alive() and client.lane_status(session.lane).state != "playing":
            time.sleep(0.05)
        yield session.lane
        if not thread.is_alive():
            raise faults[0] if faults else BenchError("the music ended before the changes did")
    finally:
        thread.join()
        session.close()


def run_midi_bench(out: Path, device: str, quick: bool, screen: Screen) -> None:
    """Measure, print, write JSON; OutputError, BenchError, and the errors of a demo.  [main]"""
    check_file(out)
    rows = measure_midi(device, CHANGES // 5 if quick else CHANGES, screen)
    show_rows(rows, screen)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    head: dict[str, Any] = {"segue": version(), "machine": platform.platform(), "cores": os.cpu_count(), "load": load}
    put(out, json.dumps({**head, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    screen.say(f"written to {out}")
