"""The command intake: how many commands pass, which win, and that each is answered."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from lane_rig import HandClock

from bridge.control import messages
from bridge.control.clients import Client
from bridge.control.packet import Packet, parse
from bridge.control.requests import Responder
from bridge.errors import Busy
from engine.serve.control.command_intake import (
    ALL_PER_SECOND,
    HELD_MAX,
    LANE_AT_ONCE,
    LANE_PER_SECOND,
    OUT_MAX,
    CommandIntake,
    IntakeItem,
)


class StubLane:
    """The part of a lane that the intake uses."""

    def __init__(self, number: int) -> None:
        self.number, self.controller = number, object()


class IntakeRig:
    """An intake on a clock advanced by hand; commands it passes on wait in `posted` until `work`."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.posted: list[Callable[[], None]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.answers: list[Packet] = []
        self.done: list[tuple[int, float]] = []
        generate_loop = SimpleNamespace(post=self.posted.append)
        self.intake = CommandIntake(lambda: generate_loop, self._later, self.clock)  # type: ignore[arg-type]
        self.intake._answers = SimpleNamespace(submit=lambda act, *values: act(*values))  # type: ignore[assignment]
        self.lanes = [StubLane(number) for number in range(8)]

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.timers.append((self.clock.seconds + seconds, act))

    def _send(self, datagram: bytes, where: tuple[str, int]) -> None:
        self.answers.extend(parse(datagram))

    def put(self, id: int, value: float, what: str = "level_db", lane: int = 0, alone: bool = False) -> None:
        def question(controller: object) -> tuple[object, ...]:
            self.done.append((lane, value))
            return what, value, 0.0, 0

        responder = Responder(messages.LANE_SET, id, Client("127.0.0.1", 5000), self._send)
        self.intake.put(IntakeItem(self.lanes[lane], what, question, responder, alone=alone))  # type: ignore[arg-type]

    def work(self) -> None:
        while self.posted:
            self.posted.pop(0)()

    def move(self, seconds: float) -> None:
        """Advance the clock, with [generate] at work at once."""
        end = self.clock.seconds + seconds
        while self.timers and min(self.timers)[0] <= end:
            self.timers.sort(key=lambda timer: timer[0])
            self.clock.seconds, act = self.timers.pop(0)
            act()
            self.work()
        self.clock.seconds = end


def test_a_dial_turned_fast_reaches_the_lane_so_often_and_its_newest_value_wins() -> None:
    rig = IntakeRig()
    for step in range(1000):  # 500 a second
        rig.put(step + 1, float(step))
        rig.work()
        rig.move(0.002)
    rig.move(0.2)
    assert rig.done[-1] == (0, 999.0)
    assert LANE_PER_SECOND <= len(rig.done) <= LANE_AT_ONCE + 2.2 * LANE_PER_SECOND + 1
    assert sorted(packet.values[0] for packet in rig.answers) == list(range(1, 1001))  # each is answered
    values = {packet.values[0]: packet.values[3] for packet in rig.answers}
    assert all(values[id] >= id - 1 for id in values)  # with its value, or a newer one


def test_some_commands_at_once_are_not_kept_waiting() -> None:
    rig = IntakeRig()
    for number in range(int(LANE_AT_ONCE)):
        rig.put(number + 1, float(number), f"parameter {number}")
    assert len(rig.posted) == LANE_AT_ONCE
    assert not rig.timers


def test_commands_of_a_lane_keep_their_order() -> None:
    rig = IntakeRig()
    for number in range(20):
        rig.put(number + 1, float(number), f"parameter {number}")
    rig.put(21, 99.0, "parameter 12")
    rig.work()
    rig.move(2.0)
    assert [value for _, value in rig.done] == [*(float(n) for n in range(20) if n != 12), 99.0]


def test_one_lane_that_is_reported_much_does_not_keep_another_waiting() -> None:
    rig = IntakeRig()
    for step in range(400):
        rig.put(step + 1, float(step))
        rig.work()
        rig.move(0.002)
    rig.put(1000, 7.0, lane=1)
    rig.work()
    assert rig.done[-1] == (1, 7.0)


def test_all_lanes_together_take_so_much() -> None:
    """The common limit of all lanes; the newest value of each lane arrives in the end."""
    rig = IntakeRig()
    for step in range(2000):
        for lane in range(8):
            rig.put(1 + step, float(step), lane=lane)
        rig.work()
        rig.move(0.001)
    assert len(rig.done) <= 48 + 2.0 * ALL_PER_SECOND + 1
    rig.move(1.0)
    assert dict(rig.done) == dict.fromkeys(range(8), 1999.0)


def test_what_is_overtaken_and_would_begin_something_is_answered_so() -> None:
    """A replaced play gets an error; the newest one takes effect."""
    rig = IntakeRig()
    for number in range(int(LANE_AT_ONCE)):
        rig.put(number + 1, 0.0, f"parameter {number}")
    for id in (50, 51):
        rig.put(id, float(id), "play", alone=True)
    rig.work()
    rig.move(1.0)
    refused = [packet for packet in rig.answers if packet.address == messages.ERROR.address]
    assert [(packet.values[0], packet.values[2]) for packet in refused] == [(50, "bad_lane")]
    assert rig.done[-1] == (0, 51.0)


def test_nothing_piles_up_where_nobody_works() -> None:
    """While [generate] does not run, posted and held commands stay bounded."""
    rig = IntakeRig()
    for step in range(5000):
        rig.put(step + 1, float(step), lane=step % 8)
        rig.clock.seconds += 0.01
        while rig.timers and rig.timers[0][0] <= rig.clock.seconds:
            rig.timers.pop(0)[1]()
    assert len(rig.posted) <= OUT_MAX
    held = [ask for waiting in rig.intake._lanes.values() for ask in waiting.held.values()]
    assert len(held) == 8
    assert all(len(ask.overtaken) <= 256 for ask in held)


def test_so_many_different_commands_wait_and_no_more() -> None:
    rig = IntakeRig()
    for number in range(HELD_MAX + int(LANE_AT_ONCE)):
        rig.put(number + 1, 0.0, f"parameter {number}")
    with pytest.raises(Busy, match=f"{HELD_MAX} commands"):
        rig.put(999, 0.0, "one more")
