"""The engine for the panel: its states and events as they come, and what has to be asked for, on a thread.

    engine --state/... and events-->                  PanelState
    engine <--stats, lane/stats, ping, once a second  the latency ledger

An engine that ends and comes back is greeted again by the client; the panel then subscribes again.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any

from bridge.control import messages
from bridge.control.arguments import Message
from bridge.control.rows import ROOT
from bridge.control.state_rows import ALL_WHAT
from bridge.errors import NoAnswer, NoSuchLane, SegueError
from plugin_host.client.client import EngineClient
from plugin_host.client.udp_connection import Event
from plugin_host.panel.peaks import LanePicture
from plugin_host.panel.state import PanelState

STATE_ROOT, DUMPED = f"{ROOT}/state/", f"{ROOT}/dumped"
_log = logging.getLogger("segue.panel")
TURN_SECONDS = 0.04  # 25 pictures a second
LEDGER_SECONDS, HELLO_SECONDS = 1.0, 1.0
ALONE_SECONDS = 3.0  # of silence, after which the engine is gone
RATE_HZ = 10.0
OF_LANE = ("lane", "prompt", "parameter", "time", "beat", "levels", "ring", "pending", "stats", "host", "region")


class EngineLink:
    """A client of the engine, its pictures, and the thread that looks after both; also a context manager."""

    def __init__(self, port: int, host: str, secret: str, state: PanelState) -> None:
        self.port, self.state = port, state
        self.client = EngineClient(port, host, name="segue panel", secret=secret, on_event=self._on_event)
        self._greeted = -1  # restarts of the engine at the last greeting; -1: none yet
        self._started = False
        self._pictures: dict[int, LanePicture] = {}
        self._underruns: dict[int, int] = {}
        self._due: dict[str, float] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-panel-link", daemon=True)

    def __enter__(self) -> EngineLink:
        self.state.put("link", {"there": 0, "port": self.port})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        for picture in self._pictures.values():
            picture.close()
        self.client.close()

    def ask(self, row: Message, values: dict[str, Any], on_progress: Any = None) -> dict[str, Any]:
        """The values of an answer, by name; errors as `EngineClient.call`.  [any]"""
        given = [values.get(each.name, each.default) for each in row.arguments[1:]]
        while given and given[-1] is None:
            given.pop()
        answer = self.client.call(row, *given, on_progress=on_progress)
        return {column.name: value for column, value in zip(row.reply, answer, strict=True)}

    # -- what comes -----------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        address, values = event.message.address, dict(event.values)
        if address.startswith(STATE_ROOT):
            self._on_state(address.removeprefix(STATE_ROOT), values)
        elif address == DUMPED:
            self.state.tell("monitor", values)
        else:
            self.state.tell(address.removeprefix(f"{ROOT}/"), values)
            if event.message is messages.EVENT_REGION:
                self.state.put("region", values, f"{values['lane']} {values['role']}")

    def _on_state(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "lane" and values["state"] == "closed":
            self._forget(int(values["lane"]))
        elif kind == "parameter":
            self.state.put(kind, values, f"{values['lane']} {values['name']}")
        elif kind == "progress":
            self.state.put(kind, values, values["what"])
        else:
            self.state.put(kind, values, values.get("lane", ""))

    def _forget(self, lane: int) -> None:
        self.state.drop(lane, *OF_LANE)
        for kind in ("parameter", "region"):
            for about in self.state.about(kind):
                if about.split(" ")[0] == str(lane):
                    self.state.drop(about, kind)

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.wait(TURN_SECONDS):
            try:
                self._turn()
            except NoAnswer:
                continue
            except SegueError as fault:
                self.state.put("link", {"there": 0, "port": self.port, "text": str(fault)})
                self._closing.wait(HELLO_SECONDS)
            except Exception:  # the panel goes on, whatever an engine of another version says
                _log.exception("the panel does not understand the engine")
                self._closing.wait(HELLO_SECONDS)

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True

    def _turn(self) -> None:
        if not self._greet():
            return
        if self._is_due("ledger", LEDGER_SECONDS):
            self._ledger()
        self._draw()

    def _greet(self) -> bool:
        """Say hello to a new engine, and subscribe; False while there is none."""
        there = self._greeted >= 0 and self.client.silent_seconds < ALONE_SECONDS
        if there and self._greeted == self.client.restarts:
            return True
        if not self._is_due("hello", HELLO_SECONDS):
            return False
        try:
            greet = self.client.hello if self._started else self.client.connect
            self._started = True
            hello = greet(HELLO_SECONDS)
        except NoAnswer:
            self.state.put("link", {"there": 0, "port": self.port, "text": "no engine answers"})
            self._drop_lanes()
            return False
        restarts = self.client.restarts
        self.client.call(messages.SUBSCRIBE, ALL_WHAT, RATE_HZ)
        self._greeted = restarts
        self.state.put("link", {"there": 1, "port": self.port, "engine": hello.engine, "text": ""})
        return True

    def _drop_lanes(self) -> None:
        for lane in self.state.about("lane"):
            self._forget(int(lane))
        for about in self.state.about("progress"):
            self.state.drop(about, "progress")
        self.state.drop("", "engine", "stats", "model")

    def _ledger(self) -> None:
        begun = time.monotonic()
        self.client.ping()
        round_trip_ms = 1000 * (time.monotonic() - begun)
        with suppress(SegueError):
            self.state.put("stats", {**self.client.stats()._asdict(), "round_trip_ms": round_trip_ms})
            self.state.put("model", self.client.model()._asdict())
        for about in self.state.about("lane"):
            lane = int(about)
            try:
                self.state.put("stats", self.client.lane_stats(lane)._asdict(), lane)
                self._host(lane)
            except NoSuchLane:  # the datagram that said so was lost
                self._forget(lane)
            except SegueError:
                continue

    def _host(self, lane: int) -> None:
        """What the host of a lane does: its block, its rate, its underruns and when the last one was."""
        seen = self._pictures[lane].host() if lane in self._pictures else None
        underruns = int(self.state.get("ring", lane).get("underruns", 0))
        last = self.state.get("host", lane).get("underrun_at", "")
        if underruns > self._underruns.setdefault(lane, underruns):
            last = time.strftime("%H:%M:%S")
        self._underruns[lane] = underruns
        values = {"underruns": underruns, "underrun_at": last, "listener": self.client.lane_status(lane).listener}
        if seen is not None:
            transport, age, block = seen
            rate = transport.sample_rate_hz
            values |= {"block_ms": 1000 * block / rate, "rate_hz": rate, "stale": int(age > ALONE_SECONDS)}
        self.state.put("host", values, lane)

    def _draw(self) -> None:
        if not self.state.watched:
            return
        lanes = {int(about) for about in self.state.about("lane")}
        for lane in set(self._pictures) - lanes:
            self._pictures.pop(lane).close()
        for lane in lanes - set(self._pictures):
            if self._is_due(f"ring {lane}", 1.0):
                with suppress(SegueError):
                    self._pictures[lane] = LanePicture(lane, self.client.ring(lane))
        for lane, picture in list(self._pictures.items()):
            data = picture.read()
            if data is None:
                self._pictures.pop(lane).close()
            else:
                self.state.picture(lane, data)
