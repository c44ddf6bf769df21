"""A contest's output added to the report; each missing row gets the reason."""

from __future__ import annotations

from typing import Any

from engine.bench.contest import ContestSpec
from engine.bench.results import FAILED, SEGUE, BenchReport, BenchRow, Extras, extras_of, row_of


def gather(report: BenchReport, spec: ContestSpec, records: list[dict[str, Any]], reason: str) -> None:
    """The last result of each row counts; `reason` is that of an abnormal end of the process.  [main]"""
    rows: dict[tuple[str, str], BenchRow] = {}
    extras: list[Extras] = []
    for line in records:
        body = {name: value for name, value in line.items() if name != "kind"}
        if line["kind"] == "row":
            row = row_of(body)
            rows[row.side, row.precision] = row
        elif line["kind"] == "extras":
            extras = [extras_of(body)]
        elif line["kind"] == "bandwidth":
            known = report.bandwidth.setdefault(body["model"], {"read": 0.0, "copy": 0.0})
            known |= {name: max(known[name], body[name]) for name in known}
        elif line["kind"] == "threads":
            report.machine["threads"] = body["threads"]
    for precision in spec.precisions:
        if (SEGUE, precision) not in rows:
            why = reason or "its process reported nothing"
            rows[SEGUE, precision] = BenchRow(spec.model, "", SEGUE, precision, spec.device, FAILED, why)
    if reason:
        for row in rows.values():
            row.reason = row.reason or f"cut short: {reason}"
    report.rows += rows.values()
    report.extras += extras
