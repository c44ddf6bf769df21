"""MIDI messages to moves of controls. One message may be several controls: the map decides which it means.

    CC 7             cc 7, and the upper half of cc14 7
    CC 39            cc 39, and the lower half of cc14 7
    CC 99 98 6 38    nrpn, in any order of 6 and 38

A pair of two halves is right after the second one, whichever comes first. Until then it is as near as one half tells:
where the upper half rises and nothing is known of the lower one it is 0, where it falls 127; so a fader never jumps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from plugin_host.midi.controls import FOURTEEN, SEVEN, Control

DATA_UPPER, DATA_LOWER, NRPN_LOWER, NRPN_UPPER, RPN_LOWER, RPN_UPPER = 6, 38, 98, 99, 100, 101
LAST_CONTROL = 119  # from 120 on they are channel mode messages
PAIR_SECONDS = 0.02  # in which the other half follows
_NULL = (127, 127)  # "no parameter"


@dataclass(frozen=True)
class Move:
    """A control at `raw`, 0 to its highest value; `down`: a switch was pressed (False: released, None: turned)."""

    control: Control
    raw: int
    down: bool | None = None

    @property
    def position(self) -> float:
        """Where it stands, 0 to 1.  [any]"""
        return self.raw / self.control.highest


@dataclass
class _Pair:
    """The two halves of a value."""

    upper: int = 0
    lower: int = 0
    lower_at: float = -1.0
    whole: bool = False  # a lower half has been seen

    def take_upper(self, value: int, seconds: float) -> int:
        fresh = 0.0 <= seconds - self.lower_at <= PAIR_SECONDS
        if self.whole and not fresh and value != self.upper:
            self.lower = 0 if value > self.upper else SEVEN
        if not self.whole:
            self.lower = 0
        self.upper = value
        return self.raw

    def take_lower(self, value: int, seconds: float) -> int:
        self.lower, self.lower_at, self.whole = value, seconds, True
        return self.raw

    @property
    def raw(self) -> int:
        return self.upper << 7 | self.lower


@dataclass
class _Channel:
    """What one channel has selected, and its halves."""

    nrpn: list[int] = field(default_factory=lambda: [-1, -1])  # upper, lower
    registered: bool = False  # an RPN is selected: data entry is not for an NRPN
    pairs: dict[tuple[str, int], _Pair] = field(default_factory=dict)

    @property
    def selected(self) -> int:
        """The NRPN that data entry is for; -1: none."""
        none = self.registered or min(self.nrpn) < 0 or tuple(self.nrpn) == _NULL
        return -1 if none else self.nrpn[0] << 7 | self.nrpn[1]

    def pair(self, kind: str, number: int) -> _Pair:
        return self.pairs.setdefault((kind, number), _Pair())


class Decoder:
    """The messages of one device.  [any: one thread]"""

    def __init__(self) -> None:
        self._channels = [_Channel() for _ in range(16)]

    def moves(self, message: Any, seconds: float) -> list[Move]:
        """What a mido message at a monotonic second may mean, the most special first; empty for all others."""
        kind, channel = message.type, getattr(message, "channel", None)
        if kind == "control_change":
            if message.control > LAST_CONTROL:
                return []
            return list(self._control(message.channel, message.control, message.value, seconds))
        if kind in ("note_on", "note_off"):
            down = kind == "note_on" and message.velocity > 0
            return [Move(Control("note", message.note, channel), message.velocity if down else 0, down)]
        if kind == "program_change":
            one = Move(Control("program", message.program, channel), message.program, True)
            return [one, Move(Control("program", -1, channel), message.program)]
        if kind == "pitchwheel":
            return [Move(Control("bend", -1, channel), min(FOURTEEN, message.pitch + 8192))]
        if kind == "aftertouch":
            return [Move(Control("aftertouch", -1, channel), message.value)]
        if kind == "polytouch":
            return [Move(Control("keytouch", message.note, channel), message.value)]
        return []

    def _control(self, number: int, control: int, value: int, seconds: float) -> Iterator[Move]:
        channel = self._channels[number]
        if control in (NRPN_UPPER, NRPN_LOWER):
            channel.nrpn[control == NRPN_LOWER] = value
            channel.registered = False
        elif control in (RPN_UPPER, RPN_LOWER):
            channel.registered = True
        elif control in (DATA_UPPER, DATA_LOWER) and channel.selected >= 0:
            pair = channel.pair("nrpn", channel.selected)
            yield Move(Control("nrpn", channel.selected, number), _half(pair, control == DATA_UPPER, value, seconds))
        if control < 64:
            pair = channel.pair("cc14", control % 32)
            yield Move(Control("cc14", control % 32, number), _half(pair, control < 32, value, seconds))
        yield Move(Control("cc", control, number), value)


def _half(pair: _Pair, upper: bool, value: int, seconds: float) -> int:
    return pair.take_upper(value, seconds) if upper else pair.take_lower(value, seconds)
