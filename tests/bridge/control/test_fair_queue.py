"""The queue of arrived datagrams against a plain model: order of each sender, turns, bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.control import fair_queue
from bridge.control.clients import Source
from bridge.control.fair_queue import FairQueue

SENDERS = [("127.0.0.1", 9000 + n) for n in range(4)]


@given(st.lists(st.one_of(st.integers(0, 3), st.none()), max_size=200))
def test_each_sender_is_served_in_its_order_and_all_in_turn(steps: list[int | None]) -> None:
    """A number puts a datagram of that sender, None takes one."""
    queue, waiting = FairQueue(lambda source: True), dict[int, list[bytes]]()  # in the order of their turns
    for number, sender in enumerate(steps):
        if sender is not None:
            assert queue.put(b"%d" % number, SENDERS[sender])
            waiting.setdefault(sender, []).append(b"%d" % number)
        elif not waiting:
            with pytest.raises(KeyError):
                queue.take()
        else:
            turn = next(iter(waiting))
            mine = waiting.pop(turn)
            assert queue.take() == (mine.pop(0), SENDERS[turn])
            if mine:
                waiting[turn] = mine
        assert len(queue) == sum(map(len, waiting.values()))


def test_nobody_waits_behind_more_than_one_message_of_each() -> None:
    queue = FairQueue(lambda source: True)
    for number in range(100):
        queue.put(b"flood %d" % number, SENDERS[0])
    queue.take()
    queue.put(b"ping", SENDERS[1])
    assert [queue.take()[0] for _ in range(2)] == [b"flood 1", b"ping"]


def test_it_is_bounded_and_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "OF_ONE_MAX", 3)
    monkeypatch.setattr(fair_queue, "WAITING_MAX", 5)
    monkeypatch.setattr(fair_queue, "WAITING_BYTES_MAX", 100)
    queue = FairQueue(lambda source: True)
    assert [queue.put(b"x", SENDERS[0]) for _ in range(4)] == [True, True, True, False]
    assert [queue.put(b"x", SENDERS[1]) for _ in range(3)] == [True, True, False]
    queue.take()
    assert not queue.put(b"x" * 97, SENDERS[2])
    assert queue.put(b"x" * 96, SENDERS[2])


def test_many_ports_of_one_machine_delay_a_client_as_one_does() -> None:
    queue = FairQueue(lambda source: source == SENDERS[0])
    for port in range(1000):
        assert queue.put(b"flood", ("10.0.0.9", 20_000 + port))
    queue.put(b"other", ("10.0.0.7", 9000))
    queue.put(b"ping", SENDERS[0])
    assert [queue.take()[0] for _ in range(3)] == [b"flood", b"other", b"ping"]
    assert [queue.take()[1][1] for _ in range(2)] == [20_001, 20_002]


def test_those_who_have_not_said_hello_leave_room_for_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "WAITING_MAX", 8)
    queue = FairQueue(lambda source: source == SENDERS[0])
    assert [queue.put(b"x", (f"10.0.0.{number}", 9000)) for number in range(7)] == [True] * 6 + [False]
    assert [queue.put(b"x", SENDERS[0]) for _ in range(3)] == [True, True, False]


def test_messages_before_and_after_the_hello_stay_in_order() -> None:
    known: set[Source] = set()
    queue = FairQueue(known.__contains__)
    for text in (b"hello", b"first"):
        queue.put(text, SENDERS[0])
        queue.put(b"flood", ("127.0.0.1", 20_000))
    assert queue.take()[0] == b"hello"
    known.add(SENDERS[0])
    queue.put(b"second", SENDERS[0])
    assert [text for text, source in (queue.take() for _ in range(4)) if source == SENDERS[0]] == [b"first", b"second"]


def test_an_allocation_that_fails_costs_a_datagram_and_no_more() -> None:
    hooks = pytest.importorskip("_testcapi", reason="needs CPython's test module _testcapi")
    for failing in range(40):
        queue = FairQueue(lambda source: False)
        for step in range(12):
            hooks.set_nomemory(failing, failing + 1)
            try:
                queue.put(b"x", SENDERS[step % 4]) if step % 3 else queue.take()
            except (MemoryError, KeyError, SystemError):  # SystemError: CPython lost the MemoryError
                pass
            finally:
                hooks.remove_mem_hooks()
        for _ in range(20):
            try:
                queue.take()
            except KeyError:
                break
        assert len(queue) == 0, failing
        assert queue.put(b"y", SENDERS[0])
        assert queue.take() == (b"y", SENDERS[0])
