"""A row of the jam bench: what was reached, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plugin_host.console.screen import Screen


@dataclass(frozen=True)
class JamRow:
    """A figure. `goal` is at least reached, with `most` it is not passed; None is a figure without a goal."""

    name: str
    value: float
    unit: str = ""
    goal: float | None = None
    most: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is met; a figure without one is.  [any]"""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.most else self.value >= self.goal  # nan meets nothing

    @property
    def text(self) -> str:
        """The row as it is printed: `reached X of Y`.  [any]"""
        unit = f" {self.unit}" if self.unit else ""
        if self.goal is None:
            return f"{self.name:<72} {self.value:.6g}{unit}"
        limit = "at most " if self.most else ""
        mark = "" if self.met else "  MISSED"
        return f"{self.name:<72} reached {self.value:.6g} of {limit}{self.goal:.6g}{unit}{mark}"


def show(rows: Sequence[JamRow], screen: Screen) -> None:
    """Print a line for each row.  [main]"""
    for row in rows:
        screen.say(f"  {row.text}")
