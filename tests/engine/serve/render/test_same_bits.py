"""A take made again is the same to the bit: played live, as fast as it comes, in turns that end anywhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from lane_rig import RATE, HandClock, RigHost, make_model

from bridge.time.transport import Transport
from engine.serve.lane.generate_loop import GenerateLoop

SAMPLES = 5 * RATE


def begin(host: RigHost, waits: bool) -> None:
    host.lane.waits = waits
    host.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 7).with_value("lead_seconds", 3.0))
    host.publish()
    host.play()
    host.publish()


def live(host: RigHost) -> np.ndarray:
    """The audio of a lane whose ring stays full."""
    begin(host, waits=False)
    host.settle()
    host.start()
    return host.render(SAMPLES)


def as_it_comes(host: RigHost) -> np.ndarray:
    """The audio that a waiting host takes from its ring after each turn of the engine."""
    sound = np.full((SAMPLES, 2), np.nan, np.float32)
    begin(host, waits=True)
    host.start()
    for _ in range(1_000):
        host.generate_loop.turn()
        at = host.transport.position_samples
        count = min(max(0, host.reader.ahead_samples(at)), SAMPLES - at)
        host.reader.read(at, sound[at : at + count], host.transport.seek_id)
        host.transport = Transport(True, at + count, host.transport.grid)
        host.publish()
        if at + count == SAMPLES:
            return sound
    raise AssertionError("the take was not made")


@pytest.fixture
def new_host() -> Iterator[Callable[[], RigHost]]:
    """Hosts, each with its own engine."""
    made: list[RigHost] = []

    def host() -> RigHost:
        made.append(RigHost(GenerateLoop(make_model(), HandClock())))
        return made[-1]

    yield host
    for each in made:
        each.close()


def test_a_take_made_again_is_the_same_to_the_bit(new_host, monkeypatch):
    heard = live(new_host())
    assert np.abs(heard).max() > 0.01
    assert np.array_equal(as_it_comes(new_host()), heard)
    # as where candidates end a stretch, or a window is read while others wait
    frames, made = itertools.cycle([1, 5, 2, 8, 3]), GenerateLoop._made
    monkeypatch.setattr(GenerateLoop, "_made", lambda self, hop, *rest: made(self, next(frames), *rest))
    assert np.array_equal(as_it_comes(new_host()), heard)
