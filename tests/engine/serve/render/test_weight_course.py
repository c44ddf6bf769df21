"""The weights of a stream's prompts along its frames."""

from __future__ import annotations

import pytest

from engine.serve.lane_settings import LaneSettings, Morph
from engine.serve.render.weight_course import GLIDE_FRAMES, WeightTrack

BEAT = 25  # frames at 120 bpm
A, B = (1.0,), (0.0, 1.0)


def track(morph: Morph | None = None) -> WeightTrack:
    return WeightTrack(morph or Morph(A), lambda frame: 120.0)


def test_a_step_holds_from_its_frame_on() -> None:
    course = track()
    course.follow(Morph(B), 37)
    assert (course.at(36), course.at(37)) == (A, B)


def test_a_glide_takes_its_beats_and_changes_in_steps() -> None:
    course = track()
    course.follow(Morph(B, 8.0, 1), 100)
    assert course.at(100) == (1.0, 0.0)
    half = 100 + 4 * BEAT
    assert course.at(half) == pytest.approx((0.5, 0.5))
    assert course.at(half) == course.at(half + GLIDE_FRAMES - 1)
    assert course.at(100 + 8 * BEAT) == B


def test_a_glide_follows_the_tempo() -> None:
    course = WeightTrack(Morph(A), lambda frame: 60.0 if frame < 200 else 240.0)
    course.follow(Morph(B, 8.0, 1), 100)
    assert course.at(200)[1] == pytest.approx(2 / 8)
    assert course.at(300) == B


def test_a_morph_in_a_glide_begins_where_that_is() -> None:
    course = track()
    course.follow(Morph(B, 8.0, 1), 100)
    course.follow(Morph(A, 4.0, 2), 200)
    assert course.at(200) == pytest.approx((0.5, 0.5))
    assert course.at(250) == pytest.approx((0.75, 0.25))
    assert course.at(150) == pytest.approx((0.75, 0.25)), "what was played stays"


def test_another_change_in_a_glide_leaves_it_alone() -> None:
    course = track()
    course.follow(Morph(B, 8.0, 1), 100)
    before = course.at(250)
    course.follow(Morph(B, 8.0, 1), 200)
    assert course.at(250) == before


def test_going_back_before_a_glide_takes_it_back() -> None:
    course = track()
    course.follow(Morph(B, 8.0, 1), 100)
    course.follow(Morph(A), 90)
    assert course.at(300) == A


def test_a_glide_from_before_the_stream_has_ended() -> None:
    course = track(Morph(B, 8.0, 1, moved=(1, 0)))
    course.follow(Morph(B, 8.0, 1, moved=(1, 0)), 50)
    assert course.at(0) == course.at(60) == B


def test_a_recalled_scene_glides_from_the_prompts_before() -> None:
    settings = LaneSettings("pads").with_prompts(["pads", "dub"]).with_morph(Morph((0.3, 0.7)))
    after = settings.gliding_to(["house", "dub"], Morph((1.0,), 8.0, 1))
    assert after.every_prompt == ("house", "dub", "pads")
    course = WeightTrack(settings.morph, lambda frame: 120.0)
    course.follow(after.morph, 0)
    assert course.at(100) == pytest.approx((0.5, 0.35, 0.15))
    course = WeightTrack(settings.morph, lambda frame: 120.0)
    course.follow(after.morph, 10)
    assert course.at(10) == pytest.approx((0.0, 0.7, 0.3)), "in the places that the prompts have then"


def test_at_once_a_scene_drops_the_prompts_before() -> None:
    settings = LaneSettings("pads").with_prompts(["pads", "dub"]).with_morph(Morph((0.3, 0.7)))
    after = settings.gliding_to(["house"], Morph((1.0,)))
    assert (after.every_prompt, after.morph) == (("house",), Morph())
