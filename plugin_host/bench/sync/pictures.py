"""Two pictures: the phase error over time at each tempo, and the detected tempo across a step and a ramp."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bridge.system.whole_file import writing
from plugin_host.bench.sync.detection import HOP_SAMPLES, RATE_HZ
from plugin_host.bench.sync.recorder import Floats
from plugin_host.bench.sync.results import PhaseTrace, TempoTrace

_BEAT, _BAR, _GOAL, _HOST = "#8a8f98", "#d9822b", "#2e8b57", "#1b6ca8"
GOAL_MS = 15.0
WINDOW_SECONDS = 4.0


def save_phases(path: Path, traces: list[PhaseTrace]) -> None:
    """A panel for each tempo: beats as dots, the median of each four bars as a line, the goal as a band.  [main]"""
    figure, panels = _figure(len(traces), 2.0)
    figure.suptitle("How far each beat is from the host's, in ms (below 0: early)", fontsize=13)
    for axes, trace in zip(panels, traces, strict=True):
        beats = trace.beats
        axes.axhspan(-GOAL_MS, GOAL_MS, color=_GOAL, alpha=0.12, linewidth=0)
        axes.axhline(0, color="black", linewidth=0.6)
        axes.plot(beats.seconds, beats.late_ms, ".", color=_BEAT, markersize=3)
        width = 16 * 60.0 / trace.tempo_bpm
        edges = np.arange(0, beats.seconds[-1] + width, width) if len(beats.seconds) else np.zeros(0)
        places = [beats.between(a, b) for a, b in pairwise(edges)]
        middles = [float(np.median(part.late_ms)) if len(part.late_ms) else np.nan for part in places]
        axes.plot(edges[:-1] + 0.5 * width, middles, color=_BAR, linewidth=2)
        axes.set_ylim(-45, 45)
        axes.set_ylabel(f"{trace.tempo_bpm:g} bpm")
        axes.set_title(
            f"{trace.material}: half of the beats within {beats.median_ms:.1f} ms, 95 % within {beats.p95_ms:.1f} ms",
            loc="right", fontsize=9, pad=2,
        )  # fmt: skip
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel(f"seconds (dots: beats; line: median of four bars; band: {GOAL_MS:g} ms)")
    with writing(path) as file:
        figure.savefig(file, format="png")


def save_tempi(path: Path, traces: list[TempoTrace]) -> None:
    """A panel for each change: the tempogram, dark where strong, and the host's tempo as a line.  [main]"""
    figure, panels = _figure(len(traces), 3.2)
    figure.suptitle("The tempo that is heard (dark), and the host's (line)", fontsize=13)
    for axes, trace in zip(panels, traces, strict=True):
        seconds, tempi, strength = tempogram(trace.rising, float(trace.tempo_bpm.min()), float(trace.tempo_bpm.max()))
        axes.pcolormesh(seconds, tempi, strength.T, cmap="Greys", vmin=0, vmax=1, shading="nearest", rasterized=True)
        at = np.arange(len(trace.tempo_bpm)) * HOP_SAMPLES / RATE_HZ
        axes.plot(at, trace.tempo_bpm, color=_HOST, linewidth=1.6, linestyle="--", label="host")
        for event in trace.events:
            axes.axvline(event, color=_BAR, linewidth=1.2)
        axes.set_ylabel("bpm")
        axes.set_title(trace.name, loc="left", fontsize=11)
        axes.set_xlim(at[0], at[-1])
    panels[0].legend(loc="upper left")
    panels[-1].set_xlabel(f"seconds (each column listens to {WINDOW_SECONDS:g} s; vertical line: the change begins)")
    with writing(path) as file:
        figure.savefig(file, format="png")


def tempogram(rising: Floats, lowest_bpm: float, highest_bpm: float) -> tuple[Floats, Floats, Floats]:
    """The strength of each tempo in an onset envelope: seconds [t], bpm [k], 0..1 [t, k].

    A tempo's beats, eighths and sixteenths count together; tempos are within 30 bpm of the host's, which excludes half
    and double tempo.  [any]
    """
    rate = RATE_HZ / HOP_SAMPLES
    tempi: Floats = np.arange(lowest_bpm - 30.0, highest_bpm + 30.0, 0.5, dtype=np.float64)
    width = int(WINDOW_SECONDS * rate)
    window, step = np.hanning(width), int(0.1 * rate)
    at = np.arange(width) / rate
    waves = [np.exp(-2j * np.pi * harmonic / 60.0 * np.outer(at, tempi)) for harmonic in (1, 2, 4)]
    begins = np.arange(0, max(len(rising) - width, 1), step)
    strength = np.zeros((len(begins), len(tempi)), np.float64)
    for index, begin in enumerate(begins):
        part = rising[begin : begin + width]
        part = np.pad(part, (0, width - len(part))) * window
        part = part - window * (part.sum() / window.sum())
        column = sum(np.abs(part @ wave) for wave in waves)
        strength[index] = column / max(float(column.max()), 1e-9)
    seconds: Floats = np.asarray((begins + 0.5 * width) / rate, np.float64)
    return seconds, tempi, np.asarray(strength**3, np.float64)


def _figure(rows: int, height: float) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, max(height * rows + 1.0, 3.0)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, 1, squeeze=False, sharex=False)[:, 0]
    return figure, list(panels)
