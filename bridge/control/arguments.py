"""The rows of the message table, and the check of their arguments.

Wire types are those that every client can send: i (32-bit, used under 2^24), f (32-bit float), s (UTF-8).
Either number type is accepted for a number; a whole float is a whole number. `at` is a number or a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from bridge.control.packet import Wire, encode
from bridge.errors import OutOfRange, WrongCount, WrongType
from bridge.time.transport import Grid
from bridge.time.units import exact, shortest_float32

Kind = Literal["i", "f", "s", "at"]
WHOLE_MAX = 2**24 - 1  # clients with 32-bit float atoms (Pd) keep whole numbers exact up to here
ANY_MAX = 2.0**52  # for numbers whose range is in another table
TEXT_MAX = 1000  # characters of a string, unless its row says otherwise
AT_WORDS = ("now", "beat", "bar")
AT_HELP = (
    "a beat from 0, -1 or 'now', 'beat' (the next), 'bar' (the next), 'bars 4' (the next bar whose number is a "
    "multiple of 4) or 'bar 12' (that one, from 0)"
)
NAME_MAX = 64  # characters of a name, which has no spaces
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")  # tab and line ends are accepted
_HALVES = re.compile("[\ud800-\udfff]")  # lone surrogates: from a name that is not UTF-8, or bad JSON
_SHOWN = 60  # characters of a wrong value that an error repeats


@dataclass(frozen=True, slots=True)
class At:
    """When a command takes effect: a word of AT_WORDS or 'bars', or else a beat.

    `bar` is the 12 of 'bar 12', from 0; `every_bars` is the 4 of 'bars 4', from 1.
    """

    word: str = ""
    beats: float = 0.0
    bar: int | None = None
    every_bars: int = 0

    def resolve(self, grid: Grid, position_samples: int) -> Fraction:
        """The beat, for a host at `position_samples` of `grid`; may lie in the past.  [any]"""
        if self.word == "now":
            return grid.beats_at(position_samples)
        if self.word == "beat":
            return Fraction(math.ceil(grid.beats_at(position_samples)))
        if self.word == "bar":
            return grid.bar_start_beats(grid.next_bar(position_samples) if self.bar is None else self.bar)
        if self.word == "bars":
            return grid.bar_start_beats(-(-grid.next_bar(position_samples) // self.every_bars) * self.every_bars)
        return exact(self.beats)

    def wire(self) -> float | str:
        """The value on the wire; inverse of `At.read`.  [any]"""
        if not self.word:
            return self.beats
        if self.every_bars:
            return f"{self.word} {self.every_bars}"
        return self.word if self.bar is None else f"{self.word} {self.bar}"

    @staticmethod
    def read(raw: float | str) -> At:
        """The time of effect that a number or word means; ValueError names what is allowed.  [any]"""
        if isinstance(raw, str):
            word, _, number = raw.strip().lower().partition(" ")
            if word in AT_WORDS and not number:
                return At(word)
            if number.isascii() and number.isdigit() and int(number) <= WHOLE_MAX:
                if word == "bar":
                    return At(word, bar=int(number))
                if word == "bars" and int(number):
                    return At(word, every_bars=int(number))
        elif raw == -1:
            return At("now")
        elif 0 <= raw <= WHOLE_MAX:
            return At(beats=float(raw))
        raise ValueError(f"must be {AT_HELP}")


NOW = At("now")
Value = int | float | str | At


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a message: `low`..`high` for numbers, `max_length` characters for text, or `choices`.

    An argument with a `default` is optional if none after it is given.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    low: float = -WHOLE_MAX
    high: float = WHOLE_MAX
    choices: tuple[str, ...] = ()
    default: Value | None = None
    max_length: int = TEXT_MAX

    @property
    def range(self) -> str:
        """The allowed values, for documents and errors.  [any]"""
        if self.kind == "at":
            return AT_HELP
        if self.choices:
            return ", ".join(self.choices)
        if self.kind == "s":
            return f"up to {self.max_length} characters"
        if self.low <= -WHOLE_MAX and self.high >= WHOLE_MAX:
            return "a whole number" if self.kind == "i" else "a number"
        return f"{self.low:.10g} to {self.high:.10g}"

    def check(self, raw: object) -> Value:
        """`raw` checked and converted; WrongType or OutOfRange say what was got and what is allowed.  [any]"""
        if self.kind == "s":
            return self._check_text(raw)
        if self.kind == "at":
            return self._check_at(raw)
        return self._check_number(raw)

    def wire(self, value: object) -> Wire:
        """`value`, checked, as it is sent; numpy numbers are accepted too.  [any]"""
        checked = self.check(value.item() if hasattr(value, "item") else value)
        return checked.wire() if isinstance(checked, At) else checked

    def _check_text(self, raw: object) -> str:
        if not isinstance(raw, str):
            raise WrongType(f"{self.name} is {shown(raw)}, must be text ({self.range})")
        if len(raw) > self.max_length:
            raise OutOfRange(f"{self.name} has {len(raw)} characters, may have {self.max_length}")
        if self.choices and raw not in self.choices:
            raise OutOfRange(f"{self.name} is {shown(raw)}, must be one of {self.range}")
        if _CONTROL.search(raw):
            raise OutOfRange(f"{self.name} has control characters in it: {shown(raw)}")
        if _HALVES.search(raw):
            raise OutOfRange(f"{self.name} is not whole Unicode text: {shown(raw)}")
        return raw

    def _check_at(self, raw: object) -> At:
        if isinstance(raw, At):
            return raw
        if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
            raise WrongType(f"{self.name} is {shown(raw)}, must be {AT_HELP}")
        try:
            return At.read(tidy(raw) if isinstance(raw, float) else raw)
        except ValueError as error:
            raise OutOfRange(f"{self.name} is {shown(raw)}, {error}") from None

    def _check_number(self, raw: object) -> int | float:
        if not isinstance(raw, (int, float)):
            raise WrongType(f"{self.name} is {shown(raw)}, must be a number ({self.range})")
        if not math.isfinite(raw):
            raise OutOfRange(f"{self.name} is {raw}, must be {self.range}")
        if self.kind == "i" and raw != int(raw):
            raise WrongType(f"{self.name} is {raw:.6g}, must be a whole number ({self.range})")
        if not self.low <= raw <= self.high or (self.choices and str(int(raw)) not in self.choices):
            allowed = self.range if self.choices else f"{self.low:.10g} to {self.high:.10g}"
            raise OutOfRange(f"{self.name} is {raw:.10g}, must be {allowed}")
        return int(raw) if self.kind == "i" else tidy(float(raw))


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the table.

    `reply` are the values after id and address in an ok answer. A `slow` message is answered when its work is
    done, with progress before. `quiet`: answered only with an error. `local`: accepted from this machine only.
    `rest`: any further values follow the named ones (ok only). `asks`: a query, which changes nothing. `hop`: answered
    by the thread that makes the music, between two hops. `progress`: what `progress` messages come before the answer.
    """

    address: str
    arguments: tuple[Argument, ...]
    reply: tuple[Argument, ...]
    meaning: str
    slow: bool = False
    quiet: bool = False
    local: bool = False
    rest: bool = False
    asks: bool = False
    hop: bool = False
    progress: str = ""

    @property
    def required(self) -> int:
        """The number of arguments without a default.  [any]"""
        return sum(argument.default is None for argument in self.arguments)

    def check(self, raw: Sequence[object]) -> dict[str, Value]:
        """Arguments by name, defaults filled in; WrongCount, WrongType or OutOfRange name the fault.  [any]"""
        if not self.required <= len(raw) <= len(self.arguments):
            raise WrongCount(self._count_text(len(raw)) + self._quoting(raw))
        try:
            given = {row.name: row.check(value) for row, value in zip(self.arguments, raw, strict=False)}
        except (WrongType, OutOfRange) as fault:
            raise type(fault)(fault.text + self._quoting(raw)) from None
        for argument in self.arguments[len(raw) :]:
            if argument.default is not None:
                given[argument.name] = argument.default
        return given

    def pack(self, *values: object, rest: Sequence[Wire] = ()) -> bytes:
        """The datagram of this message with these arguments, checked; inverse of `check`.  [any]"""
        if not self.required <= len(values) <= len(self.arguments):
            raise WrongCount(self._count_text(len(values)))
        checked = [argument.wire(value) for argument, value in zip(self.arguments, values, strict=False)]
        return encode(self.address, [*checked, *rest])

    def reply_values(self, values: Sequence[object]) -> list[Wire]:
        """Values for an ok answer to this message, checked against its `reply` columns.  [any]"""
        if len(values) != len(self.reply):
            raise WrongCount(f"{self.address} answers with {len(self.reply)} values, got {len(values)}")
        return [column.wire(value) for column, value in zip(self.reply, values, strict=True)]

    def _count_text(self, got: int) -> str:
        names = " ".join(a.name if a.default is None else f"[{a.name}]" for a in self.arguments) or "none"
        return f"{self.address} got {got} arguments, takes: {names}"

    def _quoting(self, raw: Sequence[object]) -> str:
        """The hint for text with spaces that came as several arguments."""
        for at, (row, value) in enumerate(zip(self.arguments, raw, strict=False)):
            free = row.kind == "s" and not row.choices and row.max_length > NAME_MAX
            if not isinstance(value, str) or not (free or row.kind == "at"):
                continue
            words = [value]
            for more in raw[at + 1 :]:
                if isinstance(more, str) != free:
                    break
                words.append(more if isinstance(more, str) else f"{more:g}" if isinstance(more, float) else str(more))
            if free and len(words) > 1:
                return f"; text with spaces is one string, in quotes: {shown(' '.join(words), chr(34))}"
            if value.lower() in ("bar", "bars") and len(words) > 1:
                return f"; '{value} {words[1]}' is one string, in quotes: \"{value} {words[1]}\""
        return ""


def tidy(value: float) -> float:
    """The shortest decimal of a 32-bit float: 120.1, not 120.09999847.  [any]"""
    if not math.isfinite(value) or value.is_integer():
        return value
    return shortest_float32(value)


def shown(value: object, quote: str = "") -> str:
    """A wrong value for an error text, short and printable; text in `quote`s if given.  [any]"""
    if isinstance(value, bytes):
        return f"a blob of {len(value)} bytes"
    if value is None:
        return "nothing"
    text = repr(value.wire() if isinstance(value, At) else value)
    if quote and isinstance(value, str):
        text = quote + text[1:-1] + quote
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
