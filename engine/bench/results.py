"""Results of a run as plain values: rows, a model's extras besides its steps, bandwidth; and JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA = 1
FRAMES_PER_SECOND = 50
MEASURED, SKIPPED, FAILED, NOT_MEASURED = "measured", "skipped", "failed", "not measured"
FILLS = ("start", "half", "nearly full")
LEAST_FOR_P99, LEAST_FOR_P999 = 100, 1000
SEGUE = "Segue"


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of the rounds' medians.  [any]"""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of one value for each round; ValueError for none.  [any]"""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that a `share` of all values do not exceed.  [any]"""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


@dataclass(frozen=True)
class Fill:
    """Steps at one fill of the cache; times in milliseconds.

    `step_ms` is over the rounds; percentiles are over all steps, None if there were too few.  [any]
    """

    frames: int
    positions: int
    steps: int
    step_ms: Spread
    p50_ms: float
    p99_ms: float | None
    p999_ms: float | None
    slowest_ms: float
    read_bytes: float
    floor_ms: float
    of_floor: float


def fill_of(frames: int, positions: int, rounds: Sequence[Sequence[float]], n_bytes: float, bandwidth: float) -> Fill:
    """The result of the seconds of all steps, round by round.  [any]"""
    every = [1000.0 * one for each in rounds for one in each]
    step, floor = spread([1000.0 * statistics.median(each) for each in rounds]), 1000.0 * n_bytes / bandwidth
    return Fill(
        frames,
        positions,
        len(every),
        step,
        statistics.median(every),
        percentile(every, 0.99) if len(every) >= LEAST_FOR_P99 else None,
        percentile(every, 0.999) if len(every) >= LEAST_FOR_P999 else None,
        max(every),
        n_bytes,
        floor,
        floor / step.median,
    )


@dataclass
class BenchRow:
    """One side, one model, one precision.

    `times_as_fast` is against transformers' best at this precision, for int8 and int4 at any, round by round at half
    fill.  `logits_off` is the largest difference of the two sides' logits over their spread.  Against Segue in float32:
    `error_std`, of the logits over their spread; `drawn_otherwise`, the share of draws that would differ (see
    `engine.lm.executors.fidelity`).  [any]
    """

    model: str
    weights: str
    side: str
    precision: str
    device: str
    status: str = MEASURED
    reason: str = ""
    rows: int = 2
    fills: dict[str, Fill] = field(default_factory=dict)
    times_as_fast: Spread | None = None
    logits_off: float | None = None
    error_std: float | None = None
    drawn_otherwise: float | None = None
    held_mb: float | None = None

    @property
    def steps_per_second(self) -> float | None:
        """Steps a second at half fill.  [any]"""
        half = self.fills.get("half")
        return None if half is None else 1000.0 / half.step_ms.median

    @property
    def realtime(self) -> float | None:
        """Seconds of music a second at half fill, for the language model alone.  [any]"""
        steps = self.steps_per_second
        return None if steps is None else steps / FRAMES_PER_SECOND


@dataclass
class Extras:
    """A model's times besides its steps, at one precision; milliseconds.  [any]"""

    model: str
    precision: str
    device: str
    first_sound_ms: Spread | None = None
    change_ms: Spread | None = None
    codec_frame_ms: Spread | None = None
    codec_share: float | None = None
    realtime: float | None = None  # language model and codec
    lanes_ms: dict[str, Spread] = field(default_factory=dict)
    lanes_skipped: dict[str, str] = field(default_factory=dict)
    peak_mb: float | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class BenchReport:
    """The results of a run; `machine` describes the computer.  [any]"""

    machine: dict[str, Any]
    rows: list[BenchRow] = field(default_factory=list)
    extras: list[Extras] = field(default_factory=list)
    bandwidth: dict[str, dict[str, float]] = field(default_factory=dict)  # of each model's run, bytes a second


def row_json(row: BenchRow) -> dict[str, Any]:
    """A row with its derived figures.  [any]"""
    return {**asdict(row), "steps_per_second": row.steps_per_second, "realtime": row.realtime}


def row_of(values: dict[str, Any]) -> BenchRow:
    """The row of a JSON value.  [any]"""
    plain = {name: values[name] for name in BenchRow.__dataclass_fields__ if name in values}
    plain["fills"] = {
        name: Fill(**{**one, "step_ms": Spread(**one["step_ms"])}) for name, one in values.get("fills", {}).items()
    }
    plain["times_as_fast"] = None if values.get("times_as_fast") is None else Spread(**values["times_as_fast"])
    return BenchRow(**plain)


def extras_of(values: dict[str, Any]) -> Extras:
    """The extras of a JSON value.  [any]"""
    plain = dict(values)
    for name in ("first_sound_ms", "change_ms", "codec_frame_ms"):
        plain[name] = None if values.get(name) is None else Spread(**values[name])
    plain["lanes_ms"] = {name: Spread(**one) for name, one in values.get("lanes_ms", {}).items()}
    return Extras(**plain)


def report_json(report: BenchReport) -> dict[str, Any]:
    """The whole run for a JSON file.  [any]"""
    return {
        "schema": SCHEMA,
        "machine": report.machine,
        "bandwidth_bytes_per_second": report.bandwidth,
        "rows": [row_json(row) for row in report.rows],
        "extras": [asdict(extras) for extras in report.extras],
    }
