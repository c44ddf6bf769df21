"""`segue host`: plays with a running engine, on a sound card or into a file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bridge.control import messages
from bridge.control.messages import DEFAULT_PORT
from bridge.time.units import Signature
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_request import described
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.client.udp_connection import Event
from plugin_host.console.output import ready_file, save_wav
from plugin_host.console.screen import Screen
from plugin_host.host.full_scale import within_full_scale
from plugin_host.run import report
from plugin_host.run.performance import Performance, PlaybackOptions
from plugin_host.run.region_layout import RegionLayout, RegionRequest, lay_out_nothing, lay_out_region, read_for
from plugin_host.run.region_tempo import detector_of
from plugin_host.sync.first_tempo import first_tempo
from plugin_host.sync.reading import Reading
from plugin_host.sync.sync import SyncRequest


@dataclass(frozen=True)
class HostOptions:
    """Options of `segue host`; `out` None plays on the sound card and records nothing.

    `controller`: the MIDI port of a controller, "" for none, and its map.
    """

    request: RegionRequest = field(default_factory=RegionRequest)
    playback: PlaybackOptions = field(default_factory=PlaybackOptions)
    prompt: str = ""
    preset: str = ""
    seed: int = -1
    values: Mapping[str, float] = field(default_factory=dict)
    port: int = DEFAULT_PORT
    secret: str = ""
    out: Path | None = None
    mix: tuple[tuple[str, float], ...] = ()
    morph_beats: float = 0.0
    controller: tuple[str, Path | None] = ("", None)


def run_host(options: HostOptions, screen: Screen) -> None:
    """Play until the last bar or an interrupt; raises a SegueError.  [main]"""
    if options.out is not None:
        ready_file(options.out)
    leader_bpm = first_tempo(options.playback.sync, options.request.rate_hz, screen.say)
    request = replace(options.request, leader_bpm=leader_bpm)
    read = read_for(request) if request.region else None
    on_event = partial(_on_event, options.playback.sync, screen.say)
    with (
        tempfile.TemporaryDirectory(prefix="segue-") as copies,
        EngineClient(options.port, name="segue host", secret=options.secret, on_event=on_event) as client,
    ):
        for line in described(client):
            screen.say(line)
        layout = (
            lay_out_region(request, Path(copies), read, detector_of(client, screen.say))
            if read
            else lay_out_nothing(request)
        )
        screen.say(f"region: {layout.words}")
        _play(options, layout, client, screen)


def _on_event(request: SyncRequest, say: Callable[[str], None], event: Event) -> None:
    """Handle an event of this lane: about its music for the screen, about time for the sync.  [any]"""
    said: dict[str, Any] = dict(event.values)
    if event.message is messages.EVENT_LANE and said["lane"] == request.osc.lane and said["text"]:
        say(f"lane {said['lane']} is {said['state']}: {said['text']}")
    if event.message is messages.ERROR and said["id"] == 0:
        say(f"{said['address']}: {said['text']}")
    if event.message is messages.EVENT_TIME and said["lane"] == request.osc.lane:
        playing, meter = int(said["playing"]), Signature(int(said["numerator"]), int(said["denominator"]))
        beats = float(said["beats"]) if playing >= 0 else None
        request.osc.set(Reading(time.monotonic(), playing != 0, beats, float(said["bpm"]), meter))


@contextmanager
def _controller(
    options: HostOptions, layout: RegionLayout, client: EngineClient, lane: int, screen: Screen
) -> Iterator[None]:
    """A context with the controller of `--midi`, which plays this lane."""
    port, map_file = options.controller
    if not port:
        yield
        return
    from plugin_host.midi.run import described
    from plugin_host.midi.session import MidiOptions, MidiSession

    grid = layout.stretch.grid
    wanted = MidiOptions(port, map=map_file, lane=lane, bpm=float(grid.tempo_bpm), signature=grid.signature)
    with MidiSession(wanted, client, screen.say) as session:
        for line in described(session):
            screen.say(line)
        yield


def _play(options: HostOptions, layout: RegionLayout, client: EngineClient, screen: Screen) -> None:
    regions = (layout.region,) if layout.region else ()
    said = options.prompt, options.preset, options.seed, options.values
    setup = Setup(*said, regions, mix=options.mix, morph_beats=options.morph_beats)
    performance = Performance(layout, options.playback, screen.say, screen.show, record=options.out is not None)
    session = LaneSession(client, performance.processor, setup, screen.say)
    more = replace(setup, seed=-1)
    others = [LaneSession(client, each, more, screen.say) for each in performance.more]
    try:
        for each in (session, *others):
            each.open()
        if others:
            screen.say(f"lanes: {', '.join(str(each.lane) for each in (session, *others))}")
        options.playback.sync.osc.lane = session.lane
        with _controller(options, layout, client, session.lane, screen):
            found = performance.run(session, lambda: None, others)
    finally:
        for each in (session, *others):
            each.close()
        if options.out is not None and len(performance.take.audio):
            audio, quieter = within_full_scale(performance.take.audio)
            save_wav(options.out, audio, options.request.rate_hz)
            screen.say(f"  {options.out}" + (f"  ({quieter})" if quieter else ""))
    for line in report.lines(found, layout.stretch.grid):
        screen.say(line)
