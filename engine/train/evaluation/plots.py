"""Plots of an evaluation: all goals, phases, levels over ten minutes, seams. All of it [main]."""

from pathlib import Path
from typing import Any

from bridge.system.whole_file import writing
from engine.train.evaluation.table import EvaluationReport

COLOURS = {True: "#2a7", False: "#c43"}


def draw(report: EvaluationReport, folder: Path) -> list[Path]:
    """Write the PNGs that there are figures for; their paths.  [any]"""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, paint in (("goals", _goals), ("phase", _phase), ("levels", _levels), ("seam", _seam)):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        if paint(figure, report):
            made.append(folder / f"{name}.png")
            with writing(made[-1]) as file:
                figure.savefig(file, format="png", dpi=90)
    return made


def _goals(figure: Any, report: EvaluationReport) -> bool:
    rows = [row for row in report.rows if row.reached is not None and row.goal.split()[-1].replace(".", "").isdigit()]
    if not rows:
        return False
    figure.set_size_inches(9, 0.34 * len(rows) + 1.2)
    axes = figure.subplots()
    for index, row in enumerate(reversed(rows)):
        limit = float(row.goal.split()[-1]) or 1.0
        value, low, high = (number / limit for number in (row.value, row.low, row.high))
        axes.plot([low, high], [index, index], color=COLOURS[bool(row.reached)], linewidth=2)
        axes.plot([value], [index], "o", color=COLOURS[bool(row.reached)])
    axes.set_yticks(range(len(rows)), [f"{row.group}: {row.what} ({row.goal})" for row in reversed(rows)], fontsize=7)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xlabel("figure over its goal, 95 % interval; red: missed")
    return True


def _phase(figure: Any, report: EvaluationReport) -> bool:
    found = report.series.get("phase_ms")
    if not found:
        return False
    axes = _histograms(figure, found, [5.0 * n for n in range(17)])
    axes.axvline(15.0, color="black", linewidth=0.8)
    axes.set_xlabel("eighth notes off the grid, ms (goal: half of the outputs under 15)")
    return True


def _levels(figure: Any, report: EvaluationReport) -> bool:
    courses = report.series.get("levels_db")
    if not courses:
        return False
    axes = figure.subplots()
    for course in courses:
        axes.plot([10.0 * (n + 0.5) / 60.0 for n in range(len(course))], course, linewidth=0.8)
    axes.axhspan(-6.0, 6.0, color="#2a7", alpha=0.12)
    axes.set_xlabel("minutes")
    axes.set_ylabel("level of 10 s against the first minute, dB")
    return True


def _seam(figure: Any, report: EvaluationReport) -> bool:
    found = report.series.get("seam")
    if not found:
        return False
    _histograms(figure, found, 20).set_xlabel("how much the detector takes it for a join (log-odds)")
    return True


def _histograms(figure: Any, found: Any, bins: list[float] | int) -> Any:
    """The axes of all series by name, laid over each other."""
    axes = figure.subplots()
    for name, values in found.items():
        axes.hist(values, bins=bins, alpha=0.6, label=name)
    axes.legend()
    return axes
