"""One row of the map: a control, what it reaches, and how it acts.

value      the value follows the control
trigger    a press sends `high`, or the message
toggle     a press sends `high`, the next one `low`; or the message and the `other` one
momentary  a press sends `high` or the message, the release `low` or the `other` one
twos       an endless encoder: 1 2 3 up, 127 126 125 down
offset     an endless encoder: 65 66 up, 63 62 down
sign       an endless encoder: 1 2 3 up, 65 66 67 down
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.control.midi_rows import AUTO, MODES
from plugin_host.midi.controls import SWITCHES, Control, parse_control
from plugin_host.midi.curves import LINEAR, Curve, curve_of
from plugin_host.midi.errors import MidiMapError
from plugin_host.midi.targets import ROWS, Target, find_target, has_range

RELATIVE = ("twos", "offset", "sign")
CLICKS = 100  # of an endless encoder, from one end to the other


@dataclass(frozen=True)
class Binding:
    """A row; `curve` is of the target's moving argument, `other` what a second press or a release sends."""

    control: Control
    target: Target
    mode: str
    curve: Curve | None = None
    pickup: bool = False
    other: Target | None = None

    @property
    def relative(self) -> bool:
        """Whether the control is an endless encoder.  [any]"""
        return self.mode in RELATIVE

    @property
    def turns(self) -> bool:
        """Whether the value is anywhere in a range.  [any]"""
        return self.mode == "value" or self.relative

    def moved(self, raw: int) -> int:
        """Clicks of an endless encoder, above 0: up.  [any]"""
        if self.mode == "offset":
            return raw - 64
        if self.mode == "sign":
            return -(raw & 0x3F) if raw & 0x40 else raw
        return raw if raw < 64 else raw - 128

    @property
    def click(self) -> float:
        """What a click of an endless encoder moves, as part of the range: one number where there are few.  [any]"""
        assert self.curve is not None
        numbers = abs(self.curve.high - self.curve.low)
        return 1 / numbers if self.curve.whole and 0 < numbers <= CLICKS else 1 / CLICKS


def bind(
    control: str | Control,
    to: str,
    lane: int = 0,
    mode: str = AUTO,
    low: float | None = None,
    high: float | None = None,
    curve: object = LINEAR,
    pickup: bool | None = None,
    given: Mapping[str, object] | None = None,
    moves: str = "",
    other: str = "",
) -> Binding:
    """A checked row of the map; MidiMapError says what is allowed. `low` and `high` None: the target's range.  [any]"""
    found = parse_control(control) if isinstance(control, str) else control
    target = find_target(to, lane, given, moves)
    second = find_target(other, lane, _shared(given or {}, other)) if other else None
    if mode != AUTO and mode not in MODES:
        raise MidiMapError(f"a mode is {AUTO}, {', '.join(MODES)}; got {mode!r}")
    how = _usual(found, target, second) if mode == AUTO else mode
    if how in RELATIVE and found.kind != "cc":
        raise MidiMapError(f"{how} is for a cc; {found.name} is none")
    if target.moves is None and (how == "value" or how in RELATIVE):
        raise MidiMapError(f"{target.name} takes no value: its mode is trigger, toggle or momentary; got {how!r}")
    if target.moves is None and second is None and how in ("toggle", "momentary"):
        raise MidiMapError(f"{how} needs `other`, what the second press or the release of {target.name} sends")
    if target.moves is not None and second is not None:
        raise MidiMapError(f"{target.name} moves {target.moves.name}: `other` is for messages without a value")
    shape = _shape(target, low, high, curve)
    soft = how == "value" and target.is_parameter
    return Binding(found, target, how, shape, soft if pickup is None else pickup and soft, second)


def _shared(given: Mapping[str, object], other: str) -> dict[str, object]:
    """The arguments that the other message has too: `at`, as a rule."""
    row = ROWS.get(other)
    names = {argument.name for argument in row.arguments} if row else set[str]()
    return {name: value for name, value in given.items() if name in names}


def _usual(control: Control, target: Target, second: Target | None) -> str:
    if target.moves is None:
        return "toggle" if second is not None else "trigger"
    if target.switches:
        return "toggle"
    return "trigger" if control.kind in SWITCHES and control.number >= 0 else "value"


def _shape(target: Target, low: float | None, high: float | None, curve: object) -> Curve | None:
    moves = target.moves
    if moves is None:
        if low is not None or high is not None or curve != LINEAR:
            raise MidiMapError(f"{target.name} takes no value: it has no range and no curve")
        return None
    if (low is None or high is None) and not has_range(moves):
        raise MidiMapError(f"{target.name}: `low` and `high` are needed, since {moves.name} has no range of its own")
    ends = (moves.low if low is None else float(low), moves.high if high is None else float(high))
    for end in ends:
        if not moves.low <= end <= moves.high:
            raise MidiMapError(f"{target.name}: {moves.name} is {moves.range}, got {end:g}")
    return curve_of(*ends, curve, moves.kind == "i")
