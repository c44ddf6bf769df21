"""Scenes in real time: the engine is stopped, killed and restarted, or shares its processors."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from plugin_host.bench.processor_time import ProcessorTime
from plugin_host.bench.sync.changes import BAR_BEATS, BPM, silent_ms
from plugin_host.bench.sync.detection import onsets
from plugin_host.bench.sync.load import busy
from plugin_host.bench.sync.measures import detected_beats, detected_clicks
from plugin_host.bench.sync.recorder import Noted, Recording
from plugin_host.bench.sync.results import SceneResults
from plugin_host.bench.sync.stage import RATE_HZ, BenchRun, Stage
from plugin_host.bench.sync.steady import bias_of
from plugin_host.playback.processor import BlockState

BACK_SECONDS = 60.0
BAR_SECONDS = 60.0 * BAR_BEATS / BPM


def measure_stalls(stage: Stage, seconds: tuple[float, ...]) -> SceneResults:
    """Measure stops of the engine's process, of these lengths.  [main]"""
    found = SceneResults()
    for stall_seconds in seconds:
        found.take(measure_stall(stage, stall_seconds))
    return found


def measure_stall(stage: Stage, stall_seconds: float) -> SceneResults:
    """Measure a stop of the engine's process in the middle of a bar.  [main]"""
    layout = stage.region(BPM)
    run = BenchRun(stage, layout, stall_seconds + BACK_SECONDS)
    with run.playing():
        run.until_beats(layout.stretch.start_beats + 4 * BAR_BEATS + 1.3)
        stage.signal(signal.SIGSTOP)
        try:
            run.for_seconds(stall_seconds)
        finally:
            back = stage.resume()
        _until_back(run)
    return _figures(f"stall of {stall_seconds:g} s", run, back, bias_of(layout)[0])


def measure_kill(stage: Stage) -> SceneResults:
    """Measure a killed engine: it is restarted, and the session restores its lane.  [main]"""
    layout = stage.region(BPM)
    run = BenchRun(stage, layout, 2 * BACK_SECONDS)
    with run.playing():
        run.until_beats(layout.stretch.start_beats + 4 * BAR_BEATS + 1.3)
        killed = stage.signal(signal.SIGKILL)
        run.until(lambda: run.session.lost, BACK_SECONDS)
        run.until(lambda: not run.session.lost, BACK_SECONDS)
        back = time.monotonic()
        _until_back(run)
    found = _figures("kill -9", run, back, bias_of(layout)[0])
    found.add("kill -9: engine back, model hot and lane open after", back - killed, "s")
    return found


def _until_back(run: BenchRun) -> None:
    """Play until new music was heard for three bars, or to the end."""
    begun: list[float] = []

    def settled() -> bool:
        if run.processor.state != BlockState.PLAYING or run.session.lost:
            begun.clear()
        elif not begun:
            begun.append(time.monotonic())
        return bool(begun) and time.monotonic() - begun[0] > 3 * BAR_SECONDS

    run.until(settled, BACK_SECONDS)


def _figures(name: str, run: BenchRun, back: float, bias_ms: float) -> SceneResults:
    recording, counters, found, layout = run.recording(), run.processor.counters, SceneResults(), run.layout
    log = recording.log
    holding = log[log[:, Noted.STATE] == BlockState.HOLDING]
    rejoin = _rejoin(recording, back)
    if rejoin is None:
        found.add(f"{name}: played again after", float("nan"), "s", f"< {2 * BAR_SECONDS:.0f}")
    else:
        grid = run.timeline.now.grid
        place = int(rejoin[Noted.POSITION])
        seconds = float(rejoin[Noted.SECONDS]) - back
        found.add(f"{name}: played again after", seconds, "s", f"< {2 * BAR_SECONDS:.0f}")
        found.add(f"{name}: in bars", seconds / BAR_SECONDS, "bars")
        found.add(f"{name}: rejoined so far from a bar line", place - grid.bar_start(grid.bar_at(place)), "smp", "0")
        found.add(f"{name}: waits in the ring a bar later", _fill_ms(recording, float(rejoin[Noted.RECORDED])), "ms")
    found.add(f"{name}: held", float(counters.held_samples) / RATE_HZ, "s")
    found.add(f"{name}: silent samples", counters.muted_samples, "smp", "0")
    found.add(f"{name}: silence heard", silent_ms(recording), "ms", "0")
    found.add(f"{name}: clicks", len(detected_clicks(recording, layout.clip)), "", "0")
    beats = detected_beats(onsets(recording.audio, RATE_HZ), recording).without(bias_ms)
    if len(holding):
        first, last = (float(holding[i, Noted.RECORDED]) / RATE_HZ for i in (0, -1))
        found.add(f"{name}: phase error while held, 95 %", beats.between(first, last).p95_ms, "ms", "< 15")
        found.add(f"{name}: phase error after, 95 %", beats.between(last + 0.1, 1e9).p95_ms, "ms", "< 15")
    return found


def _rejoin(recording: Recording, back_seconds: float) -> np.ndarray | None:
    """The first row of ring audio after the engine was back and the bar was held."""
    log = recording.log
    rows = (log[1:, Noted.STATE] == BlockState.PLAYING) & (log[:-1, Noted.STATE] != BlockState.PLAYING)
    after = np.flatnonzero(rows & (log[1:, Noted.SECONDS] > back_seconds - 0.05)) + 1
    return log[after[0]] if len(after) else None


def _fill_ms(recording: Recording, rejoined: float) -> float:
    """The ring's fill a bar after the music was back: the delay must not grow."""
    row = recording.log[int(recording.row_at(rejoined + BAR_SECONDS * RATE_HZ))]
    return 1000.0 * float(row[Noted.FILL]) / RATE_HZ


def measure_holes(stage: Stage, minutes: float) -> SceneResults:
    """Measure minutes of music in real time with every processor kept busy.  [main]"""
    cores = os.cpu_count() or 2
    layout = stage.region(BPM)
    run, processors = BenchRun(stage, layout, 60.0 * minutes), ProcessorTime()
    with busy(cores), run.playing():
        run.to_the_end()
    recording, counters, found = run.recording(), run.processor.counters, SceneResults()
    name = f"holes, {minutes:g} min, {cores} busy processes"
    found.add(f"{name}: silent samples", counters.muted_samples, "smp", "0")
    found.add(f"{name}: silence heard", silent_ms(recording), "ms", "0")
    found.add(f"{name}: underruns, covered by the last bar", counters.underruns)
    found.add(f"{name}: of the last bar held", counters.held_samples / RATE_HZ, "s")
    found.add(f"{name}: clicks", len(detected_clicks(recording, layout.clip)), "", "0")
    found.add(f"{name}: the host's own late blocks", run.runner.clock.late)
    taken = processors.taken()
    if taken is not None:
        found.add(f"{name}: processor time that others had", 100 * taken.by_others, "%")
    return found
