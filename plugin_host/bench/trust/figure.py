"""What a row reached, and of what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

FAULTS_SHOWN = 8


@dataclass(frozen=True)
class Figure:
    """A row's count; `told` are further figures, `faults` what else was not as it must be. Met if all is."""

    reached: int
    of: int
    unit: str
    told: str = ""
    faults: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether all was reached, without a fault.  [any]"""
        return self.of > 0 and self.reached >= self.of and not self.faults

    def line(self, number: int, twin: bool = False) -> str:
        """The row as it is printed.  [any]"""
        told = f"; {self.told}" if self.told else ""
        mark = "" if self.met else "  MISSED"
        if twin:
            mark = "  RED, as it must be" if not self.met else "  GREEN: the row finds nothing"
        name = f"TWIN {number}" if twin else f"ROW {number}"
        return f"{name}: reached {self.reached:,} of {self.of:,} {self.unit}{told}{mark}"

    def packed(self) -> str:
        """One line of JSON.  [any]"""
        return json.dumps(asdict(self))


def unpacked(line: str) -> Figure:
    """A figure from its line of JSON.  [any]"""
    values = json.loads(line)
    return Figure(**{**values, "faults": tuple(values["faults"])})


def counted(of: int, unit: str, faults: Sequence[str], told: str = "") -> Figure:
    """A figure of `of` cases of which each fault is one that failed.  [any]"""
    return Figure(of - min(of, len(faults)), of, unit, told, tuple(faults))


def shown(faults: Sequence[str]) -> list[str]:
    """The first faults, and how many more there are.  [any]"""
    more = len(faults) - FAULTS_SHOWN
    return [*faults[:FAULTS_SHOWN], *([f"and {more} more"] if more > 0 else [])]
