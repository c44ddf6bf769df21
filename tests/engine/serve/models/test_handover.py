"""Another model takes over a playing lane: on a bar line, without a hole, with the old music as its prompt."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from lane_rig import RATE, RigHost, make_model

from bridge.control.arguments import At
from bridge.time.transport import Grid, Transport
from engine.audio.resample import StreamResampler
from engine.model import LoadedModel
from engine.serve.lane_settings import CONTINUE, MELODY, ReferenceAudio
from engine.serve.models import handover
from engine.serve.models.change_over import LaneChangeOver, _install
from engine.serve.models.handover import Handover, HandoverMusic, HandoverWait, fits, handover_music, prepare_handover
from engine.serve.render.codec_output import CodecOutput
from engine.serve.render.conditioning import Conditioning
from engine.serve.render.stream_settings import as_prompt, own_values
from engine.stream import TokenStream

BAR = 2 * RATE  # 120 bpm, 4/4
FRAME = RATE // 50
OTHER = {"name": "other", "seed": 5, "card": 24}


def leave(host: RigHost, need_seconds: float = 0.3) -> HandoverMusic:
    """The lane's handover music, once enough is made."""
    controller = host.lane.controller
    for _ in range(9):
        left = handover_music(controller, need_seconds, 30, False)
        if isinstance(left, HandoverMusic):
            return left
        assert isinstance(left, HandoverWait)
        controller.timing.keep_ahead(left.lead_seconds)
        host.settle()
    raise AssertionError("the lane never has enough made")


def settle(host: RigHost, raised: Handover, model: LoadedModel, late_too: bool = False) -> bool:
    controller = host.lane.controller
    return _install(
        host.generate_loop, model, [LaneChangeOver(controller, raised.handover_music.renderer, raised)], late_too
    )


def change(host: RigHost, model: LoadedModel, need_seconds: float = 0.3) -> HandoverMusic:
    """Let the lane change over while the host stands still."""
    left = leave(host, need_seconds)
    raised = prepare_handover(left, model)
    assert fits(raised, host.lane.controller)
    assert settle(host, raised, model)
    return left


def begin(host: RigHost, at_beats: float = 0.0, **play: int) -> None:
    host.lane.update(lambda s: s.with_value("seed", 7))
    host.play(At(beats=at_beats), **play)
    host.start()
    host.settle()


def expected(host: RigHost, left: HandoverMusic, model: LoadedModel, frames: int) -> torch.Tensor:
    """The new model's continuation from the handover music's frame on, made at once: [n, 2]."""
    heard = as_prompt(model, left.audio)
    renderer = host.lane.controller.renderer
    known = left.renderer.prompt_frames + left.frame
    heard_there, first = Conditioning(renderer), known - heard.codes.shape[1]
    stream = TokenStream.begin(model.executor, heard_there, heard.codes, renderer.stream.settings, 7, first)
    with torch.no_grad():
        codes = stream.advance(frames)
    resampler = StreamResampler(32_000, RATE)
    level = 1.0 / heard.gain
    codec_output = CodecOutput(model.codec, resampler, 2, heard.audio, heard.codes, left.frame, level)
    return codec_output.push(codes, last=True)


def test_the_next_model_takes_over_on_a_bar_line_without_a_hole(host: RigHost) -> None:
    begin(host)
    before = host.render(RATE)
    plan_revision = host.lane.ring.plan.plan_revision
    model = make_model(**OTHER)
    left = change(host, model)
    plan = host.lane.ring.plan
    assert plan.plan_revision == plan_revision + 1
    assert 0 <= BAR - plan.from_samples < FRAME  # the frame that holds the bar line
    sound = np.concatenate([before, host.render(5 * RATE)])
    assert np.isfinite(sound).all()
    want = expected(host, left, model, 150).numpy()
    count = len(want) - 4 * FRAME
    np.testing.assert_allclose(sound[plan.from_samples :][:count], want[:count], atol=1e-5)
    steps = abs(np.diff(sound[:, 0]))
    at = plan.from_samples
    assert steps[at - 2 : at + 2].max() <= np.delete(steps, np.arange(at - 3, at + 3)).max()  # no click
    assert host.reader.counters.late_blocks == 0
    assert host.generate_loop.model is model
    assert host.events.states[-1][2] == "goes on with other"


def test_what_was_heard_is_the_old_models_music(host: RigHost) -> None:
    begin(host)
    host.render(RATE)
    left = leave(host)
    renderer = left.renderer
    with torch.no_grad():
        whole = renderer.model.codec.decode(renderer.stream.codes()[None])[0]
    end = left.frame * 640
    np.testing.assert_allclose(left.audio.numpy(), whole[:, end - 30 * 640 : end].numpy(), atol=1e-4)


def test_a_model_in_stereo_plays_in_stereo(host: RigHost) -> None:
    begin(host)
    assert np.array_equal(*host.render(BAR).T)
    change(host, make_model("wide", 3, stereo=True))
    host.render(BAR)
    sound = host.render(BAR)
    assert np.isfinite(sound).all()
    assert abs(sound[:, 0] - sound[:, 1]).max() > 1e-3


def test_a_region_in_stereo_reaches_a_model_in_stereo() -> None:
    t = torch.arange(40_000) / 9.0
    region = ReferenceAudio(torch.stack([0.3 * torch.sin(t), 0.1 * torch.cos(t)]), 120.0, 0.0)
    wide = make_model("wide", 3, stereo=True)
    prompt = handover.as_prompt(wide, region.audio[:, -6400:])
    assert torch.equal(prompt.audio, region.audio[:, -6400:])
    mono = handover.as_prompt(make_model(), region.audio[:, -6400:])
    assert torch.allclose(mono.audio, region.audio[:, -6400:].mean(dim=0, keepdim=True))


def test_music_that_has_not_begun_is_the_new_models_from_its_start(host: RigHost) -> None:
    region = ReferenceAudio(0.3 * torch.sin(torch.arange(40_321) / 9.0)[None], 120.0, 0.0)
    host.lane.update(lambda s: s.with_region(CONTINUE, region))
    begin(host, at_beats=8.0)
    model = make_model(**OTHER)
    left = change(host, model)
    assert (left.frame, left.audio) == (0, None)
    sound = host.render(3 * BAR)
    assert np.isnan(sound[: 2 * BAR]).all()
    assert np.isfinite(sound[2 * BAR :]).all()
    renderer = host.lane.controller.renderer
    assert renderer.model is model
    assert torch.equal(renderer.prompt.audio, region.audio[:, -30 * 640 :])


def test_a_jump_before_the_start_plays_the_new_model_from_the_region(host: RigHost) -> None:
    region = ReferenceAudio(0.3 * torch.sin(torch.arange(40_321) / 9.0)[None], 120.0, 0.0)
    host.lane.update(lambda s: s.with_region(CONTINUE, region))
    begin(host, at_beats=4.0)
    host.render(2 * BAR)
    model = make_model(**OTHER)
    change(host, model)
    host.render(2 * BAR)
    host.transport = Transport(True, 0, host.transport.grid, seek_id=1)
    host.settle()
    renderer = host.lane.controller.renderer
    assert renderer.model is model
    assert torch.equal(renderer.prompt.codes, as_prompt(model, region.audio[:, -30 * 640 :]).codes)
    assert np.isfinite(host.render(4 * BAR)[BAR:]).all()


def test_a_change_of_tempo_and_prompt_after_the_take_over(host: RigHost) -> None:
    begin(host)
    host.render(RATE)
    change(host, make_model(**OTHER))
    host.render(RATE)  # exactly on the bar line: the music before it was another model's
    host.lane.update(lambda s: s.with_prompt("new"))
    assert np.isfinite(host.render(RATE)).all()
    position = host.transport.position_samples
    host.transport = Transport(True, position, host.transport.grid.retuned(position, 90.0))
    assert np.isfinite(host.render(3 * RATE)).all()


def test_in_a_loop_the_seam_is_a_bar_line(host: RigHost) -> None:
    host.lane.update(lambda s: s.with_value("seed", 7))
    host.play(At(beats=0.0))
    host.start(loop_beats=(0.0, 4.0))
    host.settle()
    host.render(RATE)
    model = make_model(**OTHER)
    change(host, model, need_seconds=0.5)
    sounds = host.render_looped(3)
    assert all(np.isfinite(sound).all() for sound in sounds)
    assert host.lane.controller.renderer.model is model
    assert host.reader.counters.late_blocks == 0


def test_behind_the_loops_end_the_next_pass_counts(host: RigHost) -> None:
    host.lane.update(lambda s: s.with_value("seed", 7))
    host.play(At(beats=0.0))
    host.start(loop_beats=(0.0, 2.0))  # one second, half a bar
    host.settle()
    host.render(RATE // 2)
    left = leave(host, need_seconds=0.8)
    assert left.frame == 100  # the end of the second pass
    model = make_model(**OTHER)
    raised = prepare_handover(left, model)
    host.render_looped(1)  # the host continues meanwhile, into the next pass
    assert fits(raised, host.lane.controller)
    assert settle(host, raised, model)
    sounds = host.render_looped(4)
    assert all(np.isfinite(sound).all() for sound in sounds)


def test_a_handover_that_is_late_or_has_missed_something_does_not_fit(host: RigHost) -> None:
    begin(host)
    host.render(RATE)
    model = make_model(**OTHER)
    raised = prepare_handover(leave(host), model)
    controller = host.lane.controller
    assert fits(raised, controller)
    host.lane.update(lambda s: s.with_prompt("something new"))
    assert not fits(raised, controller)
    assert not settle(host, raised, model)
    assert host.generate_loop.model is not model
    raised = prepare_handover(leave(host), model)
    host.lane.update(lambda s: s.with_value("level_db", -6.0))  # changes only the fader
    assert fits(raised, controller)
    host.render(RATE)  # past its bar line
    assert not settle(host, raised, model)
    assert settle(host, raised, model, late_too=True)
    assert np.isfinite(host.render(4 * RATE)[RATE:]).all()


def test_values_nobody_asked_for_become_the_new_models_own(host: RigHost) -> None:
    host.lane.update(lambda s: s.with_value("temperature", 0.7))
    model = dataclasses.replace(make_model(**OTHER), cfg_coef=5.0, temperature=1.3)
    begin(host)
    host.render(RATE)
    change(host, model)
    values = host.lane.settings.values
    assert (values["cfg"], values["temperature"], values["top_k"]) == (5.0, 0.7, 24.0)
    assert own_values(model)["top_k"] == 24.0
    assert host.lane.controller.renderer.settings is host.lane.settings


def test_what_the_new_model_cannot_follow_is_reported_and_kept(host: RigHost) -> None:
    begin(host)
    host.lane.update(lambda s: s.with_region(MELODY, ReferenceAudio(torch.rand(1, 6400), 120.0, 0.0)))
    host.settle()
    host.render(RATE)
    change(host, make_model(**OTHER))
    assert "other cannot follow melody" in host.events.states[-1][2]
    assert MELODY in host.lane.settings.regions
    assert host.generate_loop.model.conditioner.asked[-1][0].melody is None
    assert np.isfinite(host.render(2 * RATE)).all()


def test_music_that_ends_before_the_bar_line_plays_out(host: RigHost) -> None:
    begin(host, bars=1)
    host.render(RATE + RATE // 2)
    controller, old = host.lane.controller, host.lane.controller.renderer
    assert handover_music(controller, 0.6, 30, False) is None
    model = make_model(**OTHER)
    assert _install(host.generate_loop, model, [LaneChangeOver(controller, old)], False)
    assert np.isfinite(host.render(RATE // 2 - 512)).all()
    host.render(RATE)
    assert host.states[-1] == "ended"
    host.play(At("bar"))
    host.settle()
    assert host.lane.controller.renderer.model is model


@pytest.mark.parametrize("playing", [True, False])
def test_a_host_that_stands_has_all_the_time(host: RigHost, playing: bool) -> None:
    host.lane.update(lambda s: s.with_value("seed", 7))
    host.play(At(beats=0.0))
    host.settle()
    if playing:
        host.start()
        host.render(RATE)
        host.transport = Transport(False, host.transport.position_samples, Grid(RATE, 120.0))
        host.publish()
        host.settle()
    left = leave(host, need_seconds=30.0)
    assert left.frame == (100 if playing else 0)
    raised = prepare_handover(left, make_model(**OTHER))
    assert fits(raised, host.lane.controller)
