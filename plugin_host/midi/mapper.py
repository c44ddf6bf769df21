"""Moves of controls to messages: soft pickup, switches, endless encoders, and not more messages than are of use.

    value of the engine   ----------o-----------      pickup: the knob at x has no effect
    knob                  x -->                       until it passes o; from then on it has the value
                                                      another client changes the value: it must pass it again

The first move of a control is sent at once; those that follow within 20 ms wait for the end of that time, and of them
the last one counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from plugin_host.midi.binding import Binding
from plugin_host.midi.contact import Contact
from plugin_host.midi.controls import Control
from plugin_host.midi.decoder import Decoder, Move
from plugin_host.midi.targets import Target

SEND_SECONDS = 0.02  # at least, between two values of one control
OWN_SECONDS = 0.6  # after a value was sent, in which older ones still come back
ECHO_SECONDS = 0.3  # in which a device may send back what its light was told
NEAR = 0.012  # a position so near has the value: a step and a half of 127

Send = Callable[[Target, "float | None"], None]
OnMoved = Callable[[Binding, float, bool], None]  # value, whether it took effect


@dataclass
class _Hand:
    """What is known of one row: the position of its control, and the value of its target."""

    binding: Binding
    position: float | None = None
    value: float | None = None
    caught: bool = False
    on: bool = False  # of a toggle
    contact: Contact = field(default_factory=Contact)
    sent_at: float = -1.0
    waiting: float | None = None
    lit: tuple[int, float] = (-1, -1.0)  # raw value, and when
    channel: int = 0


@dataclass
class Lit:
    """What a light shows: the row, a position 0 to 1, the MIDI channel."""

    binding: Binding
    position: float
    channel: int


@dataclass
class _Rows:
    by_control: dict[Control, list[_Hand]] = field(default_factory=dict)
    hands: list[_Hand] = field(default_factory=list)


class Mapper:
    """Calls `send` with what the moves mean, and `light` with what lights show. Thread-safe; neither may wait."""

    def __init__(
        self,
        send: Send,
        light: Callable[[Lit], int | None] = lambda lit: None,
        moved: OnMoved = lambda binding, value, caught: None,
    ) -> None:
        self._send, self._light, self._moved = send, light, moved
        self._lock = threading.RLock()
        self._rows = _Rows()
        self._decoder = Decoder()

    def use(self, bindings: Iterable[Binding]) -> None:
        """Take this map; rows that were there before keep what is known of them.  [any]"""
        with self._lock:
            before, rows = self._rows.by_control, _Rows()
            for binding in bindings:
                there = (hand for hand in before.get(binding.control, []) if hand.binding == binding)
                hand = next(there, None) or _Hand(binding)
                rows.hands.append(hand)
                rows.by_control.setdefault(binding.control, []).append(hand)
            self._rows = rows

    @property
    def state(self) -> list[tuple[Binding, float | None, bool]]:
        """Each row, its target's value as far as it is known, and whether its control has it.  [any]"""
        with self._lock:
            return [(hand.binding, hand.value, hand.caught) for hand in self._rows.hands]

    def decode(self, message: Any, seconds: float) -> list[Move]:
        """What a mido message that came at a monotonic second may mean.  [any]"""
        with self._lock:
            return self._decoder.moves(message, seconds)

    def act(self, moves: Iterable[Move], seconds: float) -> bool:
        """Do what these moves mean; whether one of them is in the map.  [any]"""
        found = False
        with self._lock:
            for move in moves:
                rows = self._rows.by_control
                for hand in rows.get(move.control, rows.get(move.control.any_channel, [])):
                    found = True
                    self._move(hand, move, seconds)
        return found

    def flush(self, seconds: float) -> None:
        """Send what has waited long enough; called a hundred times a second.  [any]"""
        with self._lock:
            for hand in self._rows.hands:
                if hand.waiting is not None and seconds - hand.sent_at >= SEND_SECONDS:
                    self._sent(hand, hand.waiting, seconds)

    def know(self, lane: int, name: str, value: float, seconds: float) -> None:
        """A parameter has this value in the engine, whoever set it.  [any]"""
        with self._lock:
            for hand in self._rows.hands:
                target = hand.binding.target
                if target.is_parameter and (target.lane, target.given["name"]) == (lane, name):
                    self._known(hand, value, seconds)

    def know_playing(self, lane: int, playing: bool, seconds: float) -> None:
        """A lane plays or not: rows that toggle play and stop go on from there.  [any]"""
        with self._lock:
            for hand in self._rows.hands:
                plays = hand.binding.other is not None and hand.binding.target.starts
                if plays and hand.binding.target.lane == lane and seconds - hand.sent_at > OWN_SECONDS:
                    changed, hand.on = hand.on != playing, playing
                    if changed:
                        self._show(hand, float(playing), seconds)

    def show_all(self, seconds: float) -> None:
        """Show every value that is known, as to a device that has just come.  [any]"""
        with self._lock:
            for hand in self._rows.hands:
                curve, turns = hand.binding.curve, hand.binding.turns
                if hand.value is not None and curve is not None:
                    self._show(hand, curve.position(hand.value) if turns else float(hand.on), seconds)
                elif hand.on and hand.binding.mode != "trigger":
                    self._show(hand, 1.0, seconds)

    # -- moves ----------------------------------------------------------------------------------------------

    def _move(self, hand: _Hand, move: Move, seconds: float) -> None:
        hand.channel = move.control.channel or 0
        binding = hand.binding
        if binding.relative:
            self._turn(hand, binding.moved(move.raw), seconds)
        elif binding.mode == "value":
            if hand.lit[0] == move.raw and seconds - hand.lit[1] < ECHO_SECONDS:
                hand.position, hand.caught = move.position, True  # the motor has gone where it was told
            elif move.down is not False:
                self._follow(hand, move.position, seconds)
        else:
            self._switch(hand, move, seconds)

    def _follow(self, hand: _Hand, position: float, seconds: float) -> None:
        binding, before = hand.binding, hand.position
        assert binding.curve is not None
        hand.position = position
        if binding.pickup and not hand.caught:
            if hand.value is None:
                self._moved(binding, binding.curve.value(position), False)
                return
            wanted = binding.curve.position(hand.value)
            passed = before is not None and (before - wanted) * (position - wanted) <= 0
            if not passed and abs(position - wanted) > NEAR:
                self._moved(binding, binding.curve.value(position), False)
                return
            hand.caught = True
        self._set(hand, binding.curve.value(position), seconds)

    def _turn(self, hand: _Hand, clicks: int, seconds: float) -> None:
        binding = hand.binding
        assert binding.curve is not None
        if hand.position is None:
            if hand.value is None and binding.target.is_parameter:
                return  # it is not known from where
            hand.position = binding.curve.position(binding.curve.low if hand.value is None else hand.value)
        hand.position = min(1.0, max(0.0, hand.position + clicks * binding.click))
        self._set(hand, binding.curve.value(hand.position), seconds)

    def _switch(self, hand: _Hand, move: Move, seconds: float) -> None:
        down, binding = self._down(hand, move), hand.binding
        if down is None or (not down and binding.mode != "momentary"):
            return
        if down and not hand.contact.counts(seconds):
            return
        hand.on = not hand.on if binding.mode == "toggle" else down
        if binding.curve is not None:
            self._sent(hand, binding.curve.high if hand.on else binding.curve.low, seconds)
        else:
            hand.sent_at = seconds
            target = binding.target if hand.on or binding.other is None else binding.other
            self._send(target, None)
            self._moved(binding, float(hand.on), True)
        if binding.mode != "trigger" or binding.curve is not None:
            self._show(hand, float(hand.on), seconds)

    def _down(self, hand: _Hand, move: Move) -> bool | None:
        """Whether a switch went down (False: up); None for neither."""
        if move.down is not None:
            return move.down
        return hand.contact.goes(move.raw, (move.control.highest + 1) // 2)

    # -- values ---------------------------------------------------------------------------------------------

    def _set(self, hand: _Hand, value: float, seconds: float) -> None:
        if value == hand.value and hand.waiting is None:
            self._moved(hand.binding, value, True)
        elif seconds - hand.sent_at < SEND_SECONDS:
            hand.waiting = value
        else:
            self._sent(hand, value, seconds)

    def _sent(self, hand: _Hand, value: float, seconds: float) -> None:
        hand.waiting, hand.value, hand.sent_at = None, value, seconds
        self._send(hand.binding.target, value)
        self._moved(hand.binding, value, True)
        for other in self._rows.hands:  # of the same parameter
            if other is not hand and other.binding.target == hand.binding.target:
                self._known(other, value, seconds)

    def _known(self, hand: _Hand, value: float, seconds: float) -> None:
        if seconds - hand.sent_at < OWN_SECONDS or hand.waiting is not None:
            return
        curve, before = hand.binding.curve, hand.value
        assert curve is not None
        if before is not None and abs(value - before) <= 1e-4 * max(1.0, abs(value)):
            return
        hand.value, position = value, curve.position(value)
        if hand.position is None or hand.binding.relative or abs(hand.position - position) > NEAR:
            hand.caught = False
        if hand.binding.relative:
            hand.position = None
        nearer = abs(value - curve.high) < abs(value - curve.low)
        hand.on = value == curve.high if hand.binding.mode == "trigger" else nearer
        self._show(hand, position if hand.binding.turns else float(hand.on), seconds)

    def _show(self, hand: _Hand, position: float, seconds: float) -> None:
        raw = self._light(Lit(hand.binding, position, hand.channel))
        if raw is not None:
            hand.lit = (raw, seconds)
