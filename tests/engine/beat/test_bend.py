"""Bending: the map is exact, any cut gives the same result, pads pass unchanged, and drifting drums come onto the
beat."""

from __future__ import annotations

import numpy as np
import pytest
from beat_rig import RATE_HZ, Audio, SteadyLine, chord, drums, noise, pad, uneven
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.beat.bend import HOLD_SAMPLES, STEP_SAMPLES, Bend
from engine.beat.splice import FADE_SAMPLES
from engine.beat.time_map import MapStretch, TimeMap

NOTHING_BEFORE = np.zeros((1, 0), np.float32)
_jumps = st.lists(st.tuples(st.integers(1, 5000), st.integers(-4000, 4000)), max_size=12)


def bent(audio: Audio, bpm: float, before: Audio | None = None, chunk: int = 6000) -> tuple[Audio, Bend, TimeMap]:
    """The output for audio [n], the bend, and a map that dropped nothing."""
    bend = Bend(SteadyLine(bpm), 0, NOTHING_BEFORE if before is None else before[None])
    whole = TimeMap()
    parts = []
    for first in range(0, len(audio), chunk):
        parts.append(bend.push(audio[None, first : first + chunk], first + chunk >= len(audio)))
        for stretch in bend.map.stretches:
            if stretch.out > whole.last.out:
                whole.jump(stretch.out, stretch.shift - whole.last.shift)
    return np.concatenate(parts, axis=1)[0], bend, whole


def made_of(jumps: list[tuple[int, int]]) -> TimeMap:
    found, out = TimeMap(), 0
    for after, skipped in jumps:
        out += after
        found.jump(out, skipped)
    return found


# -- the map ----------------------------------------------------------------------------------------------


@given(_jumps, st.integers(-100, 70_000))
def test_the_map_is_undone_exactly_where_nothing_is_skipped_or_repeated(jumps, sample):
    found = made_of(jumps)
    made = found.made_at(sample)
    assert found.out_at(made) >= sample  # later where it is repeated
    assert found.made_at(found.out_at(made)) == made or found.out_at(made) in [each.out for each in found.stretches]
    if all(skipped >= 0 for _, skipped in jumps):
        assert found.out_at(made) == sample
    out = found.out_at(sample)
    if all(skipped <= 0 for _, skipped in jumps):
        assert found.made_at(out) == sample


@given(_jumps, st.integers(0, 60_000))
def test_a_map_that_was_cut_says_the_same_of_what_came_before(jumps, out):
    found = made_of(jumps)
    made = found.made_at(out)
    cut = found.cut(out, made)
    assert all(cut.made_at(x) == found.made_at(x) for x in range(0, out, 5003))
    assert cut.made_at(out) == made
    assert cut.made_at(out + 10_000) == made + 10_000


def test_a_map_grows_at_its_end_only():
    found = TimeMap((MapStretch(0, 0), MapStretch(100, 120)))
    with pytest.raises(ValueError, match="lies before"):
        found.jump(99, 5)


# -- the stream -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow() -> tuple[Audio, np.ndarray]:
    return uneven(drums(124, 16), lambda t: 0.98 + 0 * t)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=6))
def test_any_cut_of_the_input_gives_what_the_whole_gives(slow, cuts):
    audio = slow[0][: 7 * RATE_HZ]
    whole, _, _ = bent(audio, 124, chunk=len(audio))
    bend, parts, first, turn = Bend(SteadyLine(124), 0, NOTHING_BEFORE), [], 0, 0
    while first < len(audio):
        size = cuts[turn % len(cuts)] + 400
        parts.append(bend.push(audio[None, first : first + size], first + size >= len(audio)))
        first, turn = first + size, turn + 1
    np.testing.assert_array_equal(np.concatenate(parts, axis=1)[0], whole)


def test_what_is_put_out_is_what_was_made_where_the_map_says(slow):
    audio = slow[0]
    out, bend, whole = bent(audio, 124)
    assert len(whole.stretches) > 5
    assert len(out) == bend.out_end
    for one, two in zip(whole.stretches, [*whole.stretches[1:], MapStretch(bend.out_end, 0)], strict=True):
        first = one.out + (FADE_SAMPLES if one.out else 0)
        made = whole.made_at(first)
        np.testing.assert_array_equal(out[first : two.out], audio[made : made + two.out - first])


def test_stereo_keeps_its_channels():
    one = drums(120, 4)
    both = np.stack([one, -one])
    bend = Bend(SteadyLine(126), 0, np.zeros((2, 0), np.float32))
    out = bend.push(both, last=True)
    np.testing.assert_array_equal(out[0], -out[1])


@pytest.mark.parametrize("audio", [pad(12), chord(12), noise(12)], ids=["pad", "chord", "noise"])
def test_what_has_no_beat_passes_bit_for_bit(audio):
    out, bend, _ = bent(audio, 97.0, before=audio[: 4 * RATE_HZ])
    np.testing.assert_array_equal(out, audio)
    assert bend.map.stretches == (MapStretch(0, 0),)


def test_drums_on_the_grid_are_left_alone():
    audio = drums(128, 20)
    eight = round(8 * 60 / 128 * RATE_HZ)
    out, _, _ = bent(audio[eight:], 128, before=audio[:eight])
    np.testing.assert_array_equal(out, audio[eight:])


def test_no_more_than_a_quarter_of_a_second_is_held_back():
    bend = Bend(SteadyLine(120), 0, NOTHING_BEFORE)
    for _ in range(20):
        bend.push(noise(0.1)[None])
        assert bend.made_end - bend.out_end < STEP_SAMPLES + HOLD_SAMPLES


def test_switched_off_it_holds_and_changes_nothing(slow):
    bend = Bend(SteadyLine(124), 0, NOTHING_BEFORE)
    bend.active = False
    for first in range(0, 5 * RATE_HZ, 3200):
        audio = slow[0][None, first : first + 3200]
        np.testing.assert_array_equal(bend.push(audio), audio)


# -- drift ------------------------------------------------------------------------------------------------


def errors_ms(places: np.ndarray, found: TimeMap, bpm: float, beats: range) -> tuple[np.ndarray, np.ndarray]:
    """Distances of known beats from the grid, before and after bending."""
    beat = 60.0 / bpm * RATE_HZ
    made = [int(np.searchsorted(places, number * beat)) for number in beats]
    grid = np.array([number * beat for number in beats])
    before, after = np.array(made) - grid, np.array([found.out_at(sample) for sample in made]) - grid
    return before / RATE_HZ * 1000, after / RATE_HZ * 1000


@pytest.mark.parametrize(
    ("name", "speed"),
    [
        ("2 % slow", lambda t: 0.98 + 0 * t),
        ("2 % fast", lambda t: 1.02 + 0 * t),
        ("wandering", lambda t: 1 + 0.03 * np.sin(2 * np.pi * t / 16)),
    ],
)
def test_drums_that_drift_are_brought_onto_the_beat(name, speed):
    bpm = 120.0
    audio, places = uneven(drums(bpm, 22), speed)
    _, _, found = bent(audio, bpm, before=drums(bpm, 6))
    before, after = errors_ms(places, found, bpm, range(2, 40))
    assert np.percentile(np.abs(before), 95) > 90, name
    assert np.median(np.abs(after)) < 10
    assert np.percentile(np.abs(after), 95) < 25


def test_music_that_is_far_off_leaps_onto_the_beat_at_a_bar_line():
    bpm, late = 120.0, 0.15  # 0.3 beats
    audio = np.concatenate([chord(late), drums(bpm, 20)])
    out, bend, found = bent(audio, bpm)
    leaps = [(two.out, two.shift - one.shift) for one, two in zip(found.stretches, found.stretches[1:], strict=False)]
    out_at, skipped = max(leaps, key=lambda leap: abs(leap[1]))
    assert skipped == pytest.approx(late * RATE_HZ, abs=0.012 * RATE_HZ)
    bar = SteadyLine(bpm).next_bar(out_at)
    assert 0 < bar - out_at - FADE_SAMPLES < 200  # the crossfade ends right before the bar line
    assert abs(found.last.shift - late * RATE_HZ) < 0.01 * RATE_HZ
    assert abs(bend.detected.off_beats) * 60 / bpm < 0.006
    assert np.abs(np.diff(out)).max() <= np.abs(np.diff(audio)).max() * 1.05


def test_after_a_retake_it_goes_on_where_it_was():
    bpm = 120.0
    audio, _ = uneven(drums(bpm, 14), lambda t: 0.98 + 0 * t)
    bend = Bend(SteadyLine(bpm), 0, drums(bpm, 6)[None])
    first = bend.push(audio[None, : 12 * RATE_HZ])
    made = bend.map.made_at(bend.out_end - RATE_HZ) // 640 * 640
    out = bend.map.out_at(made)
    again = bend.again_from(made, SteadyLine(bpm))
    assert again.out_end == out
    assert again.map.made_at(out) == made
    parts = np.concatenate([first[:, :out], again.push(audio[None, made:], last=True)], axis=1)[0]
    whole, _, _ = bent(audio, bpm, before=drums(bpm, 6))
    assert abs(len(parts) - len(whole)) < 0.012 * RATE_HZ  # the same map, joints elsewhere
    with pytest.raises(ValueError, match="not within"):
        bend.again_from(bend.made_end + 1, SteadyLine(bpm))
