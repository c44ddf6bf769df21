"""One lane end to end on one thread: real ring, real (tiny, random) model, a host advanced by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lane_rig import NOW, RATE, RigHost

from bridge.control.arguments import At
from bridge.time.transport import Grid, Transport
from engine.model import CONTINUE
from engine.serve.lane.command import Command
from engine.serve.lane_settings import ReferenceAudio


def same(got: np.ndarray, want: torch.Tensor, atol: float = 1e-5) -> None:
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[:, 0], want.numpy()[: len(got)], atol=atol)


def whole_sound(host: RigHost, frames: int) -> torch.Tensor:
    """All frames of the stream decoded and resampled at once: the reference for the ring."""
    renderer = host.lane.controller.renderer
    codes = renderer.stream.codes()[:, renderer.prompt_frames :][:, :frames]
    with torch.no_grad():
        return renderer.resampler.whole(host.generate_loop.model.codec.decode(codes[None])[0])[0]


def test_first_sample_on_the_beat_and_the_lead_is_kept(host):
    host.lane.update(lambda s: s.with_value("lead_seconds", 1.0))
    host.play(At(beats=4.0))  # 2 s at 120 bpm
    host.settle()
    assert host.answers[0][0] == 4.0
    assert host.states == ["preparing", "playing"]
    written = host.lane.ring.written_end_samples
    assert 3 * RATE <= written < 3 * RATE + RATE // 2  # start + lead, and at most a hop more
    host.start()
    sound = host.render(5 * RATE)
    assert np.isnan(sound[: 2 * RATE]).all()  # not a sample before its beat
    same(sound[2 * RATE :], whole_sound(host, 250))
    assert host.reader.counters.late_blocks == 0


def test_exactly_the_asked_bars_and_then_nothing(host):
    host.play(At(beats=0.0), bars=2)  # 4 s
    host.start()
    host.settle()
    sound = host.render(6 * RATE)
    assert np.isfinite(sound[: 4 * RATE]).all()
    assert np.isnan(sound[4 * RATE :]).all()
    assert abs(sound[4 * RATE - 1]).max() < 0.05 * abs(sound[: 4 * RATE]).max()  # faded, no click
    assert host.states == ["preparing", "playing", "ended"]
    assert not host.lane.ring.plan.sounding


def test_same_seed_same_music_and_a_drawn_seed_is_reported(host):
    host.lane.update(lambda s: s.with_value("seed", 7))
    sounds = []
    for _ in range(2):
        host.play(At(beats=0.0), bars=1)
        host.settle()
        sounds.append(host.lane.controller.renderer.stream.codes())
    assert torch.equal(sounds[0], sounds[1])
    assert host.answers[0][2] == 7
    host.lane.update(lambda s: s.with_value("seed", -1))
    host.play(At(beats=0.0), bars=1)
    host.settle()
    assert host.answers[2][2] != -1
    assert host.answers[2][1] > host.answers[1][1] > host.answers[0][1]


def test_continue_places_the_first_sample_after_the_region(host):
    region = ReferenceAudio(0.3 * torch.sin(torch.arange(40_321) / 9.0)[None], 120.0, 0.4799375)  # ends on beat 3
    host.lane.update(lambda s: s.with_region(CONTINUE, region))
    host.play(At(beats=3.0))
    host.settle()
    renderer = host.lane.controller.renderer
    assert renderer.prompt_frames == 30  # 63 whole frames, cut to what a window keeps
    assert torch.equal(renderer.prompt.audio, region.audio[:, -30 * 640 :])  # counted back from its end
    assert renderer.placement.zero_samples == Grid(RATE).sample_at(3)
    ask, offset, _ = host.generate_loop.model.conditioner.asked[0]
    assert offset == 0
    assert ask.grid.start_beats == pytest.approx(3.0 - 30 * 0.02 * 2)
    host.start()
    sound = host.render(2 * RATE)
    begin = Grid(RATE).sample_at(3)
    assert np.isnan(sound[:begin]).all()
    assert np.isfinite(sound[begin:]).all()
    assert abs(float(sound[begin, 0]) - float(region.audio[0, -1])) < 0.05


def test_a_new_prompt_takes_over_without_a_hole(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    before = host.render(RATE)
    plan_revision = host.lane.ring.plan.plan_revision
    host.lane.update(lambda s: s.with_prompt("something else"))
    host.settle()
    plan = host.lane.ring.plan
    assert plan.plan_revision == plan_revision + 1
    margin = host.lane.controller.timing.margin_seconds
    now = host.transport.position_samples
    assert now < plan.from_samples <= now + (margin + 0.1) * RATE  # soon, not after the whole lead
    assert host.generate_loop.model.conditioner.asked[-1][0].text == "something else"
    after = host.render(2 * RATE)
    assert np.isfinite(before).all()
    assert np.isfinite(after).all()
    steps = abs(np.diff(np.concatenate([before, after])[:, 0]))
    at = plan.from_samples
    assert steps[at - 2 : at + 2].max() <= np.delete(steps, np.arange(at - 3, at + 3)).max()  # no click


def test_prompt_at_a_beat_waits_for_it(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.lane.controller.change(Command(At(beats=8.0), update=lambda s: s.with_prompt("later"), arrived_seconds=0.0))
    host.render(2 * RATE)
    assert host.lane.settings.prompt == ""
    assert np.isfinite(host.render(3 * RATE)).all()
    assert host.lane.settings.prompt == "later"
    assert 0 <= host.lane.ring.plan.from_samples - 4 * RATE < RATE // 50  # the first frame from there on


def test_stop_ends_with_a_fade(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.render(RATE)
    left = 3 * RATE - host.transport.position_samples
    assert host.lane.controller.stop(At(beats=6.0)) == 6.0  # 3 s
    sound = host.render(4 * RATE)
    assert np.isfinite(sound[:left]).all()
    assert np.isnan(sound[left:]).all()
    assert abs(sound[left - 1]).max() < 0.02 * abs(sound[:left]).max()
    assert host.states[-1] == "ended"


def test_stop_now_is_soon(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.render(RATE)
    host.lane.controller.stop(At("now"))
    sound = host.render(RATE)
    heard = np.isfinite(sound[:, 0]).sum() / RATE
    assert 0.03 < heard < 0.1
    last = int(np.isfinite(sound[:, 0]).sum()) - 1
    assert abs(sound[last]).max() < 0.1 * np.nanmax(abs(sound))


def test_tempo_change_makes_what_is_ahead_anew(host):
    host.play(At(beats=0.0), bars=4)
    host.start()
    host.settle()
    host.render(RATE)
    position = host.transport.position_samples
    grid = host.transport.grid.retuned(position, 90.0)
    host.transport = Transport(True, position, grid)
    host.settle()
    renderer = host.lane.controller.renderer
    assert renderer.placement.grid.tempo_bpm == 90.0
    assert renderer.placement.end_samples == grid.sample_at(16)  # the requested bars, at the new tempo
    assert host.generate_loop.model.conditioner.asked[-1][0].grid.bpm == 90.0
    assert np.isfinite(host.render(3 * RATE)).all()


def test_jump_goes_on_from_there(host):
    host.play(At(beats=2.0))
    host.start()
    host.settle()
    host.render(3 * RATE)
    host.transport = Transport(True, 20 * RATE, host.transport.grid, seek_id=1)
    host.settle()
    sound = host.render(2 * RATE)
    hole = np.isnan(sound[:, 0]).sum() / RATE
    assert hole <= host.lane.controller.timing.margin_seconds + 0.5
    assert np.isfinite(sound[-RATE // 2 :]).all()


def test_jump_back_before_the_start_plays_the_same_again(host):
    host.lane.update(lambda s: s.with_value("seed", 3))
    host.play(At(beats=2.0), bars=2)
    host.start()
    host.settle()
    first = host.render(4 * RATE)
    host.transport = Transport(True, 0, host.transport.grid, seek_id=1)
    host.settle()
    np.testing.assert_allclose(host.render(4 * RATE), first, atol=1e-6)


def test_play_while_playing_takes_over_on_its_beat(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.render(RATE)
    host.lane.update(lambda s: s.with_prompt("second"))
    host.play(At(beats=16.0), bars=1)  # 8 s: beyond what is made
    sound = host.render(8 * RATE)
    assert np.isfinite(sound).all()
    assert host.lane.controller.renderer.placement.zero_samples == 8 * RATE
    assert len(host.answers) == 2
    assert host.answers[1][0] == 16.0


def test_a_lane_that_fails_says_so_and_plays_out_what_it_has(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.lane.update(lambda s: s.with_prompt("break"))
    host.settle()
    assert host.events.states[-1][0] == "preparing"
    assert "breaks the model" in host.events.states[-1][2]
    host.lane.update(lambda s: s.with_prompt("good again"))
    host.play(At("bar"))
    host.settle()
    assert host.states[-1] == "playing"


def test_a_failing_play_is_answered(host):
    host.lane.update(lambda s: s.with_prompt("break"))
    host.play(At(beats=0.0))
    host.settle()
    assert isinstance(host.answers[0], RuntimeError)
    assert host.states[-1] == "failed"


def test_play_now_while_running_begins_when_it_can(host):
    host.transport = Transport(True, 10 * RATE, host.transport.grid)
    host.settle()
    host.play(At("now"))
    host.settle()
    start = host.lane.controller.renderer.placement.zero_samples
    assert 0 < start - 10 * RATE < RATE
    host.play(At("bar"))
    host.settle()
    assert host.answers[1][0] % 4 == 0


def test_level_needs_no_new_tokens(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    version = host.lane.controller.renderer.version
    before = host.render(RATE)
    host.lane.update(lambda s: s.with_value("level_db", -60.0))
    sound = host.render(RATE)
    assert np.isfinite(sound).all()
    assert host.lane.controller.renderer.version == version  # nothing was regenerated
    assert np.abs(sound[RATE // 5 :]).max() < 0.01 * np.abs(before).max()  # and heard at once


def test_a_loop_is_played_through_without_a_hole(host):
    host.play(At(beats=0.0))
    host.start(loop_beats=(0.0, 4.0))  # 2 s; the lead is as long
    host.settle()
    plan_revision = host.lane.ring.plan.plan_revision
    sounds = []
    for _ in range(4):
        sounds.append(host.render(RATE))
        assert host.reader.ahead_samples(host.transport.position_samples) >= 1.8 * RATE  # all of the lead
        sounds += host.render_looped(1)
    assert all(np.isfinite(sound).all() for sound in sounds)
    assert host.lane.ring.plan.plan_revision == plan_revision  # nothing was regenerated
    same(np.concatenate(sounds), whole_sound(host, 450))  # one stream, though positions begin again
    assert host.reader.counters.stale_blocks == host.reader.counters.late_blocks == 0


def test_a_new_prompt_takes_over_in_a_loop(host):
    host.play(At(beats=0.0))
    host.start(loop_beats=(0.0, 4.0))
    host.settle()
    host.render_looped(1)
    host.render(RATE // 2)
    host.lane.update(lambda s: s.with_prompt("new"))
    sounds = host.render_looped(3)
    assert all(np.isfinite(sound).all() for sound in sounds)
    assert host.generate_loop.model.conditioner.asked[-1][0].text == "new"


def test_a_new_prompt_just_before_the_loops_end_is_heard_in_the_next_pass(host):
    host.play(At(beats=0.0))
    host.start(loop_beats=(0.0, 4.0))
    host.settle()
    host.render(2 * RATE - RATE // 50)
    host.lane.controller.renewal.last_seconds = 0.0  # changes that follow at once would be taken together
    host.lane.update(lambda s: s.with_prompt("new"))
    host.settle()
    assert host.lane.ring.plan.seek_id == 1
    assert host.lane.ring.plan.from_samples > 0  # up to there the next pass is what was made before
    assert all(np.isfinite(sound).all() for sound in host.render_looped(3))


def test_loop_switched_on_and_off_while_playing(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.render(RATE)
    host.start(loop_beats=(0.0, 4.0))
    assert all(np.isfinite(sound).all() for sound in host.render_looped(2))
    host.start(loop_beats=None)
    assert np.isfinite(host.render(4 * RATE)).all()


def test_a_late_stream_comes_in_again_on_a_bar_line(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.render(3 * RATE)
    made = host.lane.controller.renderer.output.stream_made
    far = host.transport.position_samples + 6 * RATE  # the engine stood still for six seconds
    host.transport = Transport(True, far, host.transport.grid)
    host.lane.controller._follower._changed_seconds = 0.0
    host.settle()
    plan, grid = host.lane.ring.plan, host.transport.grid
    bar = grid.next_bar(plan.from_samples)
    assert 0 <= grid.bar_start(bar) - plan.from_samples < RATE // 50  # the frame that holds the bar line
    assert grid.bar_start(bar) > far
    renderer = host.lane.controller.renderer
    stream_sample = grid.bar_start(bar) - renderer.placement.zero_samples
    assert stream_sample <= made
    assert stream_sample % (2 * RATE) == 0
    host.render(grid.bar_start(bar) - host.transport.position_samples)
    assert np.isfinite(host.render(2 * RATE)).all()


def test_a_jump_keeps_the_place_in_the_bar(host):
    host.play(At(beats=0.0))
    host.start()
    host.settle()
    host.render(5 * RATE)
    host.transport = Transport(True, 20 * RATE + 7000, host.transport.grid, seek_id=1)
    host.settle()
    renderer = host.lane.controller.renderer
    assert renderer.placement.zero_samples % (2 * RATE) == 0  # whole bars later: still on the beat


def test_a_second_lane_changes_nothing_for_the_first(host):
    """Same seed, same music, whatever starts and fails beside it."""
    host.lane.update(lambda s: s.with_value("seed", 5))
    host.play(At(beats=0.0), bars=3)
    host.start()
    host.settle()
    alone = host.render(6 * RATE)
    one = RigHost(host.generate_loop)
    two = RigHost(host.generate_loop)
    try:
        for lane in (one, two):
            lane.publish()
        one.lane.update(lambda s: s.with_value("seed", 5))
        one.play(At(beats=0.0), bars=3)
        one.start()
        one.settle()
        parts = [one.render(2 * RATE)]
        two.lane.update(lambda s: s.with_prompt("other"))
        two.play(At(beats=0.0))  # begins in the middle of the first
        parts.append(one.render(2 * RATE))
        two.lane.update(lambda s: s.with_prompt("break"))  # and fails
        parts.append(one.render(2 * RATE))
        assert "breaks the model" in two.lane.view.fault
        np.testing.assert_allclose(np.concatenate(parts), alone, atol=1e-6)  # hops differ, tokens do not
    finally:
        one.close()
        two.close()


def _from_beat(host: RigHost, beats: float, n_samples: int) -> np.ndarray:
    """Three bars of a take placed on beat 4, for a host that stood at `beats` when it began."""
    host.lane.update(lambda s: s.with_value("seed", 7))
    now = host.transport
    host.transport = Transport(False, now.grid.sample_at(beats), now.grid, None, now.seek_id + 1)
    host.settle()
    host.play(At(beats=4.0), bars=3, past=True)
    host.settle()
    assert host.answers[-1][0] == 4.0
    host.start()
    return host.render(n_samples)


@pytest.mark.parametrize("beats", [4.0, 5.25, 9.5, 13.0, 15.9])
def test_a_take_is_the_same_wherever_its_host_stands(host, beats):
    bar = 4 * RATE // 2
    take = _from_beat(host, 0.0, 9 * bar // 2)[bar:]
    host.lane.controller.stop(NOW)
    host.settle()
    here = host.transport.grid.sample_at(beats) - bar
    sound = _from_beat(host, beats, 3 * bar - here)
    np.testing.assert_allclose(sound, take[here : 3 * bar], atol=1e-5)
    assert host.states[-1] == "playing"
    # The placement stays: the host goes back to the start of the song, or to another beat.
    for again in (0.0, 6.0):
        now = host.transport
        host.transport = Transport(False, now.grid.sample_at(again), now.grid, None, now.seek_id + 1)
        host.settle()
        host.start()
        begin = max(0, now.grid.sample_at(again) - bar)
        sound = host.render(4 * bar - now.grid.sample_at(again))
        np.testing.assert_allclose(sound[-(3 * bar - begin) :], take[begin : 3 * bar], atol=1e-5)


def test_a_take_that_is_over_where_the_host_stands_begins_when_it_comes_back(host):
    bar = 4 * RATE // 2
    take = _from_beat(host, 0.0, 4 * bar)[bar:]
    host.lane.controller.stop(NOW)
    sound = _from_beat(host, 17.0, bar)
    assert np.isnan(sound).all()
    assert host.states[-1] == "ended"
    assert np.isfinite(take).all()
