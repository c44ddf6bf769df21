"""The plan of a jam: what is the case, what comes next, from which bar on; and what that orders, in time.

    bar line - lead            bar line
         |  ordered: committed     |  the change is heard
    -----|-------------------------|---------------->
      may still be replaced, cancelled

A mode says what follows what; presses put other changes in. Nothing here knows the engine, a clock or a device: the
session calls `tick` on every beat, and carries out the orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

from bridge.time.transport import Grid
from plugin_host.jam.orders import Order
from plugin_host.jam.state import Mode as ModeName
from plugin_host.jam.state import PendingPress, Phase, Press, PressReply, Verb


@dataclass(frozen=True)
class Moment:
    """A beat of the timeline at which the plan is looked at.

    `playing`: the player plays, or did within the last beat. `lead_beats`: see `JamTiming`.
    """

    beats: Fraction
    grid: Grid
    lead_beats: int
    playing: bool = False

    @property
    def bar(self) -> int:
        """The bar that owns this beat.  [any]"""
        return math.floor(self.bars)

    @property
    def bars(self) -> Fraction:
        """The position in bars.  [any]"""
        return self.beats / self.per_bar

    @property
    def per_bar(self) -> Fraction:
        """Beats in a bar.  [any]"""
        return self.grid.signature.beats_per_bar

    def reachable(self, lead_beats: int | None = None) -> int:
        """The first bar whose music can still be made, or with 0 the next bar.  [any]"""
        lead = self.lead_beats if lead_beats is None else lead_beats
        return math.ceil((self.beats + lead) / self.per_bar)


QUICK_BEATS = 1  # before a change that needs no new music of the model
Build = Callable[[Moment, int], tuple[Order, ...]]  # the orders of a change to a bar, from what is known now


def nothing(now: Moment, bar: int) -> tuple[Order, ...]:
    """No orders.  [any]"""
    return ()


@dataclass(frozen=True)
class Change:
    """From `bar` on the jam is in another phase. `orders` are given a lead before it, with `quick` a beat before it.

    `press`: the press that asked for it; None, it comes by itself. `then` is called when it is heard.
    """

    bar: int
    to: Phase
    orders: Build = nothing
    press: Press | None = None
    quick: bool = False
    then: Callable[[], None] = field(default=lambda: None)
    text: str = ""
    ordered: bool = False


@dataclass(frozen=True)
class PressOutcome:
    """The outcome of a press that changes no phase: done, from `bar` on (None: now), or refused; and why."""

    text: str
    accepted: bool = False
    bar: int | None = None


class Mode(Protocol):
    """The rules of one way to play together."""

    name: ModeName

    def after(self, phase: Phase, bar: int) -> Change | None:
        """What follows by itself on a phase that begins at a bar.  [main]"""
        ...

    def listen(self, now: Moment, plan: Plan) -> tuple[Order, ...]:
        """On every beat: what is ordered beside the changes; may put changes into the plan.  [main]"""
        ...

    def pressed(self, press: Press, bar: int, now: Moment, plan: Plan) -> Change | PressOutcome:
        """The change that a press asks for at the nearest bar or the next possible one; or what comes of it.

        [main]
        """
        ...


class Plan:
    """The plan of one jam in a mode. All [main]."""

    def __init__(self, mode: Mode, bar: int = 0) -> None:
        """It begins with the player's turn on `bar`.  [main]"""
        self.mode = mode
        self.phase: Phase = "listening"
        self.since_bar = bar
        self.changes: list[Change] = []
        self._before: tuple[Phase, int] = (self.phase, bar)
        self._entered: Change | None = None
        self._follow(bar)

    def _follow(self, bar: int) -> None:
        following = self.mode.after(self.phase, bar)
        if following is not None:
            self.put(following)

    def put(self, change: Change) -> None:
        """Put a change in; it replaces those at its bar or later, but for presses.  [main]"""
        kept = [each for each in self.changes if each.bar < change.bar or (each.press and not change.press)]
        self.changes = sorted([*kept, change], key=lambda each: each.bar)

    def drop_automatic(self) -> None:
        """Take out what comes by itself and is not ordered.  [main]"""
        self.changes = [each for each in self.changes if each.press is not None or each.ordered]

    # -- every beat -----------------------------------------------------------------------------------

    def tick(self, now: Moment) -> list[Order]:
        """Enter what is heard from now on, and give the orders that are due.  [main]"""
        while self.changes and self.changes[0].bar * now.per_bar <= now.beats:
            change = self.changes.pop(0)
            orders = [] if change.ordered else list(change.orders(now, change.bar))
            self._enter(change)
            if orders:
                return [*orders, *self.tick(now)]
        orders = list(self.mode.listen(now, self))
        for change in [each for each in self.changes if not each.ordered]:
            lead = QUICK_BEATS if change.quick else now.lead_beats
            if now.beats >= change.bar * now.per_bar - lead:
                orders += change.orders(now, change.bar)
                self.changes[self.changes.index(change)] = replace(change, ordered=True)
        return orders

    def _enter(self, change: Change) -> None:
        self._before, self._entered = (self.phase, self.since_bar), change
        self.changes = [each for each in self.changes if each.press is not None]
        self.phase, self.since_bar = change.to, change.bar
        change.then()
        self._follow(change.bar)

    def moved(self, bar: int, to_bar: int, ordered: bool = True) -> None:
        """The music ordered for a bar begins on a later one, or is ordered again for that one: so does its change.

        [main]
        """
        for number, change in enumerate(self.changes):
            if change.bar == bar and change.ordered:
                self.changes[number] = replace(change, bar=to_bar, ordered=ordered)
                self.changes.sort(key=lambda each: each.bar)
                return
        if self.since_bar == bar and self._entered is not None:  # it was entered already, and is not heard yet
            self.phase, self.since_bar = self._before
            self.changes = [each for each in self.changes if each.press is not None]
            self.put(replace(self._entered, bar=to_bar, ordered=ordered))

    # -- presses --------------------------------------------------------------------------------------

    def press(self, press: Press, at_beats: Fraction, now: Moment) -> PressReply:
        """Take a press that came at a beat; it takes effect at the nearest bar, or the next one possible.  [main]"""
        if press.verb == "cancel":
            return self._cancelled(press, now)
        mine = self._pending(press.verb)
        if mine is not None:
            return self._take_back(press, mine, now)
        nearest = math.floor(at_beats / now.per_bar + Fraction(1, 2))
        change = self.mode.pressed(press, nearest, now, self)
        if isinstance(change, PressOutcome):
            bar = now.bar if change.bar is None else change.bar
            return _reply(press, bar, now, change.text, change.accepted)
        self.put(replace(change, press=press))
        return _reply(press, change.bar, now, change.text or WORDS[press.verb])

    def _pending(self, verb: Verb) -> Change | None:
        return next((each for each in self.changes if each.press and each.press.verb == verb), None)

    def _cancelled(self, press: Press, now: Moment) -> PressReply:
        pressed = [each for each in self.changes if each.press]
        if not pressed:
            return _reply(press, now.bar, now, "nothing is pending", accepted=False)
        return self._take_back(press, pressed[0], now)

    def _take_back(self, press: Press, change: Change, now: Moment) -> PressReply:
        assert change.press is not None
        word = WORDS[change.press.verb]
        if change.ordered:
            return _reply(press, change.bar, now, f"too late to cancel: {word} is committed", accepted=False)
        self.changes.remove(change)
        self._follow(self.since_bar)
        return _reply(press, change.bar, now, f"cancelled: {word}")

    @property
    def pending(self) -> list[tuple[Verb, int]]:
        """The presses that wait, and their bars.  [any]"""
        return [(each.press.verb, each.bar) for each in self.changes if each.press]

    def pending_presses(self, per_bar: Fraction) -> tuple[PendingPress, ...]:
        """The presses that wait, by beat.  [any]"""
        return tuple(PendingPress(verb, float(bar * per_bar)) for verb, bar in self.pending)

    @property
    def sounds_soon(self) -> bool:
        """Whether music is ordered that will sound.  [any]"""
        return any(each.ordered and each.to in ("playing", "both", "held") for each in self.changes)

    def next_change(self) -> Change | None:
        """The next change of phase.  [any]"""
        return next((each for each in self.changes if each.to != self.phase), None)

    def committed_until(self, now: Moment) -> Fraction:
        """The beat up to which it is sure what sounds: the bar line that can still be changed.  [any]"""
        ordered = max((each.bar for each in self.changes if each.ordered), default=0)
        return max(now.reachable(), ordered) * now.per_bar


WORDS: dict[Verb, str] = {
    "play_stop": "play or stop",
    "take_over": "take over",
    "again": "again",
    "keep": "keep",
    "hold": "hold",
    "record": "record",
    "undo": "undo",
    "cancel": "cancel",
}


def _reply(press: Press, bar: int, now: Moment, text: str, accepted: bool = True) -> PressReply:
    if bar * now.per_bar > now.beats:
        return PressReply(press, accepted, bar, float(bar * now.per_bar), f"{text}, at bar {bar + 1}")
    return PressReply(press, accepted, bar, float(bar * now.per_bar), text)
