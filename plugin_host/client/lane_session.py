"""One lane from the host's side: set up, play, notice that the engine has died, restore the lane when it is back.

    open --> playing --silent for half a second, or its memory is gone--> lost --hello again each second--+
               ^                                                                                          |
               +--------- lane opened, set up, plays on from the next bar to the same end ----------------+

The processor repeats its last bar meanwhile; nothing here runs on the audio thread. A new engine gets all settings
again, and continues the music that was heard last, not the region that the music began with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.control.status_text import is_loading
from bridge.errors import NoAnswer, SegmentMissing, SegueError
from bridge.ring.reader import RingReader
from bridge.system.clock import MONOTONIC, Clock
from bridge.time.transport import Grid
from plugin_host.client import replies
from plugin_host.client.client import EngineClient
from plugin_host.client.lane_calls import When
from plugin_host.playback.processor import FAR_SAMPLES, Processor
from plugin_host.playback.recent_music import Passage

RETRY_SECONDS = 1.0
PING_SECONDS = 0.3
GO_ON_SECONDS = 8.0  # of the music heard last that a new engine continues, at most
REATTACH_MARGIN_SECONDS = 0.5  # from a bar line; nearer than this, the next one is taken


@dataclass(frozen=True)
class RegionFile:
    """A region to send by path."""

    role: str
    path: Path
    bpm: float
    start_beats: float


@dataclass(frozen=True)
class Setup:
    """The settings of a lane before it plays; `seed` -1 draws one. `waits`: its host waits for the music.

    `mix`: prompts with their weights; with `morph_beats` the first is heard alone, and glides to the weights from the
    second bar on.
    """

    prompt: str = ""
    preset: str = ""
    seed: int = -1
    values: Mapping[str, float] = field(default_factory=dict)
    regions: tuple[RegionFile, ...] = ()
    waits: bool = False
    mix: tuple[tuple[str, float], ...] = ()
    morph_beats: float = 0.0

    @property
    def weights(self) -> list[float]:
        """The weights of `mix`.  [any]"""
        return [weight for _, weight in self.mix]


class LaneSession:
    """Keeps one lane open. `say` gets a line of text when something changes."""

    def __init__(
        self,
        client: EngineClient,
        processor: Processor,
        setup: Setup,
        say: Callable[[str], None],
        lane: int = -1,
        clock: Clock = MONOTONIC,
    ) -> None:
        self.client = client
        self._clock = clock
        self.setup = setup
        self.lane = lane
        self.lost = False
        self.losses = 0
        self.seed = setup.seed
        self.understood: list[replies.Understood] = []
        self.model = ""  # of the lane, now; requested again after a loss
        self._processor = processor
        self._say = say
        self._reader: RingReader | None = None
        self._retired: list[tuple[RingReader, float]] = []
        self._end_beats: float | None = None  # of the last play; None for endless
        self._played = False
        self._passage: Passage | None = None  # that the present engine continues
        self._retry_at_seconds = 0.0
        self._lost_at_seconds = 0.0
        self._wants_load = False

    def open(self) -> None:
        """Open the lane, attach its ring, send all settings; raises their errors.  [main]"""
        form = self._processor.sample_rate_hz, self._processor.channels
        opened = self.client.open_lane(self.lane, *form, self.setup.waits)
        self.lane = opened.lane
        passage = self._last_heard()  # before the new ring, which the audio thread uses at once
        if self._reader is None or not self._reader.is_ring(opened.ring) or self._is_retired(self._reader):
            reader = RingReader.attach(opened.ring)
            self._processor.offer(reader)
            self._retire(self._reader)
            self._reader = reader
        self._send_settings(passage)
        self.model = self.client.status().model

    def _last_heard(self) -> Passage | None:
        """The audio prompt for a new engine: the last whole bars heard; the previous ones if there are no newer."""
        if self._played:
            self._passage = self._processor.recent.passage(GO_ON_SECONDS) or self._passage
        return self._passage

    def _send_settings(self, passage: Passage | None) -> None:
        setup = self.setup
        if setup.preset:
            self.client.preset(self.lane, setup.preset)
        if setup.prompt:
            self.client.prompt(self.lane, setup.prompt)
        for number, (text, _) in enumerate(setup.mix, 1):
            self.client.slot(self.lane, number, text)
        if setup.mix and (self._played or not setup.morph_beats):
            self.client.morph(self.lane, setup.weights)
        if self.seed >= 0:
            self.client.set(self.lane, "seed", self.seed)
        for name, value in setup.values.items():
            self.client.set(self.lane, name, value)
        goes_on = passage is not None and self._goes_on_from(passage)
        files = [each for each in setup.regions if not (goes_on and each.role == "continue")]
        self.understood = [
            self.client.region_file(self.lane, each.role, each.path, each.bpm, each.start_beats) for each in files
        ]

    def _goes_on_from(self, passage: Passage) -> bool:
        """Send the music heard last as audio prompt; False, and a message, if the engine cannot use it."""
        grid = passage.grid
        try:
            self.client.region_audio(
                self.lane, "continue", passage.audio, grid.sample_rate_hz, grid.tempo_bpm, passage.start_beats
            )
        except NoAnswer:
            raise
        except SegueError as error:
            self._say(f"the new engine does not go on from what was heard: {error}")
            return False
        return True

    # -- changes that a new engine also gets ---------------------------------------------------------

    def set(self, name: str, value: float, at: When = "now") -> None:
        """Set a parameter, also for later engines.  [main]"""
        self.client.set(self.lane, name, value, at)
        if name == "seed":
            self.seed = int(value)
        self.setup = replace(self.setup, values={**self.setup.values, name: value})

    def prompt(self, text: str, at: When = "now") -> None:
        """Set the prompt, also for later engines.  [main]"""
        self.client.prompt(self.lane, text, at)
        self.setup = replace(self.setup, prompt=text)

    def region(self, region: RegionFile, at: When = "now") -> replies.Understood:
        """Send a region, also to later engines.  [main]"""
        understood = self.client.region_file(self.lane, region.role, region.path, region.bpm, region.start_beats, at)
        others = tuple(each for each in self.setup.regions if each.role != region.role)
        self.setup = replace(self.setup, regions=(*others, region))
        return understood

    def play(self, at_beats: float | str, bars: int, beats_per_bar: float) -> replies.Play:
        """Start the stream at a beat (or "bar"); 0 bars is endless. Returns when its first block is ready.  [main]"""
        answer = self.client.play(self.lane, at_beats, bars)
        self.seed = answer.seed
        if self.setup.mix and self.setup.morph_beats and not self._played:
            begin = answer.start_beats + beats_per_bar
            self.client.morph(self.lane, self.setup.weights, self.setup.morph_beats, begin)
        self._played = True
        self._end_beats = answer.start_beats + bars * beats_per_bar if bars else None
        return answer

    def look(self, grid: Grid, position_samples: int) -> None:
        """Notice that the engine has gone, or restore the lane; call it ten times a second.  [main]"""
        self._close_retired()
        if self._reader is None:
            return
        self._hold(grid)
        if not self.lost:
            reason = self._reason_lost(self._reader)
            if reason:
                self._lose(reason)
        elif not self._reason_lost(self._reader):
            self._found("it was only slow")
        elif self._clock.now_seconds() >= self._retry_at_seconds:
            self._retry_at_seconds = self._clock.now_seconds() + RETRY_SECONDS
            self._try_again(grid, position_samples)

    def _hold(self, grid: Grid) -> None:
        """While the engine is away, or a new one does not play yet, the bar is repeated up to the music's end."""
        until = -FAR_SAMPLES
        if self.lost and self._played:
            until = FAR_SAMPLES if self._end_beats is None else grid.sample_at(self._end_beats)
        self._processor.hold_until_samples = until

    def _reason_lost(self, reader: RingReader) -> str:
        try:
            reader.check()
        except SegmentMissing as error:
            if reader.segment.cut:  # reading it could end this process
                self._processor.offer(None)
                self._retire(reader)
                self._reader = reader
            return str(error)
        if reader.engine_ended():
            return f"its process {reader.engine_pid} has ended"
        if not reader.engine_alive():
            return f"no sign of life from the engine for {reader.engine_silent_seconds():.1f} s"
        return ""

    def _lose(self, reason: str) -> None:
        self.lost = True
        self.losses += 1
        self._lost_at_seconds = self._clock.now_seconds()
        self.model = self.client.latest_model or self.model
        self._wants_load = bool(self.model)
        self._retry_at_seconds = self._clock.now_seconds() + PING_SECONDS
        self._say(f"engine lost ({reason}); holding the last bar until it is back")

    def _try_again(self, grid: Grid, position_samples: int) -> None:
        try:
            self.client.hello(timeout_seconds=PING_SECONDS)
            if not self._has_our_model():
                return
            self.open()
            if self._played:
                self._play_on(grid, position_samples)
        except NoAnswer:
            return
        except SegueError as error:
            self._say(f"engine not ready: {error}")
            return
        self._found("playing on")

    def _has_our_model(self) -> bool:
        """Whether the engine has this lane's model; a new engine is requested to load it."""
        status = self.client.status()
        if self._wants_load and status.state in ("ready", "empty") and status.model != self.model:
            self._wants_load = False
            self._say(f"the engine is asked for {self.model} again, which was playing")
            self.client.start_loading(self.model)
            return False
        return status.state == "ready" and not is_loading(status.text)

    def _found(self, how: str) -> None:
        self.lost = False
        self._say(f"engine back after {self._clock.now_seconds() - self._lost_at_seconds:.1f} s; {how}")

    def _play_on(self, grid: Grid, position_samples: int) -> None:
        """Play from the next reachable bar to the music's end."""
        margin = int(REATTACH_MARGIN_SECONDS * grid.sample_rate_hz)
        bar = grid.next_bar(position_samples + margin)
        start = float(grid.bar_start_beats(bar))
        beats_per_bar = float(grid.signature.beats_per_bar)
        bars = 0 if self._end_beats is None else round((self._end_beats - start) / beats_per_bar)
        if self._end_beats is None or bars > 0:
            end = self._end_beats
            at: float | str = start if bars else "bar"  # the bar line may have passed by now
            self.play(at, bars, beats_per_bar)
            self._end_beats = end

    def _is_retired(self, reader: RingReader) -> bool:
        return any(reader is old for old, _ in self._retired)

    def _retire(self, reader: RingReader | None) -> None:
        if reader is not None and not self._is_retired(reader):
            self._retired.append((reader, self._clock.now_seconds()))

    def _close_retired(self) -> None:
        """Unmap old rings, a second after the audio thread took another one."""
        keep = []
        for reader, since_seconds in self._retired:
            if self._processor.in_use(reader) or self._clock.now_seconds() - since_seconds < 1.0:
                keep.append((reader, since_seconds))
            else:
                reader.close()
        self._retired = keep

    def close(self) -> None:
        """Close the lane and unmap all rings; the audio thread must have stopped. May be called twice.  [main]"""
        self._processor.offer(None)
        if self._reader is not None and not self.lost:
            try:
                self.client.close_lane(self.lane)
            except SegueError as error:
                self._say(f"the lane did not close: {error}")
        for reader, _ in [*self._retired, *([(self._reader, 0.0)] if self._reader else [])]:
            reader.close()
        self._reader, self._retired = None, []
