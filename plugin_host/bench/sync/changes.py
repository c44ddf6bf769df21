"""Scenes: the host changes tempo or position while it plays, in real time. When is the music on the beat again?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bridge.time.tempo_map import TempoMap, TempoPoint
from bridge.time.transport import Grid
from plugin_host.bench.sync.detection import hop_seconds, onsets, rises
from plugin_host.bench.sync.measures import detected_beats, detected_clicks, on_grid_after_ms, silences
from plugin_host.bench.sync.recorder import Noted, Recording
from plugin_host.bench.sync.results import SceneResults, TempoTrace
from plugin_host.bench.sync.stage import RATE_HZ, BenchRun, ClockKind, Stage
from plugin_host.bench.sync.steady import bias_of
from plugin_host.playback.processor import BlockState

BPM = 120.0
BAR_BEATS = 4.0
LOOPS = 50
Act = Callable[[BenchRun], None]


@dataclass(frozen=True)
class Change:
    """One scene: its length, the change after the first bars, and its tempo map."""

    name: str
    seconds: float
    act: Act
    tempi: Callable[[float], TempoMap] | None = None
    goal_bars: float = 1.0


def _nothing(run: BenchRun) -> None:
    pass


def _jump(run: BenchRun) -> None:
    run.timeline.locate(run.grid.bar_start(32))  # bar 33, counted from 1


def _stop_and_start(run: BenchRun) -> None:
    run.timeline.stop()
    run.for_seconds(1.5)
    run.timeline.play()


def _scrub(run: BenchRun) -> None:
    bar = run.layout.stretch.start_bar
    for place in (9, 14, 10, 6, 12, 7, 5, 8):
        run.timeline.locate(run.grid.bar_start(bar + place) + 7777)
        run.for_seconds(0.15)


def _middle_of_a_bar(run: BenchRun) -> None:
    run.timeline.stop()
    run.for_seconds(0.5)
    run.timeline.locate(run.grid.sample_at(run.grid.bar_start_beats(run.layout.stretch.start_bar + 9) + 1.37))
    run.for_seconds(0.5)
    run.timeline.play()


def _stepped(to_bpm: float) -> Callable[[float], TempoMap]:
    return lambda start: TempoMap([TempoPoint(0, BPM), TempoPoint(start + 4 * BAR_BEATS, to_bpm)])


def _ramped(start: float) -> TempoMap:
    begin = start + 4 * BAR_BEATS
    return TempoMap([TempoPoint(0, BPM), TempoPoint(begin, BPM, True), TempoPoint(begin + 8 * BAR_BEATS, 150.0)])


CHANGES = (
    Change("step +20", 24.0, _nothing, _stepped(BPM + 20)),
    Change("step -20", 26.0, _nothing, _stepped(BPM - 20)),
    Change("ramp", 36.0, _nothing, _ramped),
    Change("jump", 24.0, _jump),
    Change("stop and start", 24.0, _stop_and_start),
    Change("scrub", 26.0, _scrub),
    Change("start in a bar", 26.0, _middle_of_a_bar),
)


def measure_change(stage: Stage, change: Change) -> SceneResults:
    """Measure one scene: figures, and a trace if the tempo changes.  [main]"""
    layout = stage.region(BPM)
    start = layout.stretch.start_beats
    run = BenchRun(stage, layout, change.seconds, stage.change_clock, change.tempi(start) if change.tempi else None)
    with run.playing():
        run.until_beats(start + 4 * BAR_BEATS)
        change.act(run)
        run.to_the_end()
    recording = run.recording()
    events = _events(recording)
    own_bias_ms, bias_ms = bias_of(layout)[1], bias_of(layout)[0]
    rising = rises(recording.audio, RATE_HZ)
    found, name = SceneResults(), change.name
    event = (events[-1] if name != "ramp" else events[0]) / RATE_HZ if events else float("nan")
    bar_seconds = 60.0 * BAR_BEATS / BPM
    again_ms = on_grid_after_ms(rising, recording, event, own_bias_ms, bar_seconds)
    found.add(f"{name}: on the host's grid again after", again_ms, "ms", f"< {1000 * bar_seconds:.0f}, a bar")
    found.add(f"{name}: new music heard after", _playing_after_ms(recording, event), "ms")
    beats = detected_beats(onsets(recording.audio, RATE_HZ), recording).without(bias_ms)
    later = beats.between(event + bar_seconds, 1e9)
    found.add(f"{name}: phase error from a bar later on, 95 %", later.p95_ms, "ms", "< 15")
    found.add(f"{name}: clicks", len(detected_clicks(recording, layout.clip)), "", "0")
    found.add(f"{name}: silent where music was due", silent_ms(recording), "ms", "0")
    found.add(f"{name}: of the last bar held", 1000.0 * run.processor.counters.held_samples / RATE_HZ, "ms")
    if change.tempi:
        seconds = hop_seconds(rising)
        found.tempi.append(TempoTrace(name, rising, recording.tempo_at(seconds * RATE_HZ), (event,)))
    return found


def _events(recording: Recording) -> list[int]:
    """Recorded samples at which the host jumped, started or changed its tempo, except the start of the run."""
    seen = {*recording.changes(Noted.SEEK_ID), *recording.changes(Noted.TEMPO), *recording.changes(Noted.PLAYING)}
    playing = recording.log[:, Noted.PLAYING] > 0
    first = recording.log[np.argmax(playing), Noted.RECORDED] if playing.any() else 0
    return sorted(sample for sample in seen if sample > first)


def _playing_after_ms(recording: Recording, event_seconds: float) -> float:
    """From a change to the first block of ring audio after which no block is held or silent for a bar."""
    log = recording.log
    after = log[:, Noted.RECORDED] >= event_seconds * RATE_HZ - 0.5
    near = after & (log[:, Noted.RECORDED] < (event_seconds + 8.0) * RATE_HZ) & (log[:, Noted.PLAYING] > 0)
    other = log[near & (log[:, Noted.STATE] != BlockState.PLAYING)]
    if not near.any():
        return float("nan")
    last = other[-1, Noted.RECORDED] + other[-1, Noted.N_SAMPLES] if len(other) else log[near][0, Noted.RECORDED]
    return 1000.0 * max(float(last) / RATE_HZ - event_seconds, 0.0)


def silent_ms(recording: Recording) -> float:
    """Silence in ms while the host plays after the start of the phrase.  [any]"""
    log = recording.log
    started = log[:, Noted.STATE] == BlockState.PLAYING
    first = float(log[np.argmax(started), Noted.RECORDED]) / RATE_HZ if started.any() else float("inf")
    total = 0.0
    for begin, end in silences(recording.audio, RATE_HZ):
        row = log[int(recording.row_at(0.5 * (begin + end) * RATE_HZ))]
        if begin >= first and row[Noted.PLAYING] > 0:
            total += end - begin
    return 1000.0 * total


def measure_loop(stage: Stage, passes: int = LOOPS) -> SceneResults:
    """Measure a loop of four bars, for `passes` passes, as fast as the engine delivers.  [main]"""
    layout = stage.region(BPM)
    grid: Grid = layout.stretch.grid
    start = layout.stretch.start_beats
    length = 4 * BAR_BEATS
    run = BenchRun(stage, layout, (passes * length + BAR_BEATS) * 60.0 / BPM, ClockKind.ACCELERATED)
    run.timeline.set_loop((start, start + length))
    with run.playing():
        run.to_the_end()
    recording, found = run.recording(), SceneResults()
    beats = detected_beats(onsets(recording.audio, RATE_HZ), recording).without(bias_of(layout)[0])
    returns = recording.changes(Noted.SEEK_ID)
    early = _near(beats.seconds, returns)
    found.add(f"loop: passes of 4 bars at {grid.tempo_bpm:g} bpm", len(returns))
    found.add("loop: phase error, median", beats.median_ms, "ms")
    found.add("loop: phase error, 95 %", beats.p95_ms, "ms", "< 15")
    around = np.abs(beats.late_ms[early])
    found.add("loop: of the beats on its returns, 95 %", float(np.percentile(around, 95)) if len(around) else
              float("nan"), "ms", "< 15")  # fmt: skip
    found.add("loop: clicks", len(detected_clicks(recording, layout.clip)), "", "0")
    found.add("loop: silent where music was due", silent_ms(recording), "ms", "0")
    found.add("loop: of the last bar held", 1000.0 * run.processor.counters.held_samples / RATE_HZ, "ms")
    return found


def _near(seconds: np.ndarray, returns: list[int]) -> np.ndarray:
    """Which beats lie within a tenth of a second of a return."""
    places = np.array(returns, dtype=np.float64) / RATE_HZ
    if not len(places):
        return np.zeros(len(seconds), bool)
    return np.abs(seconds[:, None] - places[None, :]).min(axis=1) < 0.1
