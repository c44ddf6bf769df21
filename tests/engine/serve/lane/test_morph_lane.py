"""Weights of a lane's prompts: on their beat, in glides, the same music however they were sent, in its view."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from lane_rig import NOW, RATE, HandClock, RigHost, make_model

from bridge.control.arguments import At
from engine.serve.lane.command import Command
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.lane_settings import Morph, Update

BAR = 2 * RATE  # at 120 bpm
TO_SECOND = Morph((0.0, 1.0), 8.0, 1)


def host_of(**values: float) -> RigHost:
    host = RigHost(GenerateLoop(make_model(), HandClock()))
    host.lane.update(lambda s: s.with_prompts(["pads", "house"]))
    for name, value in {"guard": 0.0, "seed": 7.0, **values}.items():
        host.lane.update(lambda s, name=name, value=value: s.with_value(name, value))
    host.publish()
    host.play(At(beats=0.0))
    host.settle()
    host.start()
    return host


@pytest.fixture
def host() -> Iterator[RigHost]:
    made = host_of()
    yield made
    made.close()


def morph(host: RigHost, to: Morph, at: At = NOW) -> None:
    command = Command(at, 5, "/segue/lane/morph", lambda s: s.with_morph(to), arrived_seconds=host.clock.now_seconds())
    host.lane.submit(command) if at == NOW else host.lane.controller.change(command)


def weights_while_playing(host: RigHost, beats: int) -> list[tuple[float, ...]]:
    found = []
    for _ in range(beats):
        host.render(RATE // 2)
        assert host.lane.view.weights is not None
        found.append(host.lane.view.weights[0])
    return found


def test_a_glide_begins_on_its_bar_and_takes_its_beats(host: RigHost) -> None:
    morph(host, TO_SECOND, At(beats=4.0))
    found = weights_while_playing(host, 13)
    assert found[2] == (1.0,)
    second = [(*weights, 0.0)[1] for weights in found[3:]]  # before the glide the lane has one prompt
    assert second == pytest.approx([max(0, min(1, (beat - 4) / 8)) for beat in range(4, 14)], abs=0.06)
    assert found[-1] == (0.0, 1.0)
    assert [beats for _, address, beats, _ in host.events.heard if address.endswith("morph")] == [4.0]


def test_a_glide_gives_the_same_music_however_early_it_was_sent() -> None:
    heard = []
    for wait in (0, RATE // 3):
        host = host_of()
        parts = [host.render(wait)] if wait else []
        morph(host, TO_SECOND, At(beats=4.0))
        parts.append(host.render(6 * BAR - wait))
        heard.append(np.concatenate(parts))
        host.close()
    assert np.isfinite(heard[0]).all()
    assert np.array_equal(heard[0], heard[1])


def test_a_glide_is_not_the_step_to_its_end() -> None:
    heard = []
    for beats, key in ((8.0, 1), (0.0, 0)):
        host = host_of()
        morph(host, Morph((0.0, 1.0), beats, key), At(beats=4.0))
        heard.append(host.render(4 * BAR))
        host.close()
    same = np.abs(heard[0] - heard[1]).max(axis=1) == 0
    assert same[: 4 * RATE // 2].all()
    assert not same[4 * RATE // 2 + RATE // 4 :].all()


def windows_of(host: RigHost, change: Callable[[float], Update]) -> int:
    """How many windows are begun for three changes that are sent now."""
    before = host.lane.controller.renderer.conditioning.windows
    for share in (0.2, 0.4, 0.6):
        host.lane.submit(Command(NOW, 5, "/segue/lane/set", change(share), arrived_seconds=host.clock.now_seconds()))
        host.render(RATE // 5)
    assert np.isfinite(host.render(RATE)).all()
    return int(host.lane.controller.renderer.conditioning.windows - before)


def test_weights_sent_now_stay_in_the_open_window() -> None:
    """They begin no more windows than a parameter that only changes how tokens are drawn."""
    begun = []
    for change in (
        lambda share: lambda s: s.with_value("temperature", 1 + share / 10),
        lambda share: lambda s: s.with_morph(Morph((1 - share, share))),
    ):
        host = host_of()
        host.render(3 * BAR // 2)
        begun.append(windows_of(host, change))
        weights = host.lane.view.weights[0]
        host.close()
    assert weights == pytest.approx((0.4, 0.6))
    assert begun[1] <= begun[0]


def test_glides_with_candidates_are_the_same_twice() -> None:
    heard = []
    for _ in range(2):
        host = host_of(candidates=2.0)
        morph(host, TO_SECOND, At(beats=4.0))
        heard.append(host.render(3 * BAR))
        host.close()
    assert np.array_equal(heard[0], heard[1], equal_nan=True)
