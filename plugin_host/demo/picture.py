"""demo.png: the waveform with bar lines, region and continuation in two colours, and the ring's fill below."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bridge.system.plain_text import plain
from bridge.system.whole_file import writing
from bridge.time.units import quick_beats, samples_to_seconds
from plugin_host.console.output import cannot
from plugin_host.host.headless import Column, HostRecording
from plugin_host.playback.processor import BlockState
from plugin_host.run.report import MusicStretch, envelope, fill_text

_REGION, _CONTINUED, _HELD, _FILL = "#8a8f98", "#d9822b", "#c23b4b", "#2b7bb9"
_COLUMNS = 2400


def save_picture(path: Path, take: HostRecording, stretch: MusicStretch, title: str, lowest: int | None) -> None:
    """Write the picture as PNG, 1600 x 800, with the ring's `lowest` fill in samples marked. OutputError.
    [main]"""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    wave, fill = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    figure.suptitle(plain(title), fontsize=13, parse_math=False)  # a name with two $ is not a formula
    rate_hz = stretch.grid.sample_rate_hz
    seconds = len(take.audio) / rate_hz
    _draw_wave(wave, take, stretch, seconds)
    _draw_fill(fill, take, stretch, lowest)
    for axes in (wave, fill):
        _draw_bars(axes, stretch, len(take.audio))
        axes.set_xlim(0, seconds)
        axes.spines[["top", "right"]].set_visible(False)
    try:
        with writing(path) as file, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # a name in letters missing from the font
            figure.savefig(file, format="png")
    except OSError as fault:
        raise cannot(path, fault) from None


def _draw_wave(axes: Any, take: HostRecording, stretch: MusicStretch, seconds: float) -> None:
    found = envelope(take.audio, _COLUMNS)
    at = (np.arange(_COLUMNS) + 0.5) * seconds / _COLUMNS
    joint = float(samples_to_seconds(stretch.start_samples, stretch.grid.sample_rate_hz))
    for mask, colour, label in (
        (at < joint, _REGION, "region (yours)"),
        (at >= joint, _CONTINUED, "continuation (Segue's)"),
    ):
        axes.fill_between(at[mask], found[mask, 0], found[mask, 1], color=colour, linewidth=0, label=label)
    held = _held_spans(take, stretch.grid.sample_rate_hz)
    for number, (begin, end) in enumerate(held):
        shown = "last bar held" if number == 0 else None
        axes.axvspan(begin, end, color=_HELD, alpha=0.25, linewidth=0, label=shown)
    peak = max(float(np.abs(found).max()), 0.1)
    axes.set_ylim(-1.1 * peak, 1.1 * peak)
    axes.set_ylabel("amplitude")
    axes.legend(loc="lower left", ncols=3, framealpha=0.9)


def _held_spans(take: HostRecording, rate_hz: int) -> list[tuple[float, float]]:
    """Stretches in seconds that were held or silent while music was due."""
    spans: list[tuple[float, float]] = []
    for row in take.blocks:
        if row[Column.STATE] in (BlockState.HOLDING, BlockState.MUTED):
            begin = float(row[Column.RECORDED]) / rate_hz
            end = begin + float(row[Column.N_SAMPLES]) / rate_hz
            if spans and begin - spans[-1][1] < 0.01:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((begin, end))
    return spans


def _draw_fill(axes: Any, take: HostRecording, stretch: MusicStretch, lowest: int | None) -> None:
    grid, log = stretch.grid, take.blocks
    at = (log[:, Column.RECORDED] + log[:, Column.N_SAMPLES]) / grid.sample_rate_hz
    ms = 1000 * log[:, Column.FILL] / grid.sample_rate_hz
    axes.fill_between(at, 0, ms, color=_FILL, alpha=0.25, linewidth=0)
    axes.plot(at, ms, color=_FILL, linewidth=1.0)
    if lowest is not None:
        low_ms = 1000 * lowest / grid.sample_rate_hz
        axes.axhline(low_ms, color=_HELD, linewidth=1.0, linestyle="--")
        axes.annotate(
            f"lowest while music was still to come: {fill_text(lowest, grid)}",
            (0.01, low_ms), xycoords=("axes fraction", "data"), xytext=(0, 4), textcoords="offset points",
            color=_HELD, fontsize=10,
        )  # fmt: skip
    axes.set_ylim(0, max(float(ms.max(initial=0)) * 1.1, 100))
    axes.set_ylabel("ring fill, ms")
    axes.set_xlabel("seconds")
    beats_per_ms = quick_beats(grid.sample_rate_hz, grid.tempo_bpm, grid.sample_rate_hz) / 1000
    right = axes.secondary_yaxis("right", functions=(lambda y: y * beats_per_ms, lambda y: y / beats_per_ms))
    right.set_ylabel("beats")


def _draw_bars(axes: Any, stretch: MusicStretch, n_samples: int) -> None:
    """Bar lines through both panels, thicker where the continuation begins; numbered from 1."""
    grid, bar = stretch.grid, 0
    many = grid.bar_at(n_samples) > 40
    while grid.bar_start(bar) <= n_samples:
        start = grid.bar_start(bar)
        at = start / grid.sample_rate_hz
        first = start == stretch.start_samples
        axes.axvline(at, color="black", linewidth=1.6 if first else 0.6, alpha=0.9 if first else 0.35)
        if axes.get_subplotspec().is_first_row() and (not many or bar % 4 == 0) and start < n_samples:
            axes.annotate(
                f"{bar + 1}", (at, 1), xycoords=("data", "axes fraction"), xytext=(3, -11),
                textcoords="offset points", fontsize=9,
            )  # fmt: skip
        bar += 1
