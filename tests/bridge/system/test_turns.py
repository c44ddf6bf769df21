"""A thread's loop goes on after a fault, also if nothing can be logged."""

from __future__ import annotations

import logging

import pytest

from bridge.system.turns import run_turns


class _FullLog(logging.Logger):
    """A logger that has no memory either."""

    def exception(self, *given: object, **named: object) -> None:  # type: ignore[override]
        raise MemoryError


@pytest.mark.parametrize("fault", [MemoryError(), ValueError("a fault"), OSError("a fault")])
def test_a_fault_costs_one_turn(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    left = [True, fault, True, fault, False, True]

    def turn() -> bool:
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    run_turns(turn, "the test", logging.getLogger("segue.engine"))
    assert left == [True]
    assert caplog.messages == ["a turn of the test failed"] * 2


def test_a_log_without_memory_costs_no_turn() -> None:
    left = [MemoryError(), False]

    def turn() -> bool:
        if isinstance(now := left.pop(0), Exception):
            raise now
        return now

    run_turns(turn, "the test", _FullLog("full"))
    assert not left


def test_what_ends_a_program_ends_the_loop() -> None:
    def turn() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_turns(turn, "the test", logging.getLogger("segue.engine"))
