"""What a control can reach: every lane parameter, and every message of the table, by the names of the table.

temperature      a parameter of the lane, or a knob of the plugin (`level`, `take`)
lane/mute        a message to the engine, behind the root; its arguments by name
jam/take_over    a verb of a running `segue jam`
midi/record      a message to the map itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bridge.control import messages, rows
from bridge.control.arguments import WHOLE_MAX, Argument, Message
from bridge.control.jam_rows import JAM_VERBS
from bridge.control.midi_rows import MIDI_CANCEL, MIDI_RECORD, MIDI_REQUESTS
from bridge.control.packet import Wire
from bridge.control.parameters import KNOBS, PARAMETERS, parameter
from bridge.errors import SegueError
from plugin_host.midi.errors import MidiMapError

LANE, ID = rows.LANE.name, rows.ID.name
_OWN = (MIDI_RECORD, MIDI_CANCEL)
ROWS = {row.address.removeprefix(f"{rows.ROOT}/"): row for row in (*messages.REQUESTS, *JAM_VERBS, *_OWN)}


@dataclass(frozen=True)
class Target:
    """A message with its arguments by name; `moves` is the argument that gets the control's value, None for none."""

    name: str
    row: Message
    given: Mapping[str, Wire]
    moves: Argument | None = None

    @property
    def lane(self) -> int:
        """The lane that it is for; -1: none.  [any]"""
        return int(self.given.get(LANE, -1))

    @property
    def is_parameter(self) -> bool:
        """Whether its value can be read.  [any]"""
        return self.row is messages.LANE_SET

    @property
    def switches(self) -> bool:
        """Whether it knows only 0 and 1.  [any]"""
        return self.moves is not None and self.moves.kind == "i" and self.moves.high - self.moves.low == 1

    @property
    def starts(self) -> bool:
        """Whether it starts a lane.  [any]"""
        return self.row is messages.LANE_PLAY

    @property
    def for_jam(self) -> bool:
        """Whether a jam takes it, not the engine.  [any]"""
        return self.row in JAM_VERBS

    @property
    def for_map(self) -> bool:
        """Whether the map itself takes it.  [any]"""
        return self.row in MIDI_REQUESTS

    def values(self, value: float | None = None) -> list[object]:
        """The arguments as they are sent, in order, an id of 0 where the row has one.  [any]"""
        found: list[object] = []
        for argument in self.row.arguments:
            if argument.name == ID:
                found.append(0)
            elif self.moves is not None and argument.name == self.moves_name and value is not None:
                found.append(round(value) if argument.kind == "i" else value)
            else:
                found.append(self.given.get(argument.name, argument.default))
        return found

    @property
    def moves_name(self) -> str:
        """The argument's name in the row: of a parameter it is `value`.  [any]"""
        return "value" if self.is_parameter else self.moves.name if self.moves else ""


def find_target(name: str, lane: int, given: Mapping[str, object] | None = None, moves: str = "") -> Target:
    """The target of this name, with arguments of a message; MidiMapError says what is allowed.  [any]"""
    word, given = name.strip().removeprefix(f"{rows.ROOT}/"), given or {}
    if word in PARAMETERS or word in KNOBS:
        if moves or set(given) - {"at"}:
            raise MidiMapError(f"{word} is a parameter: it takes no arguments but `at`")
        return _of_parameter(word, lane, given)
    row = ROWS.get(word)
    if row is None:
        near = get_close_matches(word, [*PARAMETERS, *KNOBS, *ROWS], n=3, cutoff=0.4)
        raise MidiMapError(f"there is no {word[:64]!r} in the table of messages; there is {', '.join(near) or 'cfg'}")
    known = {argument.name: argument for argument in row.arguments if argument.name != ID}
    strange = sorted(set(given) - set(known))
    if strange or (moves and moves not in known):
        raise MidiMapError(f"{word} has no {(strange or [moves])[0]!r}; it has {', '.join(known) or 'no arguments'}")
    fixed = {key: _checked(known[key], value, word) for key, value in given.items()}
    if LANE in known and LANE not in fixed:
        fixed[LANE] = lane
    missing = [a.name for a in known.values() if a.default is None and a.name not in fixed and a.name != moves]
    if missing:
        raise MidiMapError(f"{word} needs {', '.join(missing)}, as in with = {{ {missing[0]} = ... }}")
    return Target(word, row, fixed, _moved(known[moves], word) if moves else None)


def _of_parameter(word: str, lane: int, given: Mapping[str, object]) -> Target:
    at = {key: _checked(rows.AT, value, word) for key, value in given.items()}
    return Target(word, messages.LANE_SET, {LANE: lane, rows.NAME.name: word, **at}, parameter(word))


def _moved(argument: Argument, word: str) -> Argument:
    if argument.kind not in ("i", "f") or argument.choices:
        raise MidiMapError(f"{word}: a control cannot move {argument.name}, which is no number in a range")
    return argument


def _checked(argument: Argument, value: object, word: str) -> Wire:
    try:
        return argument.wire(value)
    except SegueError as fault:
        raise MidiMapError(f"{word}: {fault}") from None


def has_range(argument: Argument) -> bool:
    """Whether an argument says where its range ends.  [any]"""
    return argument.low > -WHOLE_MAX and argument.high < WHOLE_MAX
