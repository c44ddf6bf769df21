"""The ways to play together: trade, accompany, continue, loop; each says what follows what."""

from __future__ import annotations

from plugin_host.jam.modes.accompany import Accompanying
from plugin_host.jam.modes.carry_on import CarryingOn
from plugin_host.jam.modes.common import JamMode
from plugin_host.jam.modes.loop import Looping
from plugin_host.jam.modes.trade import Trading
from plugin_host.jam.state import Mode
from plugin_host.jam.timing import JamTiming

BARS = {"trade": 4, "accompany": 2, "continue": 0, "loop": 4}  # without --bars


def make_mode(name: Mode, bars: int | None, timing: JamTiming) -> JamMode:
    """The mode of a name; `bars` None takes its own number.  [main]"""
    count = BARS[name] if bars is None else bars
    if name == "trade":
        return Trading(count)
    if name == "accompany":
        return Accompanying(count, timing)
    return CarryingOn(count) if name == "continue" else Looping(count)
