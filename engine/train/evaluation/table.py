"""Rows of the evaluation: a figure with its 95 % interval, and its goal; as JSON and as a table.

All of it [main].
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bridge.system.whole_file import put
from engine.train.metrics import bootstrap_interval

ROUNDS = 1000


@dataclass(frozen=True)
class EvaluationRow:
    """One figure. `goal` is what it must reach, in words; `reached` None where there is none to reach."""

    group: str
    what: str
    value: float
    low: float
    high: float
    count: int
    goal: str = ""
    reached: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Reached, missed, or nothing where there is no goal."""
        return "" if self.reached is None else ("reached" if self.reached else "missed")


def goal_of(sign: str, limit: float) -> tuple[str, Callable[[float], bool]]:
    """A goal in words and as a test: sign is `>=` or `<=`.  [any]"""
    words = f"{'at least' if sign == '>=' else 'at most'} {limit:g}"
    return words, (lambda value: value >= limit) if sign == ">=" else (lambda value: value <= limit)


@dataclass
class EvaluationReport:
    """Rows in the order they were measured, printed at once; curves to draw by name."""

    rows: list[EvaluationRow] = field(default_factory=list)
    series: dict[str, Any] = field(default_factory=dict)

    def put(self, row: EvaluationRow) -> EvaluationRow:
        """Keep a row and say it."""
        self.rows.append(row)
        goal = f"   goal {row.goal}: {row.verdict}" if row.goal else ""
        name = f"{row.group}: {row.what}"
        print(f"{name:<72} {row.value:8.3f}  [{row.low:.3f}, {row.high:.3f}]  n={row.count}{goal}", flush=True)
        return row

    def mean(
        self, group: str, what: str, values: Sequence[float], sign: str = "", limit: float = 0.0, note: str = ""
    ) -> EvaluationRow:
        """Mean of values that are numbers, its interval by drawing again, and the goal where there is one."""
        known = [float(value) for value in values if np.isfinite(value)]
        if not known:
            return self.put(
                EvaluationRow(group, what, float("nan"), float("nan"), float("nan"), 0, note="nothing to measure")
            )
        low, high = bootstrap_interval(known)
        return self._judged(
            EvaluationRow(group, what, float(np.mean(known)), low, high, len(known), note=note), sign, limit
        )

    def of(
        self, group: str, what: str, count: int, figure: Callable[[Sequence[int]], float], sign: str = "",
        limit: float = 0.0, note: str = "", rounds: int = ROUNDS,
    ) -> EvaluationRow:  # fmt: skip
        """A figure of `count` pieces together (a ratio, a distance), its interval by drawing pieces again.

        With no rounds: by leaving out one piece at a time (for distances, which repeated pieces make larger).
        """
        if not rounds:
            return self._judged(
                _left_out(EvaluationRow(group, what, 0.0, 0.0, 0.0, count, note=note), figure), sign, limit
            )
        rng = np.random.default_rng(0)
        drawn = [figure(rng.integers(0, count, count).tolist()) for _ in range(rounds)]
        drawn = [value for value in drawn if np.isfinite(value)] or [float("nan")]
        low, high = (float(np.percentile(drawn, share)) for share in (2.5, 97.5))
        return self._judged(
            EvaluationRow(group, what, float(figure(range(count))), low, high, count, note=note), sign, limit
        )

    def _judged(self, row: EvaluationRow, sign: str, limit: float) -> EvaluationRow:
        if not sign:
            return self.put(row)
        words, test = goal_of(sign, limit)
        return self.put(EvaluationRow(**{**asdict(row), "goal": words, "reached": bool(test(row.value))}))


def _left_out(row: EvaluationRow, figure: Callable[[Sequence[int]], float]) -> EvaluationRow:
    """The row with its figure, and an interval by the jackknife (Efron 1982)."""
    every = list(range(row.count))
    value = float(figure(every))
    without = np.array([figure([i for i in every if i != left]) for left in every])
    reach = 1.96 * float(np.sqrt((row.count - 1) / row.count * np.sum((without - without.mean()) ** 2)))
    return EvaluationRow(**{**asdict(row), "value": value, "low": value - reach, "high": value + reach})


def markdown(rows: Sequence[EvaluationRow]) -> str:
    """The table of a model card.  [any]"""
    lines = ["| what | figure | 95 % interval | n | goal | |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = f"{row.value:.3f} | [{row.low:.3f}, {row.high:.3f}]"
        name = f"{row.group}: {row.what}" + (f" ({row.note})" if row.note else "")
        lines.append(f"| {name} | {figures} | {row.count} | {row.goal} | {row.verdict} |")
    return "\n".join(lines) + "\n"


def write(report: EvaluationReport, settings: dict[str, Any], out: Path) -> None:
    """`out` as JSON (settings, rows, series) and the table beside it as Markdown.  [any]"""
    rows = [asdict(row) for row in report.rows]
    out.parent.mkdir(parents=True, exist_ok=True)
    told = {"settings": settings, "rows": rows, "series": report.series}
    put(out, (json.dumps(told, indent=1) + "\n").encode())
    put(out.with_suffix(".md"), markdown(report.rows).encode())
