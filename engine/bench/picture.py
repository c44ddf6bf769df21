"""The picture of a run: milliseconds a step of each side at each fill, with the memory floor; lanes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.system.whole_file import writing
from engine.bench.results import FILLS, MEASURED, SEGUE, BenchReport, BenchRow
from engine.bench.table import machine_line

OURS, THEIRS = ("#1b6ca8", "#2e8b57", "#5b4b9a", "#3aa6a6"), ("#d9822b", "#c0392b", "#8a8f98", "#c9a227")
FLOOR = "#222222"
REAL_TIME_MS = 20.0


def save(path: Path, report: BenchReport) -> None:
    """A panel for each model, and one for lanes if they were measured.  Raises OSError.  [main]"""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in report.rows if row.status == MEASURED and row.fills]
    models = list(dict.fromkeys((row.model, row.device) for row in rows))
    lanes = [extras for extras in report.extras if extras.lanes_ms]
    count = max(1, len(models) + bool(lanes))
    figure = Figure(figsize=(12, 2.9 * count + 0.8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(count, 1, squeeze=False)[:, 0])
    figure.suptitle(f"Time of a step, and the least that memory allows (black)\n{machine_line(report)}", fontsize=11)
    for axes, (model, device) in zip(panels, models, strict=False):
        _model(axes, [row for row in rows if (row.model, row.device) == (model, device)])
        axes.set_title(f"{model} on {device}", loc="left", fontsize=11)
    if lanes:
        _lanes(panels[len(models)], lanes)
    with writing(path) as file:
        figure.savefig(file, format="png")


def _model(axes: Any, rows: list[BenchRow]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    width = 0.8 / len(rows)
    ours, theirs = iter(OURS * 3), iter(THEIRS * 3)
    for index, row in enumerate(rows):
        fills = [row.fills[name] for name in FILLS]
        at = [place + (index - (len(rows) - 1) / 2) * width for place in range(len(FILLS))]
        middle = [fill.step_ms.median for fill in fills]
        reach = [
            [fill.step_ms.median - fill.step_ms.low for fill in fills],
            [fill.step_ms.high - fill.step_ms.median for fill in fills],
        ]
        colour = next(ours if row.side == SEGUE else theirs)
        label = f"{row.side}, {row.precision}"
        axes.bar(at, middle, width * 0.92, yerr=reach, color=colour, label=label, error_kw={"linewidth": 0.8})
        for place, fill in zip(at, fills, strict=True):
            axes.plot([place - width * 0.46, place + width * 0.46], [fill.floor_ms] * 2, color=FLOOR, linewidth=2)
    axes.axhline(REAL_TIME_MS, color="#8a8f98", linestyle=":", linewidth=1)
    axes.text(-0.74, REAL_TIME_MS, "real time", fontsize=8, color="#5a5f68", va="bottom")
    axes.set_xlim(-0.75, len(FILLS) - 0.5)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(range(len(FILLS)), [f"{name}: {rows[0].fills[name].positions} positions" for name in FILLS])
    axes.set_ylabel("ms a step")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _lanes(axes: Any, lanes: list[Any]) -> None:
    for colour, extras in zip((*OURS, *THEIRS), lanes, strict=False):
        numbers = [int(number) for number in extras.lanes_ms]
        first = extras.lanes_ms[str(numbers[0])].median
        times = [extras.lanes_ms[str(number)].median / first for number in numbers]
        label = f"{extras.model} in {extras.precision} on {extras.device}"
        axes.plot(numbers, times, "o-", color=colour, label=label)
    axes.plot([1, 8], [1, 8], ":", color="#8a8f98", label="each lane as much again")
    axes.set_xlabel("lanes")
    axes.set_ylabel("a step, times one lane's")
    axes.set_title("Lanes", loc="left", fontsize=11)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
