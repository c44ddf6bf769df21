"""A lane's beats against the host's while its tempo, bars and position change; no clock, no waiting."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from grid_rig import GridHost, conditioned_beat_error
from lane_rig import RATE

from bridge.control.arguments import At
from bridge.time.course import Course
from bridge.time.tempo_map import SignaturePoint, TempoMap, TempoPoint
from bridge.time.transport import Grid
from bridge.time.units import Signature
from engine.model import CONTINUE
from engine.serve.lane.fitting import fitting_sample
from engine.serve.lane_settings import ReferenceAudio
from engine.serve.timeline.phase_in import begin_after


@pytest.fixture
def hosts():
    """Makes a host that plays a tempo map, with a lane's play on a beat."""
    made: list[GridHost] = []

    def begin(*points, bars=(), at=0.0, loop=None, n_bars=0) -> GridHost:
        host = GridHost(Course(TempoMap(points, bars), RATE, loop))
        made.append(host)
        host.publish()
        host.play(At(beats=at), n_bars)
        host.begin()
        return host

    yield begin
    for host in made:
        host.close()


def steady(bpm: float = 120.0) -> TempoPoint:
    return TempoPoint(0, bpm)


@pytest.mark.parametrize("bpm", [100.0, 140.0])
def test_a_step_of_tempo_is_led_to_within_a_bar_and_made_anew_once(hosts, bpm):
    host = hosts(steady(), TempoPoint(4, bpm))  # 2 s
    heard = host.play_map(4.8)
    assert heard.holes == 0
    assert host.plan_revisions == 1
    assert heard.worst(0.0, 2.0) < 0.01
    bar = 4 * 60 / bpm
    assert heard.worst(2.0 + bar, 6.0) < 0.1
    assert heard.worst() < 100.0  # its error when the new tempo could first be heard
    assert conditioned_beat_error(host.lane.controller.renderer) < 1e-5


def test_a_ramp_is_within_ten_milliseconds_and_not_made_anew_each_block(hosts):
    host = hosts(steady(100.0), TempoPoint(2, 100, ramp=True), TempoPoint(12, 125))  # 1.2 s, 6.6 s
    heard = host.play_map(8.2)
    assert heard.holes == 0
    assert heard.worst() < 10.0
    assert heard.worst(7.9) < 0.5
    assert host.plan_revisions <= 4
    assert conditioned_beat_error(host.lane.controller.renderer) < 1e-5


def test_a_wandering_clock_is_followed_silently(hosts):
    """Like a followed MIDI clock: a new tempo every two seconds, 0.1 % from the previous one."""
    host = hosts(*(TempoPoint(4 * k, 120 * (1 + 0.0005 * (-1) ** k)) for k in range(8)))
    heard = host.play_map(5.0)
    assert heard.holes == 0
    assert host.plan_revisions == 0
    assert heard.worst() < 4.0


def test_the_first_sample_stays_on_its_beat_while_the_tempo_moves_before_it(hosts):
    host = hosts(steady(), TempoPoint(1, 120.2), TempoPoint(2, 119.9), at=5.0)
    heard = host.play_map(3.5)
    plan = host.lane.ring.plan
    assert plan.start_samples == host.course.sample_at(5)
    assert heard.worst() < 4.0
    assert host.lane.controller.renderer.conditioning.windows <= 2  # moved, not regenerated


def test_a_step_before_the_start_is_heard_from_its_first_sample(hosts):
    host = hosts(steady(), TempoPoint(1, 140), at=5.0)
    heard = host.play_map(4.0)
    assert host.lane.ring.plan.start_samples == host.course.sample_at(5)
    assert heard.worst() < 0.1


def test_bars_change_their_length(hosts):
    host = hosts(steady(), bars=[SignaturePoint(0, Signature(4, 4)), SignaturePoint(1, Signature(7, 8))])  # 2 s
    heard = host.play_map(4.0)
    assert heard.holes == 0
    assert host.plan_revisions == 1
    renderer = host.lane.controller.renderer
    grid = renderer.output.beat_map.model_grid(renderer.prompt_frames, renderer.stream.window_offset, 500, None)
    assert [segment.beats_per_bar for segment in grid.segments] == [4.0, 3.5]
    assert conditioned_beat_error(renderer) < 1e-5


def test_a_loop_of_odd_length_has_its_bars_right_in_every_pass(hosts):
    host = hosts(steady(240.0), loop=(1.0, 6.0))  # 1.25 s: a window's beats wrap too
    host.play_map(6.0)
    assert host.heard.holes == 0
    assert host.heard.worst() < 0.01
    assert host.plan_revisions == 0
    renderer = host.lane.controller.renderer
    assert len(renderer.output.beat_map.entries) >= 4
    assert conditioned_beat_error(renderer) < 1e-5


def test_a_tempo_that_moves_in_a_loop_leaves_no_hole(hosts):
    host = hosts(steady(240.0), TempoPoint(4, 240.3), loop=(0.0, 8.0))
    host.play_map(5.0)
    assert host.heard.holes == 0
    assert host.heard.worst() < 10.0
    assert host.lane.controller.renderer.output.loop[0] == 0  # where the host passed it, whatever its present tempo


def test_a_jump_lands_in_phase(hosts):
    host = hosts(steady())
    host.play_map(3.0)
    host.jump(host.course.sample_at(Fraction(1285, 10)))  # in the middle of bar 33
    host.play_map(1.5)
    assert host.plan_revisions == 1
    assert host.heard.worst() < 0.05
    assert host.lane.controller.renderer.placement.seek_id == 1


def test_scrubbing_is_awaited(hosts):
    host = hosts(steady())
    host.play_map(2.0)
    for beat in range(20):
        host.jump(host.course.sample_at(Fraction(64) + beat + Fraction(1, 3)))
        host.play_map(0.08)
    host.play_map(1.5)
    assert host.plan_revisions <= 3  # the first jump, and where it came to rest
    assert host.heard.worst() < 0.05
    assert host.reader.ahead_samples(host.transport.position_samples) > RATE  # in the ring again


def test_stopped_and_started_again_goes_on(hosts):
    host = hosts(steady())
    host.play_map(2.0)
    host.transport = host.transport.__class__(False, host.transport.position_samples, host.transport.grid)
    for _ in range(10):
        host.publish()
        host.settle()
    host.begin()
    host.play_map(1.5)
    assert host.heard.holes == 0
    assert host.heard.worst() < 0.01
    assert host.plan_revisions == 0


def test_the_end_moves_with_the_tempo(hosts):
    host = hosts(steady(), TempoPoint(1, 119.9), TempoPoint(5, 120.1), n_bars=2)
    host.play_map(4.5)
    end = host.lane.ring.plan.end_samples
    assert abs(end - host.course.sample_at(8)) < 0.004 * RATE
    assert host.heard.worst() < 4.0
    assert "ended" in host.states


# -- how it begins -------------------------------------------------------------------------------------


def region(beats: Fraction | float, bpm: float = 120.0, start: float = 0.0) -> ReferenceAudio:
    return ReferenceAudio(torch.zeros(1, round(float(beats) * 60 / bpm * 32_000)), bpm, start)


@pytest.mark.parametrize(
    ("length", "start", "kept", "ahead"),
    [
        (16, 16, 16, 0),  # ends on the bar line that is played from
        (16, 20, 16, 0),  # or on another bar line
        (16.25, 16, 16, 0),  # a little too long: cut
        (15, 16, 15, 1),  # a beat short of it: made and discarded
        (17.5, 20, 16, 0),  # half a bar too long: cutting is as near
        (16, 18.5, 14.5, 0),  # played from the middle of a bar
        (2, 3, 2, 1),
        (1.5, 4, 1.5, 2.5),  # too short to be cut
    ],
)
def test_given_music_ends_at_the_place_in_the_bar_where_it_goes_on(length, start, kept, ahead):
    found = begin_after(region(length), Fraction(start), Grid(RATE))
    assert found.region.audio.shape[-1] == round(kept * 16_000)
    assert found.ahead_beats == ahead


def test_a_length_in_whole_samples_is_taken_as_it_was_meant():
    given = region(16, 93.7)
    found = begin_after(given, Fraction(16), Grid(RATE, 93.7))
    assert found.region is given
    assert found.ahead_beats == 0
    assert begin_after(None, Fraction(3), Grid(RATE)).region is None


def test_what_lies_before_the_bar_line_is_made_and_thrown_away(hosts):
    """A region that ends a beat before the bar line: the first heard sample is on it, in phase."""
    host = hosts(steady(), at=100.0)
    host.lane.update(lambda s: s.with_region(CONTINUE, region(7)))
    host.play(At(beats=8.0))
    heard = host.play_map(5.0)
    renderer = host.lane.controller.renderer
    assert renderer.placement.unheard_samples == RATE // 2
    assert host.lane.ring.plan.start_samples == renderer.placement.start_samples == host.course.sample_at(8)
    assert renderer.output.beat_map.beats_at(0) == pytest.approx(7.0)  # the prompt's end on the model's grid
    assert heard.holes == 0
    assert heard.worst() < 0.01


def test_given_music_of_another_tempo_is_reported_as_it_is(hosts):
    host = hosts(steady(), at=100.0)
    host.lane.update(lambda s: s.with_region(CONTINUE, region(8, 100.0)))
    host.play(At(beats=8.0))
    host.play_map(0.3)
    renderer = host.lane.controller.renderer
    grid = renderer.output.beat_map.model_grid(renderer.prompt_frames, 0, 500, None)
    assert [segment.bpm for segment in grid.segments] == [100.0, 120.0]
    assert grid.segments[1].frame == renderer.prompt_frames
    assert renderer.output.beat_map.beats_at(-RATE) == pytest.approx(8.0 - 100 / 60)
    assert conditioned_beat_error(renderer) < 1e-5


@pytest.mark.parametrize("lead_seconds", [0.2, 0.46, 1.1])
@pytest.mark.parametrize("beats", [8, 7])
def test_too_late_at_the_very_beginning_it_comes_in_again_on_the_beat(hosts, beats, lead_seconds):
    """Less than a bar is made: music moved to a later bar line is in phase nevertheless."""
    host = hosts(steady(), at=100.0)
    host.lane.update(lambda s: s.with_region(CONTINUE, region(beats)).with_value("lead_seconds", lead_seconds))
    host.play(At(beats=8.0))
    host.settle()
    renderer, to = host.lane.controller.renderer, host.course.sample_at(12)
    assert 0 < renderer.output.stream_made < 2 * RATE
    stream_sample = fitting_sample(renderer, to, renderer.placement.curve)
    assert 0 <= stream_sample <= renderer.output.stream_made
    assert float(renderer.output.beat_map.beats_at(stream_sample)) % 1 == pytest.approx(0.0, abs=1e-4)
    settings = renderer.settings
    renderer.move(host.course.sample_at(10), stream_sample, to, settings, renderer.placement, 99)
    assert renderer.placement.zero_samples + stream_sample == to
    assert renderer.placement.start_samples <= to
    assert host.lane.ring.plan.from_samples == to
