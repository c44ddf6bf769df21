"""The report of a run, in figures and text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.time.transport import Grid
from bridge.time.units import quick_beats, samples_to_seconds
from plugin_host.host.headless import Column, HostRecording
from plugin_host.playback.processor import Processor


@dataclass(frozen=True)
class MusicStretch:
    """The music on the timeline: the region up to `start_bar`, then `bars` bars, 0 for endless."""

    grid: Grid
    start_bar: int
    bars: int

    @property
    def start_beats(self) -> float:
        """The exact beat on which the music begins: not the beat of its first sample, which is rounded.  [any]"""
        return float(self.grid.bar_start_beats(self.start_bar))

    @property
    def start_samples(self) -> int:
        """First sample of the music.  [any]"""
        return self.grid.bar_start(self.start_bar)

    @property
    def end_samples(self) -> int:
        """The position right after its last sample.  [any]"""
        return self.grid.bar_start(self.start_bar + self.bars) if self.bars else ENDLESS_SAMPLES


@dataclass(frozen=True)
class RunFigures:
    """Figures of a run. `fill_low_samples` is None if nothing was played, or not in real time."""

    first_sound_seconds: float
    realtime_ratio: float
    fill_low_samples: int | None
    late_blocks: int
    underruns: int
    missed_seconds: float
    held_seconds: float
    muted_seconds: float
    host_late: int
    engine_losses: int
    engine_memory_mb: float


def fill_low(take: HostRecording, stretch: MusicStretch) -> int | None:
    """The lowest fill of the ring while music was due, in samples.

    Blocks with everything up to the end ready do not count: there the ring empties as it should.  [any]
    """
    log = take.blocks
    after = log[:, Column.POSITION] + log[:, Column.N_SAMPLES]
    due = (log[:, Column.POSITION] >= stretch.start_samples) & (after < stretch.end_samples)
    due &= log[:, Column.FILL] < stretch.end_samples - after
    return int(log[due, Column.FILL].min()) if due.any() else None


def figures(
    take: HostRecording,
    stretch: MusicStretch,
    processor: Processor,
    first_sound_seconds: float,
    realtime_ratio: float,
    engine_memory_mb: float,
    host_late: int,
    engine_losses: int,
) -> RunFigures:
    """The figures of a finished run.  [main]"""
    counters = processor.counters

    def seconds(samples: int) -> float:
        return float(samples_to_seconds(samples, processor.sample_rate_hz))

    return RunFigures(
        first_sound_seconds=first_sound_seconds,
        realtime_ratio=realtime_ratio,
        fill_low_samples=fill_low(take, stretch),
        late_blocks=processor.drops.late_blocks,
        underruns=counters.underruns,
        missed_seconds=seconds(counters.missed_samples),
        held_seconds=seconds(counters.held_samples),
        muted_seconds=seconds(counters.muted_samples),
        host_late=host_late,
        engine_losses=engine_losses,
        engine_memory_mb=engine_memory_mb,
    )


def fill_text(samples: int | None, grid: Grid) -> str:
    """Ring fill in milliseconds and beats.  [any]"""
    if samples is None:
        return "- (only in real time)"
    ms = 1000 * float(samples_to_seconds(samples, grid.sample_rate_hz))
    return f"{ms:.0f} ms ({quick_beats(samples, grid.tempo_bpm, grid.sample_rate_hz):.2f} beats)"


def lines(found: RunFigures, grid: Grid) -> list[str]:
    """The report, one line for each figure.  [any]"""
    rows = [
        ("time to first sound", f"{1000 * found.first_sound_seconds:.0f} ms after go, engine hot"),
        ("real-time factor", f"{found.realtime_ratio:.1f} x"),
        ("ring fill, lowest", fill_text(found.fill_low_samples, grid)),
        ("late blocks", f"{found.late_blocks}"),
        ("underruns", f"{found.underruns}"),
        ("engine memory", f"{found.engine_memory_mb:.0f} MB"),
    ]
    if found.underruns:
        kept = f"{found.held_seconds:.2f} s held, {found.muted_seconds:.2f} s silent"
        rows.insert(5, ("missed", f"{found.missed_seconds:.2f} s; of it and after: {kept}"))
    if found.host_late:
        rows.append(("host blocks late", f"{found.host_late} (this computer was busy; the music waited)"))
    if found.engine_losses:
        rows.append(("engine lost", f"{found.engine_losses} times, and taken up again"))
    return [f"  {name:<20} {value}" for name, value in rows]


def envelope(audio: np.ndarray, columns: int) -> np.ndarray:
    """Lowest and highest sample of each column, [columns, 2], all channels together.  [any]"""
    edges = np.linspace(0, len(audio), columns + 1).astype(int)
    flat = audio.reshape(len(audio), -1)
    found = np.zeros((columns, 2), np.float32)
    for column in range(columns):
        part = flat[edges[column] : edges[column + 1]]
        if len(part):
            found[column] = part.min(), part.max()
    return found
