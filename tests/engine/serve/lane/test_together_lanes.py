"""Lanes of a generate loop whose model takes all steps together, as on a GPU: the same music as separately."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from lane_rig import RATE, HandClock, RigHost, make_model

from bridge.control.arguments import At
from engine.lm.executors.device import DeviceExecutor, PlainRunner
from engine.serve.lane.generate_loop import GenerateLoop
from engine.serve.lane_settings import CONTINUE, ReferenceAudio


def story(together: bool) -> tuple[list[np.ndarray], GenerateLoop]:
    """A lane that plays; another one joins it with an audio prompt, and leaves."""
    model = make_model()
    if together:
        model = replace(model, executor=DeviceExecutor(model.lm))
    generate_loop = GenerateLoop(model, HandClock())
    hosts = [RigHost(generate_loop), RigHost(generate_loop)]
    for seed, host in enumerate(hosts):
        host.lane.update(lambda s, seed=seed: s.with_value("seed", seed).with_value("lead_seconds", 1.0))
    noise = torch.rand(1, 32_000, generator=torch.Generator().manual_seed(1)) - 0.5
    hosts[1].lane.update(lambda s: s.with_region(CONTINUE, ReferenceAudio(noise, 120.0, 0.0)))
    heard: list[list[np.ndarray]] = [[], []]

    def render(seconds: int) -> None:
        for _ in range(seconds):
            for host, parts in zip(hosts, heard, strict=False):
                parts.append(host.render(RATE))

    hosts[0].play(At(beats=0.0))
    for host in hosts:
        host.start()
    render(1)
    hosts[1].play(At(beats=3.0))
    render(3)
    hosts[1].close()
    del hosts[1]
    render(1)
    hosts[0].close()
    return [np.concatenate(parts) for parts in heard], generate_loop


def test_what_is_heard_is_the_same(monkeypatch):
    """The audio of both lanes equals that of separate steps."""
    monkeypatch.setattr("engine.stream.window.PIECE_STEPS", 2)  # the second lane's beginning takes several turns
    (want, _), (got, generate_loop) = story(False), story(True)
    for one, other in zip(want, got, strict=True):
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        np.testing.assert_allclose(np.nan_to_num(other), np.nan_to_num(one), atol=1e-5)
    assert np.isfinite(want[0]).mean() > 0.95  # both played
    assert np.isfinite(want[1]).sum() > RATE
    assert generate_loop.model.executor.buffers.sizes.rows == 4


def test_the_device_is_kept_warm_only_while_somebody_plays(monkeypatch):
    class CountingRunner(PlainRunner):
        runs = 0

        def run(self, shape, step):
            self.runs += 1
            step()

    monkeypatch.setattr("engine.lm.executors.device.executor.WARM_SECONDS", 0.0)
    model, runner = make_model(), CountingRunner()
    host = RigHost(GenerateLoop(replace(model, executor=DeviceExecutor(model.lm, runner)), HandClock()))
    host.lane.update(lambda s: s.with_value("lead_seconds", 1.0))
    host.play(At(beats=0.0))
    host.settle()
    before, codes = runner.runs, host.lane.controller.renderer.stream.codes()
    host.generate_loop.turn()
    assert runner.runs == before  # the host stands
    host.start()
    host.settle()
    host.generate_loop.turn()
    assert runner.runs > before
    renderer = host.lane.controller.renderer
    assert torch.equal(renderer.stream.codes(0, codes.shape[1]), codes)
