"""Scene: the time from a command to its sound, and the sample on which a command for a bar line is heard."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bridge.control import messages
from plugin_host.bench.sync.changes import BAR_BEATS, BPM
from plugin_host.bench.sync.recorder import Noted, Recording
from plugin_host.bench.sync.results import SceneResults
from plugin_host.bench.sync.stage import RATE_HZ, BenchRun, Stage
from plugin_host.client.client import EngineClient
from plugin_host.client.udp_connection import Event

TURNS = 4
QUIET = 1e-4


class HeardEvents:
    """Collects the engine's `heard` events."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}  # by the command's address

    def __call__(self, event: Event) -> None:
        """Take one event of any kind.  [receive]"""
        if event.message is messages.EVENT_HEARD:
            name = str(event.values["address"]).rpartition("/")[2]
            self.seconds.setdefault(name, []).append(float(str(event.values["seconds"])))


def measure_control(stage: Stage, turns: int = TURNS) -> SceneResults:
    """Measure stop now, play on the next bar, and parameter, prompt, seed and mute now, several times each.  [main]"""
    layout, heard = stage.region(BPM), HeardEvents()
    run = BenchRun(stage, layout, 30.0 + turns * 32.0)
    stopped, started = [], []
    stage.listeners.append(heard)
    client = stage.client
    try:
        with run.playing():
            run.until_beats(layout.stretch.start_beats + 2 * BAR_BEATS)
            for turn in range(turns):
                for ask in _changes(client, run.session.lane, turn):
                    ask()
                    run.for_seconds(3.0)
                stopped.append(time.monotonic())
                client.stop(run.session.lane)
                run.for_seconds(1.0)
                started.append((time.monotonic(), run.session.play("bar", 0, BAR_BEATS).start_beats))
                run.until_beats(started[-1][1] + 2 * BAR_BEATS, 20.0)
    finally:
        stage.listeners.remove(heard)
    recording, found = run.recording(), SceneResults()
    silent = [_silent_after(recording, at) for at in stopped]
    found.add("control: stop now to silence, median", 1000 * float(np.median(silent)), "ms", "< 150")
    places = [_first_from(recording, run.grid.sample_at(beats), at) for at, beats in started]
    found.add("control: play on the next bar, first sample from the bar line, worst",
              max(abs(place) for place in places), "smp", "0")  # fmt: skip
    for name, seconds in sorted(heard.seconds.items()):
        what = f"control: {name} now to its sound, as the engine reports, {len(seconds)} times"
        if name != "play":  # scheduled for a bar line
            found.add(f"{what}, median", 1000 * float(np.median(seconds)), "ms")
    return found


def _changes(client: EngineClient, lane: int, turn: int) -> list[Callable[[], object]]:
    """Send the changes while the music plays, to be heard at once."""
    return [
        lambda: client.set(lane, "temperature", 0.9 + 0.02 * (turn % 2)),
        lambda: client.prompt(lane, ("slow dub", "fast rock")[turn % 2]),
        lambda: client.reseed(lane, seed=100 + turn),
        lambda: client.mute(lane, True),
        lambda: client.mute(lane, False),
    ]


def _silent_after(recording: Recording, at_seconds: float) -> float:
    """Seconds from a time on the monotonic clock to the first tenth of a second of silence."""
    begin = recording.after_seconds(at_seconds)
    quiet = np.abs(recording.audio[begin:]).max(axis=1) < QUIET
    length = RATE_HZ // 10
    run_of = np.convolve(quiet, np.ones(length), "valid")
    found = np.flatnonzero(run_of > length - 0.5)
    return float(found[0]) / RATE_HZ if len(found) else float("nan")


def _first_from(recording: Recording, bar_samples: int, at_seconds: float) -> int:
    """Samples from a bar line to the first sound after a command; early is negative."""
    begin = recording.after_seconds(at_seconds)
    sounding = np.flatnonzero(np.abs(recording.audio[begin:]).max(axis=1) > 0)
    if not len(sounding):
        return RATE_HZ
    place = begin + int(sounding[0])
    row = recording.log[int(recording.row_at(float(place)))]
    return int(row[Noted.POSITION] + place - row[Noted.RECORDED]) - bar_samples
