"""Lane numbers of a farm's musician, without a connection."""

from __future__ import annotations

import pytest

from bridge.control import messages
from bridge.control.packet import Packet, encode, parse
from bridge.errors import NoSuchLane
from plugin_host.relay.lane_numbers import LaneNumbers

OPEN, OK = messages.LANE_OPEN, messages.OK.address


def opened(numbers: LaneNumbers, there: int, wanted: int = -1, client: int = 1) -> int:
    """The number that a client is told when the engine opens a lane for it."""
    sent = numbers.there(OPEN, client, Packet(OPEN.address, (7, wanted, 48_000)))
    assert sent.values[1] in (-1, there), "the engine chooses, unless it has the lane already"
    told = numbers.here(client, encode(OK, (7, OPEN.address, there, "ring")))
    assert told is not None
    return int(str(parse(told)[0].values[2]))


def there(numbers: LaneNumbers, row: messages.Message, *values: object) -> tuple[object, ...]:
    return numbers.there(row, 1, Packet(row.address, values)).values  # type: ignore[arg-type]


def event(numbers: LaneNumbers, lane: int) -> object:
    told = numbers.here(1, encode(messages.EVENT_LANE.address, (lane, "playing", 4.0, "")))
    return None if told is None else parse(told)[0].values[0]


@pytest.fixture
def numbers() -> LaneNumbers:
    made = LaneNumbers(set)
    made.apart = True
    return made


def test_numbers_count_from_0_and_others_are_neither_seen_nor_steered(numbers: LaneNumbers) -> None:
    assert [opened(numbers, 5), opened(numbers, 2)] == [0, 1]
    assert there(numbers, messages.LANE_SET, 1, 1, "temperature", 1.0) == (1, 2, "temperature", 1.0)
    assert [event(numbers, lane) for lane in (5, 2, 0)] == [0, 1, None]
    with pytest.raises(NoSuchLane, match="lane 2 is not open"):
        there(numbers, messages.LANE_PROMPT, 1, 2, "calm")
    assert there(numbers, messages.SUBSCRIBE, 1, "lane", 10.0, 0) == (1, "lane", 10.0, 5)
    assert there(numbers, messages.SUBSCRIBE, 1, "lane", 10.0, -1) == (1, "lane", 10.0, -1)
    assert there(numbers, messages.LANE_SET, 1, "x", "temperature", 1.0)[1] == "x", "the engine refuses that"


def test_a_lane_keeps_its_number_on_another_engine() -> None:
    waits: set[int] = set()
    numbers = LaneNumbers(lambda: waits)
    numbers.apart = True
    assert [opened(numbers, 0), opened(numbers, 1, client=2)] == [0, 1]
    for lane in (0, 1):
        numbers.closed(lane)
    waits.update((0, 1))
    assert event(numbers, 0) is None, "somebody else's there"
    assert opened(numbers, 9, client=3) == 2, "0 and 1 are kept for those who had them"
    assert opened(numbers, 0, wanted=1, client=2) == 1
    assert opened(numbers, 4, wanted=0) == 0
    assert opened(numbers, 4, wanted=0) == 0, "opened again, it is the same"
    assert [event(numbers, lane) for lane in (4, 0)] == [0, 1]


def test_a_repeat_after_its_lane_was_closed_reaches_the_engine_that_closed_it(numbers: LaneNumbers) -> None:
    opened(numbers, 5)
    assert there(numbers, messages.LANE_CLOSE, 9, 0) == (9, 5)
    numbers.closed(5)
    assert there(numbers, messages.LANE_CLOSE, 9, 0) == (9, 5), "the engine answers it again"
    with pytest.raises(NoSuchLane):
        there(numbers, messages.LANE_CLOSE, 10, 0)
    numbers.moved()
    with pytest.raises(NoSuchLane):
        there(numbers, messages.LANE_CLOSE, 9, 0)


def test_with_one_engine_they_stay_as_they_are() -> None:
    numbers = LaneNumbers(set)
    assert there(numbers, messages.LANE_PROMPT, 1, 7, "calm") == (1, 7, "calm")
    assert event(numbers, 7) == 7
