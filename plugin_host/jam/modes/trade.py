"""Trade: the player's bars, then as many of Segue's, and so on."""

from __future__ import annotations

from plugin_host.jam.modes.common import SOUNDING, JamMode
from plugin_host.jam.plan import Change, Moment, Plan, PressOutcome, nothing
from plugin_host.jam.state import Phase, Press


class Trading(JamMode):
    """You `bars` bars, Segue `bars` bars. While the turn is held it stays with whoever has it."""

    name = "trade"

    def __init__(self, bars: int) -> None:
        super().__init__(max(1, bars))
        self.turn_held = False

    def follows(self, phase: Phase, bar: int) -> Change | None:
        """The other one's turn.  [main]"""
        if phase in SOUNDING:
            to: Phase = "playing" if self.turn_held else "listening"
            return Change(bar + self.bars, to, self.answer if self.turn_held else nothing)
        if phase == "stopped" or self.turn_held:
            return None
        return Change(bar + self.bars, "playing", self.answer)

    def press_hold(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The turn stays with whoever has it, until it is pressed again.  [main]"""
        if plan.phase == "stopped":
            return PressOutcome("nobody has the turn: press play first")
        self.turn_held = not self.turn_held
        plan.drop_automatic()
        late = self.turn_held or plan.phase in SOUNDING
        since = plan.since_bar if late else max(plan.since_bar, now.reachable() - self.bars)
        following = self.follows(plan.phase, since)
        if following is not None:
            plan.put(following)
        whose = "yours" if plan.phase == "listening" else "Segue's"
        return PressOutcome(f"the turn stays {whose}" if self.turn_held else "turns change again", True)
