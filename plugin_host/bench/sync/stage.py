"""An engine in its own process, and runs of one lane on it: in real time, or as fast as the engine delivers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from bridge.time.course import Course
from bridge.time.tempo_map import TempoMap
from bridge.time.transport import Grid
from plugin_host.bench.sync.patient_clock import PatientClock
from plugin_host.bench.sync.recorder import Recorder, Recording
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.client.udp_connection import Event, OnEvent
from plugin_host.console.screen import Screen
from plugin_host.host.clock import BlockClock, OfflineClock, PacedClock
from plugin_host.host.headless import HeadlessHost
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor
from plugin_host.run.region_layout import CHANNELS, RegionLayout, RegionRequest, lay_out_region

RATE_HZ = 48_000
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 120.0


class ClockKind(Enum):
    """The host's clock: as fast as the engine delivers, real time, or real time but waiting for the engine."""

    ACCELERATED = "accelerated"
    REAL = "real"
    PATIENT = "patient"


class Stage:
    """The engine of all scenes; `folder` holds its log and changed regions."""

    def __init__(self, folder: Path, device: str, screen: Screen) -> None:
        self.folder = folder
        self.screen = screen
        self.engine = EngineProcess(free_port(), folder / "engine.log", ["--device", device])
        self.client: EngineClient
        self.listeners: list[OnEvent] = []  # receive the engine's events
        self.realtime_ratio = 0.0
        self.change_clock = ClockKind.REAL  # PATIENT if the engine cannot keep up

    @contextmanager
    def open(self) -> Iterator[Stage]:
        """Start the engine and connect; ends it in every case.  [main]"""
        try:
            self.engine.start()
            connected = self.engine.connect(self._client, self.screen.say)
            with contextlib.closing(connected) as self.client:
                yield self
        finally:
            self.engine.stop()

    def _client(self) -> EngineClient:
        return EngineClient(self.engine.port, name="segue bench", on_event=self._on_event)

    def _on_event(self, event: Event) -> None:
        for listener in tuple(self.listeners):
            listener(event)

    def region(self, bpm: float) -> RegionLayout:
        """The included region nearest to a tempo, laid out at it.  [main]"""
        return lay_out_region(RegionRequest(bpm=bpm, rate_hz=RATE_HZ), self.folder)

    def signal(self, number: int) -> float:
        """Send a signal to the engine's process; returns the time on the monotonic clock.  [main]"""
        os.kill(self.engine.pid, number)
        return time.monotonic()

    def resume(self) -> float:
        """Continue a stopped engine.  [main]"""
        return self.signal(signal.SIGCONT)


class BenchRun:
    """One lane that continues a region on its own timeline."""

    def __init__(
        self,
        stage: Stage,
        layout: RegionLayout,
        seconds: float,
        clock_kind: ClockKind = ClockKind.REAL,
        tempi: TempoMap | None = None,
    ) -> None:
        """The host stands one bar before the music begins, or with `tempi` follows that map.  [main]"""
        self.stage, self.layout = stage, layout
        self.lines: list[str] = []
        self.processor = Processor(RATE_HZ, CHANNELS)
        grid = layout.stretch.grid
        course = None if tempi is None else Course(tempi, RATE_HZ)
        begin = grid.bar_start(layout.stretch.start_bar - 1)
        self.timeline = Timeline(grid, begin, course=course)
        self.host = Recorder(self.processor, self.timeline, seconds)
        self.runner = HeadlessHost(self.host, self._clock(clock_kind))
        regions = (layout.region,) if layout.region else ()
        self.session = LaneSession(stage.client, self.processor, Setup(seed=1, regions=regions), self.lines.append)

    def _clock(self, clock_kind: ClockKind) -> BlockClock:
        if clock_kind == ClockKind.ACCELERATED:
            return OfflineClock(self.processor.ready)
        return PatientClock(RATE_HZ, self.processor.ready) if clock_kind == ClockKind.PATIENT else PacedClock(RATE_HZ)

    @property
    def grid(self) -> Grid:
        """The grid at the start of the run.  [any]"""
        return self.layout.stretch.grid

    @contextmanager
    def playing(self, bars: int = 0) -> Iterator[BenchRun]:
        """A context: open the lane, wait for the music, run the host; closes everything at the end.  [main]"""
        try:
            self.session.open()
            self.runner.start()
            self._await(lambda: self.processor.counters.blocks > 0)
            stretch = self.layout.stretch
            self.session.play(stretch.start_beats, bars, float(stretch.grid.signature.beats_per_bar))
            self.timeline.play()
            yield self
        finally:
            self.runner.stop()
            self.session.close()

    def _await(self, condition: Callable[[], object], patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Look after session and engine until a condition holds; False after the patience.  [main]"""
        deadline = time.monotonic() + patience_seconds
        while not condition():
            if time.monotonic() > deadline or not self.runner.running:
                return False
            self.stage.engine.revive(self.lines.append)
            now = self.timeline.now
            self.session.look(now.grid, now.position_samples)
            time.sleep(LOOK_SECONDS)
        return True

    def until(self, condition: Callable[[], object], patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Play until a condition holds; False after the patience.  [main]"""
        return self._await(condition, patience_seconds)

    def until_beats(self, beats: float, patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Play until the host is at a beat.  [main]"""
        return self.until(lambda: self.timeline.now.position_beats >= beats, patience_seconds)

    def for_seconds(self, seconds: float) -> None:
        """Play for a time.  [main]"""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, seconds + PATIENCE_SECONDS)

    def to_the_end(self) -> None:
        """Play until the recording is full; stops if no more music comes.  [main]"""
        last, since = -1, time.monotonic()
        while self.runner.running:
            if self.host.recorded_samples != last:
                last, since = self.host.recorded_samples, time.monotonic()
            if time.monotonic() - since > PATIENCE_SECONDS:
                return
            self.for_seconds(0.1)

    def recording(self) -> Recording:
        """The recording so far.  [main]"""
        return self.host.recording()
