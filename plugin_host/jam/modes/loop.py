"""Loop: a looper whose loop varies. The recorded bars come once as they were; each later pass is a variation."""

from __future__ import annotations

from plugin_host.jam.modes.common import SOUNDING, JamMode, repeats, stretch
from plugin_host.jam.orders import Order, Vary
from plugin_host.jam.plan import Change, Moment, Plan, PressOutcome, nothing
from plugin_host.jam.state import Phase, Press


class Looping(JamMode):
    """A loop of `bars` bars; `loops` are the first bars of those that were recorded or kept, newest last."""

    name = "loop"
    usual = "both"

    def __init__(self, bars: int) -> None:
        super().__init__(max(1, bars))
        self.loops: list[tuple[int, bool, int]] = []  # first bar, whether it is Segue's, bars
        self._plain = False  # the next pass is the loop as it is

    def follows(self, phase: Phase, bar: int) -> Change | None:
        """Pass after pass; the first one is the loop itself.  [main]"""
        if phase == "listening":
            self.loops.append((bar, False, self.bars))
            self._plain = True
            return self._pass(bar + self.bars)
        return self._pass(bar + self.bars) if phase == "both" else None

    def _pass(self, bar: int) -> Change:
        return Change(bar, "both", self._orders, then=self._passed, quick=self._plain)

    def _passed(self) -> None:
        self._plain = False

    def _orders(self, now: Moment, bar: int) -> tuple[Order, ...]:
        first, own, bars = self.loops[-1]
        if self._plain:
            return repeats(first, first + bars, bars, own)(now, bar)
        return (Vary(bar, stretch(first, first + bars, now.per_bar), own),)

    # -- presses ----------------------------------------------------------------------------------------

    def press_take_over(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """A loop has no turns.  [main]"""
        return PressOutcome("a loop has no turns: keep, again, hold, record or undo")

    def press_again(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The pass that sounds once more as it is.  [main]"""
        if plan.phase != "both":
            return PressOutcome("there is no pass yet to hear again")
        first = plan.since_bar
        return Change(first + self.bars, "both", repeats(first, first + self.bars, self.bars), quick=True, text="again")

    def press_keep(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The pass that sounds becomes the loop: it comes once more, and is varied from then on.  [main]"""
        if plan.phase != "both":
            return PressOutcome("there is no pass yet to keep")
        before = plan.since_bar - self.bars
        late = bar <= plan.since_bar and self._sounds_from is not None and before >= self._sounds_from
        first = before if late else plan.since_bar  # a late press means the pass before

        def kept() -> None:
            self.loops.append((first, True, self.bars))

        end = plan.since_bar + self.bars
        return Change(end, "both", repeats(first, first + self.bars, self.bars), then=kept, quick=True, text="kept")

    def press_undo(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The loop before: it comes as it was, from the next pass on.  [main]"""
        if plan.phase not in SOUNDING or len(self.loops) < 2:
            return PressOutcome("there is no loop before this one")
        self.loops.pop()
        first, own, bars = self.loops[-1]
        self.bars = bars
        at = max(bar, now.reachable(0))
        return Change(at, "both", repeats(first, first + bars, bars, own), quick=True, text="the loop before")

    def press_play_stop(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Stop, or play the loop from its beginning.  [main]"""
        if plan.phase != "stopped":
            return super().press_play_stop(press, bar, now, plan)
        if not self.loops:
            return Change(bar, "listening", nothing, quick=True, text="recording")
        first, own, bars = self.loops[-1]
        at = max(bar, now.reachable(0))
        return Change(at, "both", repeats(first, first + bars, bars, own), quick=True, text="play")
