"""The table: every row packed and read back, every argument wrong in every way, and the rules of addresses."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from bridge.control import messages
from bridge.control.arguments import NOW, Argument, At, Message, tidy
from bridge.control.packet import parse
from bridge.errors import OutOfRange, WireError, WrongCount, WrongType
from bridge.time.transport import Grid
from bridge.time.units import Signature

ROWS = list(messages.TABLE.values())
ARGUMENTS = [(row, place) for row in ROWS for place in range(len(row.arguments))]
ROOT = Path(__file__).parents[3]


def samples_of(argument: Argument) -> list[object]:
    """Allowed values, at the limits of their ranges."""
    if argument.kind == "at":
        return ["now", "beat", "bar", "bars 4", "bar 12", 0.0, 7, -1]
    if argument.choices:
        return [int(word) if argument.kind == "i" else word for word in argument.choices]
    if argument.kind == "s":
        return ["", "ü 鼓 🎹"[: argument.max_length], "x" * argument.max_length]
    return [argument.low, argument.high, (argument.low + argument.high) // 2]


def good(row: Message) -> list[object]:
    return [samples_of(argument)[0] for argument in row.arguments]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.address)
def test_every_row_there_and_back(row: Message) -> None:
    for place, argument in enumerate(row.arguments):
        for value in samples_of(argument):
            values = good(row)
            values[place] = value
            (packet,) = parse(row.pack(*values))
            assert packet.address == row.address
            read = row.check(packet.values)
            assert list(read) == [a.name for a in row.arguments]
            assert read[argument.name] == argument.check(value)


@pytest.mark.parametrize("row", messages.REQUESTS, ids=lambda row: row.address)
def test_our_datagrams_fit(row: Message) -> None:
    longest = [samples_of(argument)[-1] for argument in row.arguments]
    assert len(row.pack(*longest)) <= messages.REQUEST_BYTES_MAX


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.address)
def test_missing_and_extra_arguments_are_refused(row: Message) -> None:
    with pytest.raises(WrongCount, match=row.address):
        row.check([*good(row), 1])
    for given in range(row.required):
        with pytest.raises(WrongCount, match="takes: "):
            row.check(good(row)[:given])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.address)
def test_optional_arguments_come_last_and_have_defaults_that_fit(row: Message) -> None:
    filled = row.check(good(row)[: row.required])
    for argument in row.arguments[row.required :]:
        assert argument.default is not None
        assert filled[argument.name] == argument.default
        assert argument.check(argument.default) == argument.default


@pytest.mark.parametrize(("row", "place"), ARGUMENTS, ids=lambda x: x.address if isinstance(x, Message) else str(x))
def test_every_argument_refuses_what_it_must(row: Message, place: int) -> None:
    argument = row.arguments[place]
    values = good(row)

    def refused(value: object, kind: type[WireError]) -> None:
        values[place] = value
        with pytest.raises(kind, match=f"^{argument.name} "):
            row.check(values)

    refused(b"blob", WrongType)
    if argument.kind == "s":
        refused(7, WrongType)
        refused("x" * (argument.max_length + 1), OutOfRange)
        refused("a\x00b" if not argument.choices else "no such word", OutOfRange)
    elif argument.kind == "at":
        words = ("yesterday", "bar -1", "bar x", "bars", "bars 0", "bars x", "now 3")
        for wrong in (-2, -0.5, *words, float("nan"), float("inf")):
            refused(wrong, OutOfRange)
    else:
        refused("7", WrongType)
        for wrong in (argument.low - 1, argument.high + 1, float("nan"), float("inf"), float("-inf")):
            refused(wrong, OutOfRange)
        if argument.kind == "i":
            refused(argument.low + 0.5, WrongType)


@pytest.mark.parametrize(("row", "place"), ARGUMENTS, ids=lambda x: x.address if isinstance(x, Message) else str(x))
def test_either_number_type_is_taken(row: Message, place: int) -> None:
    argument = row.arguments[place]
    if argument.kind in ("i", "f"):
        whole = int(argument.choices[0]) if argument.choices else int(argument.low)
        for number in (whole, float(whole)):
            read = argument.check(number)
            assert read == whole
            assert isinstance(read, int if argument.kind == "i" else float)


def test_addresses_obey_the_law() -> None:
    plugin = (*messages.PLUGIN_REQUESTS, *messages.PLUGIN_ANSWERS)
    assert len(ROWS) == len(messages.REQUESTS) + len(messages.ANSWERS) + len(messages.EVENTS) + len(plugin)
    for row in ROWS:
        assert re.fullmatch(r"/segue(/[a-z]+){1,2}", row.address)
        assert row.meaning.endswith(".")
    for row in messages.REQUESTS:
        assert row.arguments[0].name == "id"


def test_every_constant_row_is_in_the_table() -> None:
    named = {row.address for row in vars(messages).values() if isinstance(row, Message)}
    assert named == set(messages.TABLE)


def test_no_address_stands_anywhere_else() -> None:
    sources = [p for folder in ("bridge", "engine", "plugin_host") for p in (ROOT / folder).rglob("*.py")]
    others = [path for path in sources if path.name != "messages.py"]
    assert others
    assert [path for path in others if re.search(r"(?<!pd)/segue/", path.read_text("utf-8"))] == []


def test_text_in_too_many_pieces_is_explained() -> None:
    with pytest.raises(WrongCount, match="one string"):
        messages.LANE_PROMPT.check([1, 0, "warm", "lo-fi", "piano"])


def test_floats_mean_the_decimal_that_was_meant() -> None:
    (packet,) = parse(messages.TRANSPORT.pack(1, 0, 1, 0, 120.1))
    assert packet.values[4] != 120.1
    assert messages.TRANSPORT.check(packet.values)["bpm"] == 120.1
    assert tidy(0.0) == 0.0
    assert tidy(-3.5) == -3.5


def test_numpy_numbers_can_be_sent() -> None:
    numpy = pytest.importorskip("numpy")
    datagram = messages.LANE_SET.pack(1, numpy.int64(3), "cfg", numpy.float32(2.5))
    assert parse(datagram)[0].values[:4] == (1, 3, "cfg", 2.5)


def test_a_reply_must_fit_its_columns() -> None:
    assert messages.LANE_STOP.reply_values([4]) == [4.0]
    with pytest.raises(WrongCount):
        messages.LANE_STOP.reply_values([])
    with pytest.raises(WrongType):
        messages.LANE_STOP.reply_values(["four"])


@pytest.mark.parametrize("raw", ["now", "beat", "bar", "bars 8", "bar 12", 0.0, 17.5, 16777215.0])
def test_at_there_and_back(raw: float | str) -> None:
    assert At.read(raw).wire() == raw


def test_at_means_a_beat_of_the_hosts_timeline() -> None:
    grid = Grid(48000, 120.0, Signature(7, 8))  # a bar has 3.5 beats, 84,000 samples
    late = 24000 * 2 + 1  # one sample after beat 2
    assert At.read(-1) == NOW
    assert NOW.resolve(grid, late) == grid.beats_at(late)
    assert At("beat").resolve(grid, late) == 3
    assert At("beat").resolve(grid, 48000) == 2
    assert At("bar").resolve(grid, late) == Fraction(7, 2)
    assert At("bar").resolve(grid, 84000) == Fraction(7, 2)
    assert At("bar", bar=12).resolve(grid, late) == 42
    assert At("bars", every_bars=4).resolve(grid, late) == 14
    assert At("bars", every_bars=1).resolve(grid, 84000) == Fraction(7, 2)
    assert At("bars", every_bars=4).resolve(grid, 14 * 24000) == 14
    assert At("bars", every_bars=4).resolve(grid, 14 * 24000 + 1) == 28
    assert At("bars", every_bars=4).resolve(grid, -5 * 84000) == -14
    assert At(beats=5.25).resolve(grid, late) == Fraction(21, 4)


def test_text_that_cannot_be_sent_is_refused_before() -> None:
    """Python's text of a name that is not UTF-8."""
    with pytest.raises(OutOfRange, match="not whole Unicode"):
        messages.REGION_FILE.pack(1, 0, "style", "/song/\udcff.wav", 120.0, 0.0)
