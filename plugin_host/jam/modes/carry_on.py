"""Continue: Segue takes over on the bar line when the player stops for a beat, and hands back when she plays again."""

from __future__ import annotations

from plugin_host.jam.modes.common import SOUNDING, JamMode
from plugin_host.jam.orders import Order
from plugin_host.jam.plan import Change, Moment, Plan, PressOutcome, nothing
from plugin_host.jam.state import Phase, Press


class CarryingOn(JamMode):
    """Segue plays for `bars` bars, with 0 until the player plays again."""

    name = "continue"

    def __init__(self, bars: int) -> None:
        super().__init__(bars)
        self._was_heard = False  # since it is the player's turn
        self.turn_held = False

    @property
    def turn_bars(self) -> int:
        """The length of what is repeated and gone on from.  [any]"""
        return self.bars or 4

    def follows(self, phase: Phase, bar: int) -> Change | None:
        """Segue's turn may have a length.  [main]"""
        self._was_heard = False
        if phase in SOUNDING and self.bars and not self.turn_held:
            return Change(bar + self.bars, "listening", nothing)
        return None

    def listen(self, now: Moment, plan: Plan) -> tuple[Order, ...]:
        """Put in the change when the player stops, or plays again; take it out if she goes on after all.  [main]"""
        coming = next((each for each in plan.changes if each.press is None), None)
        if plan.phase == "listening":
            self._was_heard |= now.playing
            if now.playing and coming is not None and not coming.ordered:
                plan.changes.remove(coming)
            elif not now.playing and self._was_heard and not plan.changes and not self.turn_held:
                plan.put(Change(now.reachable(), "playing", self.answer))
        elif plan.phase == "playing" and now.playing and not (plan.pending or self.turn_held):
            at = now.reachable(0)
            if coming is None or coming.bar > at:
                plan.put(Change(at, "listening", self.stop, quick=True))
        return ()

    def press_hold(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The turn stays with whoever has it, until it is pressed again.  [main]"""
        self.turn_held = not self.turn_held
        plan.drop_automatic()
        whose = "yours" if plan.phase == "listening" else "Segue's"
        return PressOutcome(f"the turn stays {whose}" if self.turn_held else "turns change again", True)
