"""`segue host`: plays with a running engine, on a sound card or into a file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bridge.control import messages
from bridge.control.messages import DEFAULT_PORT
from bridge.time.units import Signature
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_wish import described
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.client.udp_connection import Event
from plugin_host.console.output import ready_file, save_wav
from plugin_host.console.screen import Screen
from plugin_host.host.full_scale import within_full_scale
from plugin_host.run import report
from plugin_host.run.performance import Means, Performance
from plugin_host.run.region_layout import RegionLayout, RegionRequest, plot_nothing, plot_region, read_for
from plugin_host.run.region_tempo import ear_of
from plugin_host.sync.first_tempo import first_tempo
from plugin_host.sync.reading import Reading
from plugin_host.sync.sync import SyncWish


@dataclass(frozen=True)
class HostOptions:
    """Options of `segue host`; `out` None plays on the sound card and records nothing."""

    wish: RegionRequest = field(default_factory=RegionRequest)
    means: Means = field(default_factory=Means)
    prompt: str = ""
    preset: str = ""
    seed: int = -1
    values: Mapping[str, float] = field(default_factory=dict)
    port: int = DEFAULT_PORT
    secret: str = ""
    out: Path | None = None


def run_host(options: HostOptions, screen: Screen) -> None:
    """Play until the last bar or an interrupt; raises a SegueError.  [main]"""
    if options.out is not None:
        ready_file(options.out)
    leader_bpm = first_tempo(options.means.sync, options.wish.rate_hz, screen.say)
    wish = replace(options.wish, leader_bpm=leader_bpm)
    read = read_for(wish) if wish.region else None
    hear = partial(_hear, options.means.sync, screen.say)
    with (
        tempfile.TemporaryDirectory(prefix="segue-") as copies,
        EngineClient(options.port, name="segue host", secret=options.secret, on_event=hear) as client,
    ):
        for line in described(client):
            screen.say(line)
        plot = plot_region(wish, Path(copies), read, ear_of(client, screen.say)) if read else plot_nothing(wish)
        screen.say(f"region: {plot.words}")
        _play(options, plot, client, screen)


def _hear(wish: SyncWish, say: Callable[[str], None], event: Event) -> None:
    """Handle an event of this lane: about its music for the screen, about time for the sync.  [any]"""
    said: dict[str, Any] = dict(event.values)
    if event.message is messages.EVENT_LANE and said["lane"] == wish.told.lane and said["text"]:
        say(f"lane {said['lane']} is {said['state']}: {said['text']}")
    if event.message is messages.EVENT_TIME and said["lane"] == wish.told.lane:
        playing, meter = int(said["playing"]), Signature(int(said["numerator"]), int(said["denominator"]))
        beats = float(said["beats"]) if playing >= 0 else None
        wish.told.tell(Reading(time.monotonic(), playing != 0, beats, float(said["bpm"]), meter))


def _play(options: HostOptions, plot: RegionLayout, client: EngineClient, screen: Screen) -> None:
    regions = (plot.region,) if plot.region else ()
    setup = Setup(options.prompt, options.preset, options.seed, options.values, regions)
    performance = Performance(plot, options.means, screen.say, screen.show, record=options.out is not None)
    session = LaneSession(client, performance.processor, setup, screen.say)
    try:
        session.open()
        options.means.sync.told.lane = session.lane
        found = performance.run(session, lambda: None)
    finally:
        session.close()
        if options.out is not None and len(performance.take.audio):
            audio, quieter = within_full_scale(performance.take.audio)
            save_wav(options.out, audio, options.wish.rate_hz)
            screen.say(f"  {options.out}" + (f"  ({quieter})" if quieter else ""))
    for line in report.lines(found, plot.stretch.grid):
        screen.say(line)
