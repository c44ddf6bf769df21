"""The engine's state: threads change it, and whoever reads meets no half of a change."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from engine.serve.state import FAILED, READY, EngineState, Hot, Wanted


@pytest.fixture(autouse=True)
def threads_meet() -> Iterator[None]:
    """Python switches threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def hot(number: int) -> Hot:
    """A model whose name and device say its number; nothing of it runs."""
    return Hot(Wanted(f"model {number}"), SimpleNamespace(), f"device {number}", "float32", 30, 0.05, 9.0)  # type: ignore[arg-type]


def test_model_and_device_are_read_together() -> None:
    state, torn, done = EngineState(), [], threading.Event()
    state.plays(hot(0))

    def read() -> None:
        while not done.is_set():
            now = state.now
            if now.hot is None or now.hot.device != now.device:
                torn.append(now)

    reader = threading.Thread(target=read)
    reader.start()
    models = [hot(number) for number in range(7)]
    for number in range(20_000):
        state.plays(models[number % 7])
    done.set()
    reader.join()
    assert not torn


def test_threads_take_no_change_from_each_other() -> None:
    """[load] sets the model while [main] sets state and text: both are there in the end."""
    state = EngineState()

    def tell() -> None:
        for number in range(20_000):
            state.change(READY, str(number))

    teller = threading.Thread(target=tell)
    teller.start()
    for number in range(20_000):
        state.plays(hot(number))
    teller.join()
    assert (state.now.name, state.now.text, state.now.device) == (READY, "19999", "device 19999")


def test_an_engine_that_has_failed_stays_so() -> None:
    state = EngineState()
    assert state.change(FAILED, "no such model")
    assert not state.change(READY, "")
    state.say("loading")
    assert (state.now.name, state.now.text) == (FAILED, "no such model")


def test_a_status_is_a_value() -> None:
    with pytest.raises(AttributeError):
        EngineState().now.text = "changed"  # type: ignore[misc]
