"""When a switch is pressed: one rule, for the foot switch of a jam and for the switches of a map.

    momentary   127 (pressed)  0 (released)  127  0     a press at each value from the half on
    latching    127 (pressed)  0 (pressed)   127  0     a press at each change

A continuous pedal presses once on its way up. The same value again is a press, too: some switches send no 0. A press
within 30 ms of the last one came from a contact that bounces, or over a second cable.
"""

from __future__ import annotations

from dataclasses import dataclass

BOUNCE_SECONDS = 0.03


@dataclass
class Contact:
    """One switch: its last value, and when it was pressed last, on a clock in seconds."""

    latching: bool = False
    value: int | None = None
    pressed_seconds: float | None = None

    def goes(self, value: int, half: int) -> bool | None:
        """Whether a new value presses it (False: releases it); None for neither; `half`: values from there on are on.

        [any]
        """
        before, self.value = self.value, value
        if self.latching and before is not None:
            return True if (value >= half) != (before >= half) else None
        if value >= half:
            return True if before is None or before < half or before == value else None
        return False if before is not None and before >= half else None

    def counts(self, seconds: float) -> bool:
        """Whether a press at this second is one of its own, no bounce of the last.  [any]"""
        before, self.pressed_seconds = self.pressed_seconds, seconds
        return before is None or seconds - before >= BOUNCE_SECONDS
