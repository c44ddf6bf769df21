"""How much a row counts, and where it may write."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Size(StrEnum):
    """How much is counted: `short` judges no time of the clock, so that a busy machine does not fail it."""

    SHORT = "short"
    USUAL = "usual"
    LONG = "long"


@dataclass(frozen=True)
class Stage:
    """One run of a row; `twin`: of its broken twin, which must be found."""

    folder: Path
    size: Size = Size.USUAL
    twin: bool = False

    def count(self, short: int, usual: int, long: int) -> int:
        """How many cases; a twin needs no more than the short run.  [any]"""
        return short if self.twin else {Size.SHORT: short, Size.USUAL: usual, Size.LONG: long}[self.size]

    @property
    def timed(self) -> bool:
        """Whether times of the clock are judged.  [any]"""
        return self.size is not Size.SHORT


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them are; nan for none.  [any]"""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, max(0, round(share * 1000) - 1))]
