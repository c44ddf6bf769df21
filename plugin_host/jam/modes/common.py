"""What all modes share: the presses that mean the same in each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from bridge.time.units import beats_to_seconds
from plugin_host.jam.orders import Answer, Order, Release, Repeat, Stop, Stretch
from plugin_host.jam.plan import Build, Change, Moment, Plan, PressOutcome, nothing
from plugin_host.jam.state import Mode, Phase, Press

SOUNDING: tuple[Phase, ...] = ("playing", "both", "held")
UNHEARD_SECONDS = 1.0  # of music that the engine makes up before a bar line
CONTEXT_BARS = 4  # of the music before the player's turn that an answer also goes on from


class JamMode:
    """A mode with turns of `bars` bars. `since` notes where Segue's last music lies, for `again` and `hold`."""

    name: Mode
    usual: Phase = "playing"  # the phase in which Segue sounds

    def __init__(self, bars: int) -> None:
        self.bars = bars
        self.last: tuple[int, int] | None = None  # bars of Segue's last music: first, one behind the last
        self._sounds_from: int | None = None

    @property
    def turn_bars(self) -> int:
        """The length of a turn, at least a bar.  [any]"""
        return max(1, self.bars)

    def after(self, phase: Phase, bar: int) -> Change | None:
        """Note what sounds; what follows is the mode's own rule.  [main]"""
        if phase in SOUNDING:
            if self._sounds_from is None:
                self._sounds_from = bar
        elif self._sounds_from is not None:
            self.last, self._sounds_from = (self._sounds_from, bar), None
        return self.follows(phase, bar)

    def follows(self, phase: Phase, bar: int) -> Change | None:
        """What follows by itself on a phase that begins at a bar.  [main]"""
        return None

    def listen(self, now: Moment, plan: Plan) -> tuple[Order, ...]:
        """Nothing beside the changes.  [main]"""
        return ()

    # -- what is ordered --------------------------------------------------------------------------------

    def answer(self, now: Moment, bar: int) -> tuple[Order, ...]:
        """Go on from what both played, up to now.  [main]"""
        return (Answer(bar, self.bars, self.conversation(now, bar)),)

    def conversation(self, now: Moment, bar: int) -> Stretch:
        """What was played lately, from a bar line on, up to now.

        Of a last bar that is at most half over, or too long to be made up unheard, nothing is taken: the music then
        goes on from the bar line before it.  [main]
        """
        end = min(now.beats, bar * now.per_bar)
        begin = max(0, bar - self.turn_bars - CONTEXT_BARS) * now.per_bar
        over = end % now.per_bar
        missing = beats_to_seconds((now.per_bar - over) % now.per_bar, now.grid.tempo_bpm)
        if (over <= now.per_bar / 2 or missing > UNHEARD_SECONDS) and end - over > begin:
            end -= over
        return Stretch(min(begin, end), end)

    @staticmethod
    def stop(now: Moment, bar: int) -> tuple[Order, ...]:
        """Segue ends there.  [main]"""
        return (Stop(bar),)

    # -- presses ----------------------------------------------------------------------------------------

    def pressed(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The change that a press asks for; by its verb.  [main]"""
        act: Callable[[Press, int, Moment, Plan], Change | PressOutcome] = getattr(self, f"press_{press.verb}")
        return act(press, bar, now, plan)

    def press_play_stop(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Stop, or begin anew with the player's turn.  [main]"""
        if plan.phase == "stopped":
            return Change(bar, "listening", quick=True, text="listening")
        orders = self.stop if plan.phase in SOUNDING or plan.sounds_soon else nothing
        return Change(bar, "stopped", orders, quick=True, text="stop")

    def press_take_over(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Segue takes over; or, if it plays alone, the player does.  [main]"""
        if plan.phase == "playing":
            return Change(bar, "listening", self.stop, quick=True, text="your turn")
        at = max(bar, now.reachable())
        return Change(at, "playing", self.answer, text="Segue takes over")

    def press_again(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Segue's last music once more.  [main]"""
        music = self._lately(now, plan)
        if music is None:
            return PressOutcome("Segue has played nothing that it could repeat")
        first, end = music
        bars, at = end - first, bar
        if plan.phase in SOUNDING:  # after the turn that sounds
            at = max(bar, end)
        return Change(at, self.usual, repeats(first, end, bars), quick=True, text="again")

    def press_hold(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The last bars go round until it is pressed again.  [main]"""
        if plan.phase == "held":
            return Change(bar, self.usual, _release, quick=True, text="on from here")
        if self._sounds_from is None or plan.phase not in SOUNDING:
            return PressOutcome("Segue does not play: there is nothing to hold")
        end = max(bar, self._sounds_from + 1)
        first = max(self._sounds_from, end - self.turn_bars)
        return Change(end, "held", repeats(first, end, 0), quick=True, text="hold")

    def press_keep(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Only some modes have something to keep.  [main]"""
        return PressOutcome(f"in {self.name} there is nothing to keep")

    def press_undo(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """Only some modes have something to undo.  [main]"""
        return PressOutcome(f"in {self.name} there is nothing to undo")

    def press_record(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The player's turn begins at the nearest bar, and lasts as long as was said.  [main]"""
        if press.bars is not None:
            self.bars = press.bars
        orders = self.stop if plan.phase in SOUNDING else nothing
        return Change(max(0, bar), "listening", orders, quick=True, text=f"your {self.turn_bars} bars")

    def _lately(self, now: Moment, plan: Plan) -> tuple[int, int] | None:
        """Bars of Segue's music that sounds, up to its turn's end, or that sounded last."""
        if self._sounds_from is None:
            return self.last
        first = max(self._sounds_from, now.bar - self.turn_bars + 1)
        ends = plan.next_change()
        return first, ends.bar if ends is not None and self.usual == "playing" else now.bar + 1


def stretch(first: int, end: int, per_bar: Fraction) -> Stretch:
    """Whole bars as a stretch.  [any]"""
    return Stretch(first * per_bar, end * per_bar)


def _release(now: Moment, bar: int) -> tuple[Order, ...]:
    return (Release(bar),)


def repeats(first: int, end: int, bars: int, own: bool = True) -> Build:
    """The order to repeat whole bars, `bars` 0 until it is released.  [any]"""

    def build(now: Moment, bar: int) -> tuple[Order, ...]:
        return (Repeat(bar, bars, stretch(first, end, now.per_bar), own),)

    return build
