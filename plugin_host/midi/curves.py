"""A control's position, 0 to 1, to a value between two ends, and back.

linear    equal steps
geometric equal ratios: for levels and times; both ends above 0, or both below
2.0       a power: above 1 fine steps near the lower end, below 1 near the upper one
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from plugin_host.midi.errors import MidiMapError

LINEAR, GEOMETRIC = "linear", "geometric"
POWER_MIN, POWER_MAX = 0.1, 10.0


@dataclass(frozen=True)
class Curve:
    """From `low` at 0 to `high` at 1, which may be the lower one; `power` 0: geometric. `whole`: whole numbers."""

    low: float
    high: float
    power: float = 1.0
    whole: bool = False

    @property
    def name(self) -> str | float:
        """As a map names it.  [any]"""
        return LINEAR if self.power == 1.0 else self.power or GEOMETRIC

    def value(self, position: float) -> float:
        """The value at a position.  [any]"""
        at = min(1.0, max(0.0, position))
        if self.power == 0.0:
            found = self.low * (self.high / self.low) ** at
        else:
            found = self.low + (self.high - self.low) * at**self.power
        return float(round(found)) if self.whole else found

    def position(self, value: float) -> float:
        """The position of a value, 0 or 1 for values outside.  [any]"""
        if self.high == self.low:
            return 0.0
        within = min(max(self.low, self.high), max(min(self.low, self.high), value))
        if self.power == 0.0:
            return math.log(within / self.low) / math.log(self.high / self.low)
        return float(((within - self.low) / (self.high - self.low)) ** (1 / self.power))


def curve_of(low: float, high: float, name: object, whole: bool) -> Curve:
    """A curve by its name or power; MidiMapError says what is allowed.  [any]"""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise MidiMapError(f"a range is two numbers, got {low} and {high}")
    if name == LINEAR:
        return Curve(low, high, 1.0, whole)
    if name == GEOMETRIC:
        if low * high <= 0:
            raise MidiMapError(f"a geometric curve needs low and high above 0, or both below; got {low:g} and {high:g}")
        return Curve(low, high, 0.0, whole)
    if isinstance(name, (int, float)) and not isinstance(name, bool) and POWER_MIN <= name <= POWER_MAX:
        return Curve(low, high, float(name), whole)
    raise MidiMapError(
        f"a curve is '{LINEAR}', '{GEOMETRIC}' or a power from {POWER_MIN:g} to {POWER_MAX:g}; got {name!r}"
    )
