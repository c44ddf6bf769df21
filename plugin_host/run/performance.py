"""A run from start to the last bar: runs the host, supervises the session, shows progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from plugin_host.client.lane_session import LaneSession
from plugin_host.host.clock import OfflineClock, PacedClock
from plugin_host.host.headless import HeadlessHost, Host, HostRecording
from plugin_host.host.jack_card import JackCard
from plugin_host.host.jack_device import JACK, SYSTEM
from plugin_host.host.soundcard import SoundCardHost, open_card
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor
from plugin_host.run import report
from plugin_host.run.region_layout import CHANNELS, RegionLayout
from plugin_host.sync.sync import Sync, SyncRequest

LOOK_SECONDS = 0.05
WITH_JACK = "jack"  # the mode of a sync with JACK
Runner = HeadlessHost | SoundCardHost | JackCard


@dataclass(frozen=True)
class PlaybackOptions:
    """How it plays: on a sound card, without `play` in real time, or `offline` at the engine's pace.

    `lanes`: how many play at once, each of its own seed; a JACK device has ports for each, other outputs get the mix.
    """

    play: bool = False
    sound_device: str | int | None = None
    offline: bool = False
    sync: SyncRequest = field(default_factory=SyncRequest)
    lanes: int = 1


class Performance:
    """One run of one lane, or of several on one timeline; `say` prints a line, `show` the line of progress; `attend`
    is called often.

    With `record`, the whole stretch is recorded; an endless one cannot be.
    """

    def __init__(
        self,
        layout: RegionLayout,
        playback: PlaybackOptions,
        say: Callable[[str], None],
        show: Callable[[str], None],
        record: bool,
    ) -> None:
        self.layout = layout
        self.processor = Processor(layout.stretch.grid.sample_rate_hz, CHANNELS)
        self._playback = playback
        self._say = say
        self._show = show
        self._endless = layout.stretch.bars == 0
        kept = 0 if self._endless or not record else layout.stretch.end_samples
        rate = layout.stretch.grid.sample_rate_hz
        self.more = tuple(Processor(rate, CHANNELS) for _ in range(playback.lanes - 1))
        self.host = Host(self.processor, Timeline(layout.stretch.grid), layout.clip, kept, self.more)

    def run(
        self, session: LaneSession, attend: Callable[[], None], others: Sequence[LaneSession] = ()
    ) -> report.RunFigures:
        """Play the open lane, and the lanes of `more`, up to the last bar; an endless one never ends.  [main]"""
        stretch = self.layout.stretch
        grid = stretch.grid
        lanes = [each.lane for each in (session, *others)]
        with self._running(lanes) as runner, self._synced(runner) as leader_plays:
            went = time.monotonic()
            session.play(stretch.start_beats, stretch.bars, float(grid.signature.beats_per_bar))
            first_sound_seconds = time.monotonic() - went
            for other in others:
                other.play(stretch.start_beats, stretch.bars, float(grid.signature.beats_per_bar))
            self._say(f"first sound ready {1000 * first_sound_seconds:.0f} ms after go (seed {session.seed})")
            if not leader_plays:
                self.host.timeline.play()
            self._watch(runner, (session, *others), attend)
        engine, lane = session.client.stats(), session.client.lane_stats(session.lane)
        late = runner.clock.late if isinstance(runner, HeadlessHost) else runner.flagged
        found = report.figures(
            self.host.take(), stretch, self.processor, first_sound_seconds, lane.realtime_ratio,
            engine.memory_mb, late, session.losses,
        )  # fmt: skip
        return replace(found, fill_low_samples=None) if self._playback.offline else found

    @property
    def take(self) -> HostRecording:
        """The recording.  [main]"""
        return self.host.take()

    @contextmanager
    def _running(self, lanes: Sequence[int] = ()) -> Iterator[Runner]:
        """A context with the host stopped at the start of its timeline, so that the engine gets its tempo."""
        runner: Runner
        if self._playback.play:
            runner = self._card(lanes)
        elif self._playback.offline:
            runner = HeadlessHost(self.host, OfflineClock(self.processor.ready))
        else:
            runner = HeadlessHost(self.host, PacedClock(self.processor.sample_rate_hz))
        runner.start()
        if not isinstance(runner, HeadlessHost):
            self._say(f"sound card: {1000 * runner.latency_seconds:.0f} ms latency")
        try:
            while self.processor.counters.blocks == 0 and runner.running:
                time.sleep(0.002)
            yield runner
        finally:
            runner.stop()

    def _card(self, lanes: Sequence[int]) -> Runner:
        device = self._playback.sound_device
        if device is None and self._playback.sync.mode == WITH_JACK:
            device = JACK  # the leader's server plays too
        if isinstance(device, str) and device.startswith(JACK):
            return JackCard(self.host, device.removeprefix(JACK) or SYSTEM, self._say, lanes=lanes)
        return open_card(self.host, device, self._say, lanes)

    @contextmanager
    def _synced(self, runner: Runner) -> Iterator[bool]:
        """Start external sync if enabled; yields whether the leader controls playback."""
        request = self._playback.sync
        if request.idle:
            yield False
            return
        latency = 0.0 if isinstance(runner, HeadlessHost) else runner.latency_seconds
        sync = Sync(self.host.timeline, request, self._say, latency)
        try:
            yield sync.start()
        finally:
            sync.stop()

    def _watch(self, runner: Runner, sessions: Sequence[LaneSession], attend: Callable[[], None]) -> None:
        end = self.layout.stretch.end_samples
        while runner.running and self.host.timeline.now.position_samples < end:
            attend()
            now = self.host.timeline.now
            for session in sessions:
                session.look(now.grid, now.position_samples)
            time.sleep(LOOK_SECONDS)
            self._show(self._progress())
        self._show("")

    def _progress(self) -> str:
        """One line: position, state, fill."""
        stretch, processor = self.layout.stretch, self.processor
        position = self.host.timeline.now.position_samples
        bar = stretch.grid.bar_at(position)
        who, state = "Segue", processor.state.name.lower()
        if position < stretch.start_samples:
            who, state = "your region", "playing"
        ring = report.fill_text(processor.fill_samples, stretch.grid)
        where = f"bar {bar + 1}"
        if not self._endless:
            bars = stretch.grid.bar_at(stretch.end_samples)
            done = 24 * position // stretch.end_samples
            where = f"[{'#' * done:<24}] bar {min(bar + 1, bars)} of {bars}"
        underruns = processor.counters.underruns
        return f"{where}  {who}: {state}  ring {ring}" + (f"  underruns {underruns}" if underruns else "")
