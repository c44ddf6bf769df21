"""Accompany: Segue plays along. The player's last bars are its melody or style, its own music is its context."""

from __future__ import annotations

from plugin_host.jam.modes.common import SOUNDING, JamMode
from plugin_host.jam.orders import Accompany, Order, Relisten, Stretch
from plugin_host.jam.plan import Change, Moment, Plan, PressOutcome
from plugin_host.jam.state import Phase, Press
from plugin_host.jam.timing import JamTiming

WINDOW_BARS = 4  # listened to at least, once there are so many; they go round until it has heard better
LEAD_BARS = 4  # that Segue leads after `take_over`


class Accompanying(JamMode):
    """Listens again every `bars` bars, or less often on a machine that takes longer; starts after the first `bars`."""

    name = "accompany"
    usual = "both"

    def __init__(self, bars: int, timing: JamTiming) -> None:
        super().__init__(max(1, bars))
        self._timing = timing
        self._next = 0  # bar from which the next listening is heard
        self._kept: Stretch | None = None  # what it stays with
        self._music_for: list[Stretch] = []  # newest last

    def follows(self, phase: Phase, bar: int) -> Change | None:
        """It begins after the player's first bars; a lead of its own ends.  [main]"""
        if phase == "both":
            self._next = bar
        if phase == "playing":
            return Change(bar + max(self.bars, LEAD_BARS), "both", self._accompany)
        return Change(bar + self.bars, "both", self._accompany) if phase == "listening" else None

    def every_bars(self, now: Moment) -> int:
        """The interval between listenings.  [any]"""
        return self._timing.listen_every_bars(self.bars, now.grid)

    def listen(self, now: Moment, plan: Plan) -> tuple[Order, ...]:
        """Listen again when it is time, unless it keeps what it has.  [main]"""
        if plan.phase != "both" or self._kept is not None or plan.pending:
            return ()
        due = self._next + self.every_bars(now)
        if now.beats < due * now.per_bar - now.lead_beats:
            return ()
        self._next = max(due, now.reachable())
        return (Relisten(self._next, self._note(self._window(now))),)

    def _accompany(self, now: Moment, bar: int) -> tuple[Order, ...]:
        self._next = bar
        return (Accompany(bar, self._kept or self._note(self._window(now))),)

    def _window(self, now: Moment) -> Stretch:
        """The last whole bars up to now, from the first one on; less than a bar at the very beginning."""
        bars = min(max(self.bars, WINDOW_BARS), int(now.bars))
        return Stretch(now.beats - bars * now.per_bar if bars else now.beats * 0, now.beats)

    def _note(self, heard: Stretch) -> Stretch:
        self._music_for = [*self._music_for[-15:], heard]
        return heard

    # -- presses ----------------------------------------------------------------------------------------

    def press_keep(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Stay with what was heard last, and listen no more; the second press listens again.  [main]"""
        if self._kept is not None:
            self._kept = None
            return PressOutcome("listening again", True)
        if not self._music_for:
            return PressOutcome("nothing was heard yet")
        self._kept = self._music_for[-1]
        return PressOutcome("it stays with what it has heard", True)

    def press_undo(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Back to what it followed before the last listening, and keep it.  [main]"""
        if len(self._music_for) < 2 or plan.phase != "both":
            return PressOutcome("there is nothing to undo")
        self._music_for.pop()
        back = self._kept = self._music_for[-1]
        at = max(bar, now.reachable())
        return Change(at, "both", lambda now, bar: (Relisten(bar, back),), text="back to what it heard before")

    def press_record(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Listen to so many bars from the nearest one on, and stay with them.  [main]"""
        bars = press.bars or self.bars
        first = max(0, bar)

        def build(now: Moment, bar: int) -> tuple[Order, ...]:
            heard = self._kept = self._note(Stretch(first * now.per_bar, min(now.beats, (first + bars) * now.per_bar)))
            return (Relisten(bar, heard) if plan.phase in SOUNDING else Accompany(bar, heard),)

        self._kept = None
        return Change(max(first + bars, now.reachable()), "both", build, text=f"it follows {bars} bars of yours")
