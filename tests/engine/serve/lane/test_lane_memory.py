"""A lane that played leaves no memory behind, without waiting for the garbage collector."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from lane_rig import RATE, HandClock, RigHost, make_model

from bridge.control.arguments import At
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.lane_settings import CONTINUE, ReferenceAudio


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def played(generate_loop: GenerateLoop) -> RigHost:
    host = RigHost(generate_loop)
    noise = torch.rand(1, 32_000, generator=torch.Generator().manual_seed(1)) - 0.5
    host.lane.update(
        lambda s: s.with_region(CONTINUE, ReferenceAudio(noise, 120.0, 0.0)).with_value("lead_seconds", 1.0)
    )
    host.publish()
    host.play(At(beats=0.0))
    host.start()
    host.render(RATE)
    host.lane.update(lambda s: s.with_prompt("other"))
    host.render(RATE)
    return host


def test_a_lane_that_played_is_freed_when_it_is_closed(no_collector):
    generate_loop = GenerateLoop(make_model(), HandClock())
    host = played(generate_loop)
    renderer, controller = host.lane.controller.renderer, host.lane.controller
    kept = renderer, renderer.stream, renderer.codec_output, renderer.stream.window, controller, host.lane
    left = [weakref.ref(each) for each in kept]
    del renderer, controller, kept
    host.close()
    del host
    assert [each() for each in left] == [None] * len(left)


def test_music_that_was_stopped_is_freed_while_its_lane_stays_open(no_collector):
    generate_loop = GenerateLoop(make_model(), HandClock())
    host = played(generate_loop)
    left = weakref.ref(host.lane.controller.renderer), weakref.ref(host.lane.controller.renderer.stream)
    host.lane.controller.stop(At("now"))
    host.render(RATE)
    assert host.lane.view.state == "ended"
    assert [each() for each in left] == [None, None]
    host.close()
