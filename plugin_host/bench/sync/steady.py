"""Scene: steady tempos. Five minutes of music at each, against the host's beats; and the first sample of the phrase."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from plugin_host.bench.sync.detection import onsets, rises
from plugin_host.bench.sync.measures import Beats, bar_phases, detected_beats, detected_clicks
from plugin_host.bench.sync.recorder import Noted, Recording
from plugin_host.bench.sync.results import PhaseTrace, SceneResults
from plugin_host.bench.sync.stage import RATE_HZ, BenchRun, ClockKind, Stage
from plugin_host.run.region_layout import RegionLayout

TEMPI_BPM = (70.0, 84.0, 93.7, 106.0, 128.0, 146.0, 174.0)
GOAL = "< 15"
WRONG_TEMPO = 1.07
CLEAR = 0.3  # of a bar's phase; against a wrong grid bars have about 0.1


def of_region(layout: RegionLayout, passes: int = 4) -> Recording:
    """A region repeated on its own grid, as if recorded: its beats are known to the sample.  [main]"""
    assert layout.clip is not None
    audio: Audio = np.tile(layout.clip.audio, (passes, 1))
    grid, log = layout.stretch.grid, np.zeros((passes, len(Noted)))
    for number in range(passes):
        begin = number * len(layout.clip.audio)
        beats = float(grid.beats_at(layout.clip.start_samples))
        log[number, : Noted.PLAYING + 1] = (
            begin, len(layout.clip.audio), layout.clip.start_samples, beats, grid.tempo_bpm, 1.0,
        )  # fmt: skip
    return Recording(audio, log, RATE_HZ)


def bias_of(layout: RegionLayout) -> tuple[float, float, Beats]:
    """How late both detectors are on a region whose beats are known, in ms; and librosa's beats of it.  [main]"""
    known = of_region(layout)
    beats = detected_beats(onsets(known.audio, RATE_HZ), known)
    bars = bar_phases(rises(known.audio, RATE_HZ), known)
    return float(np.median(beats.late_ms)), float(np.median(bars.late_ms)), beats


def play_steady(stage: Stage, layout: RegionLayout, bpm: float, seconds: float) -> tuple[Recording, BenchRun]:
    """Play a region, then `seconds` of Segue, as fast as the engine delivers.  [main]"""
    run = BenchRun(stage, layout, seconds + 240.0 / bpm, ClockKind.ACCELERATED)
    with run.playing():
        run.to_the_end()
    return run.recording(), run


def first_sample(recording: Recording, start_samples: int) -> int:
    """Samples from a bar line to the first one that is not silent; early is negative.  [any]"""
    sounding = np.flatnonzero(np.abs(recording.audio).max(axis=1) > 0)
    if not len(sounding):
        return len(recording.audio)
    row = recording.log[int(recording.row_at(float(sounding[0])))]
    return int(row[Noted.POSITION] + sounding[0] - row[Noted.RECORDED]) - start_samples


def measure_tempo(stage: Stage, bpm: float, seconds: float) -> SceneResults:
    """Measure one tempo, with the included region nearest to it.  [main]"""
    return measure_steady(stage, stage.region(bpm), bpm, seconds, f"{bpm:g} bpm")


def measure_steady(stage: Stage, layout: RegionLayout, bpm: float, seconds: float, name: str) -> SceneResults:
    """Measure one region at one tempo: figures and trace.  [main]"""
    found = SceneResults()
    recording, run = play_steady(stage, layout, bpm, seconds)
    material = Path(layout.words.split(",")[0]).stem
    bias_ms, own_bias_ms, _ = bias_of(layout)
    found_onsets = onsets(recording.audio, RATE_HZ)
    beats = detected_beats(found_onsets, recording).without(bias_ms)
    bars = bar_phases(rises(recording.audio, RATE_HZ), recording)
    clear = bars.clarity >= CLEAR
    own = np.abs(bars.late_ms[clear] - own_bias_ms)
    wrong = detected_beats(found_onsets, recording, WRONG_TEMPO).without(bias_ms)
    shown = f"{name} ({material}, {len(recording.audio) / RATE_HZ:.0f} s)"
    found.add(f"{shown}: phase error, median", beats.median_ms, "ms")
    found.add(f"{name}: phase error, 95 %", beats.p95_ms, "ms", GOAL)
    found.add(f"{name}: of it lateness of all beats alike", float(np.median(beats.late_ms)), "ms")
    spread = beats.without(float(np.median(beats.late_ms)))
    found.add(f"{name}: and beside that, 95 %", spread.p95_ms, "ms")
    found.add(f"{name}: beats on which something begins", 100 * beats.detected_share, "%")
    found.add(f"{name}: second detector, a bar's phase, 95 %", _p95(own), "ms", GOAL)
    found.add(f"{name}: second detector, bars clear enough", 100 * float(clear.mean()) if len(clear) else 0.0, "%")
    found.add(f"{name}: the detector's own lateness, taken off", bias_ms, "ms")
    found.add(f"{name}: control, a grid 7 % off, 95 %", wrong.p95_ms, "ms")
    found.add(f"{name}: first sample from its bar line", first_sample(recording, layout.stretch.start_samples),
              "smp", "0")  # fmt: skip
    steps = detected_clicks(recording, layout.clip)
    found.add(f"{name}: clicks", len(steps), "", "0")
    if len(steps):
        found.add(f"{name}: the first of them at", float(steps[0]), "s")
    found.add(f"{name}: silent samples", run.processor.counters.muted_samples, "smp", "0")
    found.phases.append(PhaseTrace(bpm, material, beats, bars))
    return found


def _p95(values: np.ndarray) -> float:
    return float(np.percentile(values, 95)) if len(values) else float("nan")
