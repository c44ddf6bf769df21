"""The main job: an engine process continues a region in tempo; out come a WAV, a picture and a report.

engine process <--OSC--> session  ........................... this file, [main]
      |                                                            |
      +--shared memory--> processor <-- headless host or sound card, [audio]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from bridge.errors import SegueError
from bridge.region import Region
from bridge.region_file import read_region
from bridge.ring import Audio
from bridge.transport import Grid
from bridge.units import samples_to_beats, samples_to_seconds
from plugin_host import report
from plugin_host.clip import Clip, fit, place_before_bar, tempo_of
from plugin_host.clock import OfflineClock, PacedClock
from plugin_host.engine_process import EngineProcess
from plugin_host.headless import HeadlessHost, Host, Take
from plugin_host.processor import Processor
from plugin_host.session import LaneSession, RegionFile, Setup
from plugin_host.soundcard import SoundCardHost
from plugin_host.timeline import Timeline

RATE_HZ = 48_000
CHANNELS = 2
LOOK_SECONDS = 0.05
Runner = HeadlessHost | SoundCardHost


class OutputError(SegueError):
    """A result cannot be written; the message says where and why."""

    code = "output"


@dataclass(frozen=True)
class DemoOptions:
    """What `segue demo` was asked for; `bpm` None takes the region's own tempo."""

    bpm: float | None = None
    bars: int = 16
    prompt: str = ""
    seed: int = -1
    region: Path | None = None
    role: str = "continue"
    out: Path = Path("segue-demo")
    play: bool = False
    sound_device: str | int | None = None
    offline: bool = False


@dataclass(frozen=True)
class Plot:
    """The region on the host's timeline, and the file the engine reads."""

    clip: Clip
    file: Path
    name: str
    stretch: report.Stretch
    notes: tuple[str, ...]
    start_beats: float


def shipped_regions() -> dict[str, Path]:
    """The regions in the package, by name.  [main]"""
    folder = Path(str(resources.files("presets"))) / "regions"
    return {path.stem: path for path in sorted(folder.glob("*.*")) if path.suffix in (".flac", ".wav")}


def choose_region(options: DemoOptions) -> Path:
    """The file asked for, a shipped one by name, or the shipped one nearest to the tempo.  [main]"""
    shipped = shipped_regions()
    if options.region is not None:
        return shipped.get(str(options.region), options.region).expanduser().absolute()
    if not shipped:
        raise OutputError(
            "the package has no regions of its own: is it installed whole? Give one: --region FILE"
        )
    wanted = 120.0 if options.bpm is None else options.bpm
    return min(shipped.values(), key=lambda path: abs(tempo_of(path, 8.0)[0] - wanted))


def plot_region(options: DemoOptions) -> Plot:
    """Read the region and lay it on the timeline, so that it ends on the bar line where the music goes on.

    Raises the RegionError that fits, OutputError when a changed copy cannot be written.  [main]
    """
    path = choose_region(options)
    region = read_region(str(path), options.role, 120.0, 0.0)
    if options.region is not None and options.bpm is not None and path not in shipped_regions().values():
        own_bpm, how = options.bpm, "as given"
    else:
        own_bpm, how = tempo_of(path, region.seconds)
    bpm = own_bpm if options.bpm is None else options.bpm
    grid = Grid(RATE_HZ, bpm)
    notes = [f"tempo {own_bpm:g} bpm ({how})"] + ([region.note] if region.note else [])
    if own_bpm != bpm:
        notes.append(f"played at {bpm:g} bpm like a record, pitch and all")
    audio = fit(region.audio, region.rate_hz, own_bpm, grid, CHANNELS)
    clip, bar = place_before_bar(audio, grid, fade_out=options.role != "continue")
    file = path if own_bpm == bpm else _write_copy(options.out / "region.wav", clip.audio)
    seconds = samples_to_seconds(clip.start_samples, RATE_HZ)
    beats = float(samples_to_beats(clip.start_samples, bpm, RATE_HZ)) if seconds else 0.0
    stretch = report.Stretch(grid, grid.bar_start(bar), grid.bar_start(bar + options.bars))
    return Plot(clip, file, path.name, stretch, tuple(notes), beats)


def _write_copy(path: Path, audio: Audio) -> Path:
    save_wav(path, audio)
    return path.absolute()


def save_wav(path: Path, audio: Audio) -> None:
    """Write 24-bit WAV at the host's rate; what is above full scale is clipped. OutputError.  [main]"""
    import soundfile

    try:
        soundfile.write(path, audio, RATE_HZ, subtype="PCM_24")
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from None


class Demo:
    """One run; `say` prints a line, `show` the line of progress that is written over."""

    def __init__(
        self,
        options: DemoOptions,
        engine: EngineProcess,
        say: Callable[[str], None],
        show: Callable[[str], None],
    ) -> None:
        self.options = options
        self._engine = engine
        self._say = say
        self._show = show
        self.processor = Processor(RATE_HZ, CHANNELS)

    def run(self, plot: Plot, session: LaneSession) -> tuple[Take, report.Figures]:
        """Play it; the engine is hot and the lane open. What was recorded, and the figures.  [main]"""
        stretch = plot.stretch
        timeline = Timeline(stretch.grid)
        host = Host(self.processor, timeline, plot.clip, record_samples=stretch.end_samples)
        with self._running(host) as runner:
            went = time.monotonic()
            start_beats = float(stretch.grid.beats_at(stretch.start_samples))
            beats_per_bar = float(stretch.grid.signature.beats_per_bar)
            session.play(round(start_beats, 6), self.options.bars, beats_per_bar)
            first_sound_seconds = time.monotonic() - went
            self._say(f"first sound ready {1000 * first_sound_seconds:.0f} ms after go (seed {session.seed})")
            timeline.play()
            self._watch(host, runner, session, stretch)
        stats, lane = session.client.stats(), session.client.lane_stats(session.lane)
        late = runner.clock.late if isinstance(runner, HeadlessHost) else runner.flagged
        found = report.figures(
            host.take(), stretch, self.processor, first_sound_seconds, lane.realtime_ratio, stats.memory_mb,
            late, session.losses,
        )  # fmt: skip
        return host.take(), found

    @contextmanager
    def _running(self, host: Host) -> Iterator[Runner]:
        """The host, standing at the start of its timeline, so that the engine hears of its tempo."""
        runner: Runner
        if self.options.play:
            runner = SoundCardHost(host, self.options.sound_device)
            self._say(f"sound card: {1000 * runner.latency_seconds:.0f} ms latency")
        elif self.options.offline:
            runner = HeadlessHost(host, OfflineClock(self.processor.ready))
        else:
            runner = HeadlessHost(host, PacedClock(RATE_HZ))
        runner.start()
        try:
            while self.processor.counters.blocks == 0 and runner.running:
                time.sleep(0.002)
            yield runner
        finally:
            runner.stop()

    def _watch(self, host: Host, runner: Runner, session: LaneSession, stretch: report.Stretch) -> None:
        while runner.running and not host.finished:
            now = host.timeline.now
            self._engine.revive(self._say)
            session.look(now.grid, now.position_samples)
            self._show(progress(host, stretch))
            time.sleep(LOOK_SECONDS)
        self._show("")


def progress(host: Host, stretch: report.Stretch) -> str:
    """One line: where, what, how full."""
    now, processor = host.timeline.now, host.processor
    bars = stretch.grid.bar_at(stretch.end_samples)
    bar = min(stretch.grid.bar_at(now.position_samples), bars - 1)
    what = "your region" if now.position_samples < stretch.start_samples else "Segue"
    state = processor.state.name.lower() if what == "Segue" else "playing"
    fill = report.fill_text(processor.fill_samples, stretch.grid)
    done = now.position_samples / stretch.end_samples
    line = f"[{'#' * int(24 * done):<24}] bar {bar + 1:>2} of {bars}  {what}: {state}  ring {fill}"
    return line + (f"  underruns {processor.counters.underruns}" if processor.counters.underruns else "")


def setup_of(options: DemoOptions, plot: Plot) -> Setup:
    """What the lane is told."""
    region = RegionFile(options.role, plot.file, plot.stretch.grid.tempo_bpm, plot.start_beats)
    return Setup(prompt=options.prompt, seed=options.seed, regions=(region,))


def with_folder(options: DemoOptions) -> DemoOptions:
    """The options with an absolute folder that exists; OutputError when it cannot be made.  [main]"""
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        probe = options.out / ".segue-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{options.out} cannot be written to: {error.strerror}") from None
    return replace(options, out=options.out.absolute())


def describe(plot: Plot, region: Region | None = None) -> str:
    """The region in one line."""
    seconds = float(samples_to_seconds(len(plot.clip.audio), RATE_HZ))
    return f"region: {plot.name}, {seconds:.1f} s; " + "; ".join(plot.notes)
