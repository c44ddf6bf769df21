"""The queue of arrived datagrams against a plain model: order of each sender, turns, bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.control import fair_queue
from bridge.control.fair_queue import FairQueue

SENDERS = [("127.0.0.1", 9000 + n) for n in range(4)]


@given(st.lists(st.one_of(st.integers(0, 3), st.none()), max_size=200))
def test_each_sender_is_served_in_its_order_and_all_in_turn(steps: list[int | None]) -> None:
    """A number puts a datagram of that sender, None takes one."""
    queue, waiting = FairQueue(), dict[int, list[bytes]]()  # in the order of their turns
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
    queue = FairQueue()
    for number in range(100):
        queue.put(b"flood %d" % number, SENDERS[0])
    queue.take()
    queue.put(b"ping", SENDERS[1])
    assert [queue.take()[0] for _ in range(2)] == [b"flood 1", b"ping"]


def test_it_is_bounded_and_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "OF_ONE_MAX", 3)
    monkeypatch.setattr(fair_queue, "WAITING_MAX", 5)
    monkeypatch.setattr(fair_queue, "WAITING_BYTES_MAX", 100)
    queue = FairQueue()
    assert [queue.put(b"x", SENDERS[0]) for _ in range(4)] == [True, True, True, False]
    assert [queue.put(b"x", SENDERS[1]) for _ in range(3)] == [True, True, False]
    queue.take()
    assert not queue.put(b"x" * 97, SENDERS[2])
    assert queue.put(b"x" * 96, SENDERS[2])
