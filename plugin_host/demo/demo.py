"""The main job: an engine process continues a region in tempo; the results are a WAV, a picture and a report.

engine process <--OSC--> session <---- this file, [main]
      |
      +--shared memory--> processor <-- headless host or sound card, [audio]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import NoAnswer
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_process import EngineProcess, free_port
from plugin_host.client.engine_request import described
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.console.output import ready_file, ready_folder, save_wav
from plugin_host.console.screen import Screen
from plugin_host.host.full_scale import within_full_scale
from plugin_host.run import report
from plugin_host.run.performance import Performance, PlaybackOptions
from plugin_host.run.region_layout import RegionLayout, RegionRequest, lay_out_region, read_for
from plugin_host.run.region_tempo import Detector, ReadRegion, detector_of, no_detector


@dataclass(frozen=True)
class DemoOptions:
    """Options of `segue demo`; `port` 0 takes a free one."""

    request: RegionRequest = field(default_factory=RegionRequest)
    playback: PlaybackOptions = field(default_factory=PlaybackOptions)
    prompt: str = ""
    seed: int = -1
    model: str = "embedded"
    device: str = "auto"
    port: int = 0
    out: Path = Path("segue-demo")
    precision: str = "auto"

    @property
    def engine_arguments(self) -> list[str]:
        """The arguments of its engine.  [main]"""
        return ["--model", self.model, "--device", self.device, "--precision", self.precision]


def run_demo(options: DemoOptions, screen: Screen) -> report.RunFigures:
    """Run the demo; raises a SegueError. The engine never outlives it.  [main]"""
    out = ready_folder(options.out)
    for name in ("demo.wav", "demo.png"):
        ready_file(out / name)
    read = read_for(options.request)
    with tempfile.TemporaryDirectory(prefix="segue-") as copies:
        return _run(options, read, Path(copies), out, screen)


def _run(options: DemoOptions, read: ReadRegion, copies: Path, out: Path, screen: Screen) -> report.RunFigures:
    began = time.monotonic()
    layout = None if read.tempo.open else _laid_out(options, read, copies, no_detector, screen)
    port = options.port or free_port()
    engine = EngineProcess(port, out / "engine.log", options.engine_arguments)
    screen.say(f"engine: starting, model {options.model}, device {options.device} (log: {engine.log})")
    try:
        engine.start()
        client = engine.connect(lambda: EngineClient(port, name="segue demo"), screen.say)
        screen.say(f"engine: hot after {time.monotonic() - began:.1f} s")
        for line in described(client):
            screen.say(line)
        try:
            layout = layout or _laid_out(options, read, copies, detector_of(client, screen.say), screen)
            found, performance = _perform(options, layout, client, engine, screen)
        except NoAnswer as error:
            raise error if engine.running else engine.died() from None
        finally:
            client.close()
    finally:
        engine.stop()
    _write(out, options, performance, found, screen)
    screen.say(f"done in {time.monotonic() - began:.0f} s")
    return found


def _laid_out(options: DemoOptions, read: ReadRegion, copies: Path, detect: Detector, screen: Screen) -> RegionLayout:
    """Lay the region on the timeline, and report it."""
    layout = lay_out_region(options.request, copies, read, detect)
    screen.say(f"region: {layout.words}")
    return layout


def _perform(
    options: DemoOptions, layout: RegionLayout, client: EngineClient, engine: EngineProcess, screen: Screen
) -> tuple[report.RunFigures, Performance]:
    regions = (layout.region,) if layout.region else ()
    setup = Setup(prompt=options.prompt, seed=options.seed, regions=regions)
    performance = Performance(layout, options.playback, screen.say, screen.show, record=True)
    session = LaneSession(client, performance.processor, setup, screen.say)
    try:
        session.open()
        for understood in session.understood:
            note = f" ({understood.note})" if understood.note else ""
            screen.say(f"engine read: {understood.seconds:.2f} s, {understood.bars:.2f} bars{note}")
        return performance.run(session, attend_to(engine, screen.say)), performance
    finally:
        session.close()


def attend_to(engine: EngineProcess, say: Callable[[str], None]) -> Callable[[], None]:
    """The callback during playback: restarts the engine if it has died.  [main]"""
    return lambda: engine.revive(say)


def _write(out: Path, options: DemoOptions, performance: Performance, found: report.RunFigures, screen: Screen) -> None:
    from plugin_host.demo.picture import save_picture

    take, layout = performance.take, performance.layout
    stretch = layout.stretch
    screen.say("")
    for line in report.lines(found, stretch.grid):
        screen.say(line)
    wav, png = out / "demo.wav", out / "demo.png"
    audio, quieter = within_full_scale(take.audio)
    save_wav(wav, audio, stretch.grid.sample_rate_hz)
    what = f"{options.request.role}, {options.request.bars} bars at {stretch.grid.tempo_bpm:g} bpm"
    title = f"Segue: {layout.words} - {what}"
    save_picture(png, take, stretch, title, found.fill_low_samples)
    screen.say("")
    screen.say(f"  {wav}  ({stretch.start_bar} bars of region, then {options.request.bars} bars of Segue)")
    if quieter:
        screen.say(f"      {quieter}")
    screen.say(f"  {png}")
    screen.say("  next: segue panel  (play with it in your browser)")
