"""A lane on the tiny style checkpoint: its excerpts, their events, and every role at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from lane_rig import RATE, HandClock, RigHost, make_model

from bridge.control.arguments import At
from engine.model import LoadedModel
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.lane_settings import CONTINUE, MELODY, STYLE, ReferenceAudio
from engine.serve.models.handover import handover_music, prepare_handover, take_over

SECONDS = 8
Excerpts = list[tuple[float, float]]


@pytest.fixture
def lane(golden_models: dict[str, LoadedModel]) -> Iterator[tuple[RigHost, Excerpts]]:
    host = RigHost(GenerateLoop(golden_models["audiocraft/style"], HandClock()))
    host.publish()
    yield host, host.events.excerpts
    host.close()


def tune(seconds: float = SECONDS) -> ReferenceAudio:
    t = torch.arange(int(seconds * 32_000)) / 32_000
    return ReferenceAudio(0.3 * torch.sin(1400 * t * (1 + 0.1 * torch.sin(t)))[None], 120.0, 0.0)


def play(host: RigHost, **values: float) -> np.ndarray:
    def update(settings):
        for name, value in values.items():
            settings = settings.with_value(name, value)
        return settings.with_region(STYLE, tune()).with_prompt("sad jazz")

    host.lane.update(update)
    host.play(At(beats=0.0))
    host.settle()
    host.start()
    return host.render(4 * RATE)  # beyond the window of five seconds, with the lead of two


def test_each_window_gets_an_excerpt_that_the_seed_draws(lane: tuple[RigHost, Excerpts]) -> None:
    host, excerpts = lane
    sound = play(host, seed=4, excerpt_seconds=2.0)
    assert np.isfinite(sound).all()
    assert len(excerpts) == 2  # one for each window
    assert excerpts[0][0] != excerpts[1][0]
    assert all(0 <= start <= SECONDS - 2.0 and length == 2.0 for start, length in excerpts)
    assert host.lane.value("excerpt_start") == excerpts[-1][0]
    first = list(excerpts)
    host.play(At("bar"))
    host.render(RATE)
    assert excerpts[len(first)] == first[0]  # the same seed, the same excerpts


def test_an_excerpt_can_be_chosen(lane: tuple[RigHost, Excerpts]) -> None:
    host, excerpts = lane
    play(host, seed=4, excerpt_start=1.5, excerpt_seconds=4.5, eval_q=6)
    assert excerpts == [(1.5, 4.5)]
    host.lane.update(lambda s: s.with_value("excerpt_start", 2.25))
    assert np.isfinite(host.render(RATE)).all()
    assert excerpts[-1] == (2.25, 4.5)


@pytest.mark.parametrize("values", [{"cfg_beta": 5.0}, {"two_step": 1.0}, {"cfg_beta": 5.0, "two_step": 1.0}])
def test_style_words_and_a_beginning_together(lane: tuple[RigHost, Excerpts], values: dict[str, float]) -> None:
    host, excerpts = lane
    host.lane.update(lambda s: s.with_region(CONTINUE, tune(2.0)))
    sound = play(host, seed=4, **values)
    assert np.isfinite(sound).all()
    renderer = host.lane.controller.renderer
    assert renderer.prompt_frames == 100
    guidance = renderer.stream.settings.guidance
    assert (guidance.cfg_coef_beta or 0.0, float(guidance.two_step)) == (
        values.get("cfg_beta", 0.0),
        values.get("two_step", 0.0),
    )
    assert excerpts


def test_the_eval_q_is_used(lane: tuple[RigHost, Excerpts]) -> None:
    """Another `eval_q` gives other music."""
    host, _ = lane
    renderer_codes = []
    for eval_q in (1, 6):
        play(host, seed=4, excerpt_start=1.0, eval_q=eval_q)
        renderer_codes.append(host.lane.controller.renderer.stream.codes()[:, :100])
    assert not torch.equal(*renderer_codes)


def test_a_melody_for_another_model_waits(lane: tuple[RigHost, Excerpts]) -> None:
    host, _ = lane
    host.lane.update(lambda s: s.with_region(MELODY, tune(2.0)))
    assert np.isfinite(play(host, seed=4)).all()
    assert any("cannot follow melody" in text for _, _, text in host.events.states)


def test_a_style_that_waited_is_followed_by_the_next_model(
    host: RigHost, golden_models: dict[str, LoadedModel]
) -> None:
    excerpts = host.events.excerpts
    host.lane.update(lambda s: s.with_region(STYLE, tune()).with_value("excerpt_start", 0.5))
    host.play(At(beats=0.0))
    host.start()
    host.render(RATE)
    assert any("cannot follow style" in text for _, _, text in host.events.states)
    assert excerpts == []
    controller = host.lane.controller
    handover = prepare_handover(handover_music(controller, 0.3, 100, False), golden_models["audiocraft/style"])
    host.generate_loop.use(handover.renderer.model)
    take_over(handover, controller)
    assert np.isfinite(host.render(2 * RATE)).all()
    assert excerpts == [(0.5, 3.0)]
    assert make_model().takes.isdisjoint({STYLE})
