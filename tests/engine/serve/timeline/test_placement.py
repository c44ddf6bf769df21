"""Streams on the host's timeline: frames, ends, and references in phase after hours."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from bridge.control.parameters import PARAMETERS, Depth
from bridge.time.transport import Grid
from bridge.time.units import Signature
from engine.conditions.arrangement import INSTRUMENTS, SECTIONS, parse_key
from engine.conditions.melody import MelodyConditioner
from engine.conditions.musicgen import MusicGenConditioner
from engine.core.guidance import Guidance
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.timeline.placement import StreamPlacement, ask_at, key_of, prepare

TAKES = frozenset({"text", "melody", "style", "tempo"})


def region(seconds: float, bpm: float, start_beats: float = 0.0, extra_samples: int = 0) -> ReferenceAudio:
    return ReferenceAudio(torch.zeros(1, round(seconds * 32_000) + extra_samples), bpm, start_beats)


def test_frames_and_positions():
    placement = StreamPlacement.on(Grid(48_000), zero_samples=96_000, end_samples=96_000 + 48_000)
    assert placement.frame_at(96_000) == 0
    assert placement.frame_at(96_001) == 1
    assert placement.frame_at(96_000 + 960) == 1  # 20 ms at 48 kHz
    assert placement.frames_to_end() == 50
    assert replace(placement, end_samples=96_000 + 48_001).frames_to_end() == 51
    assert StreamPlacement.on(Grid(48_000), 0).frames_to_end() is None


def test_beats_of_frames_before_and_after_the_start():
    placement = StreamPlacement.on(Grid(44_100, 120.0), zero_samples=44_100)  # beat 2
    assert placement.beats_at_frame(0) == 2
    assert placement.beats_at_frame(-50) == 0
    assert placement.beats_at_frame(25) == 3


def test_region_cut_on_a_beat_is_whole_beats_long():
    assert region(4.0, 120.0, extra_samples=3).beats == 8
    assert region(4.1, 120.0).beats == Fraction(41, 5)


def test_ask_holds_what_the_lane_was_sent():
    settings = LaneSettings("slow dub").with_region("melody", region(2, 120)).with_region("style", region(3, 120))
    placement = StreamPlacement.on(Grid(48_000, 90.0, Signature(7, 8), bar_origin_beats=1.0), zero_samples=0)
    ask = ask_at(settings, placement, 0, 0, TAKES)
    assert ask.text == "slow dub"
    assert ask.grid.bpm == 90.0
    assert ask.grid.beats_per_bar == 3.5
    assert ask.grid.start_beats == -1.0  # counted from a bar line, so that the bar's phase is right
    assert ask.melody.speed == 0.75
    assert ask.style.audio.shape == (1, 96_000)
    assert ask_at(LaneSettings(), placement, 0, 0, frozenset({"text"})) == ask_at(
        LaneSettings(), placement, 0, 900, frozenset({"text"})
    )


@pytest.mark.parametrize("offset", [0, 600, 50 * 3600 * 10])
def test_looped_region_is_in_phase_at_every_window(offset):
    """Ten hours in, the region still begins on its bar line, though its length was rounded to samples."""
    seconds = 60 / 130 * 16  # 16 beats at 130 bpm: not a whole number of samples
    looped = region(seconds, 130.0, start_beats=4.0)
    placement = StreamPlacement.on(Grid(48_000, 130.0), zero_samples=Grid(48_000, 130.0).sample_at(20))
    ask = ask_at(LaneSettings().with_region("melody", looped), placement, 30, offset, TAKES)
    read_at = ask.melody.start_samples + offset * 640 * ask.melody.speed  # what a conditioner reads first
    beat = placement.beats_at_frame(offset - 30)
    want = float((beat - 4) % 16) * 60 / 130 * 32_000
    assert abs(read_at - want) <= 1.0


def test_what_rolls_a_stream_and_what_does_not():
    settings = LaneSettings("a").with_value("temperature", 1.0)
    assert settings.regenerating() != settings.with_prompt("b").regenerating()
    assert settings.regenerating() != settings.with_value("temperature", 0.5).regenerating()
    assert settings.regenerating() != settings.with_region("melody", region(1, 100)).regenerating()
    assert settings.regenerating() == settings.with_value("level_db", -6.0).regenerating()
    assert settings.regenerating() == settings.with_region("continue", region(1, 100)).regenerating()


def test_stems_of_a_region_are_taken_apart_before_a_window_asks(golden_models):
    """Windows are conditioned on what was prepared, wherever they begin and at whatever tempo."""
    loaded, lengths = golden_models["audiocraft/melody"], []

    def separate(mix: torch.Tensor) -> torch.Tensor:
        lengths.append(mix.shape[-1])
        return torch.stack([mix, mix, mix, mix], dim=1)

    stream_sample = loaded.conditioner.melody
    melody = MelodyConditioner(
        stream_sample.chroma,
        stream_sample.projection,
        stream_sample.n_frames,
        32_000,
        separate,
        stream_sample.window_samples,
    )
    model = replace(loaded, conditioner=MusicGenConditioner(loaded.conditioner.text, True, melody))
    settings = LaneSettings().with_region("melody", ReferenceAudio(torch.ones(1, 64_000), 120.0, 0.0))
    prepare(golden_models["audiocraft/text"], settings)  # follows no melody: nothing to prepare
    assert not lengths
    prepare(model, settings)
    assert lengths == [88_200]
    for offset in (0, 333):
        ask = ask_at(settings, StreamPlacement.on(Grid(48_000, 90.0), zero_samples=0), 0, offset, model.takes)
        model.conditioner([ask], Guidance(), offset, 100)
    assert lengths == [88_200]


@pytest.mark.parametrize(("beats", "looped"), [(16.0, 16.0), (10.0, 8.0), (3.0, 3.0)])
def test_chords_of_what_is_gone_on_from_are_kept_bar_by_bar(beats: float, looped: float) -> None:
    """Its whole bars, on their beats; not with a melody, with the parameter off, or for a model without chords."""
    takes = frozenset({"text", "tempo", "melody", "harmony"})
    placement, begun = StreamPlacement.on(Grid(48_000, 120.0), 192_000), region(beats / 2, 120)
    found = ask_at(LaneSettings(), placement, 30, 100, takes, begun=begun).harmony
    assert found is not None
    assert found.on_grid is not None
    assert (found.on_grid.beats, found.on_grid.bpm) == (looped, 120.0)
    assert found.audio is begun.audio
    for settings, able in (
        (LaneSettings().with_value("keep_harmony", 0.0), takes),
        (LaneSettings().with_region("melody", region(4, 120)), takes),
        (LaneSettings(), takes - {"harmony"}),
    ):
        assert ask_at(settings, placement, 30, 100, able, begun=begun).harmony is None
    assert ask_at(LaneSettings(), placement, 30, 100, takes).harmony is None


def test_what_a_lane_is_to_play_reaches_models_that_can_be_asked_for_it() -> None:
    placement = StreamPlacement.on(Grid(48_000, 120.0), 0)
    takes = frozenset({"instruments", "density", "section", "key"})
    plain = ask_at(LaneSettings(), placement, 0, 0, takes)
    assert (plain.instruments, plain.density, plain.section, plain.key) == (None, None, None, None)
    settings = LaneSettings()
    for name, value in (("instruments", 1 + 2 + 128), ("density", 0.25), ("section", 3), ("key", 21)):
        settings = settings.with_value(name, float(value))
    asked = ask_at(settings, placement, 0, 0, takes)
    assert asked.instruments == ("drums", "bass", "pads")
    assert (asked.density, asked.section, asked.key) == (0.25, "break", "A minor")
    other = ask_at(settings, placement, 0, 0, frozenset({"text"}))
    assert (other.instruments, other.density, other.section, other.key) == (None, None, None, None)
    for name in ("instruments", "density", "section", "key"):
        assert settings.depth(settings.with_value(name, 0.0)) is Depth.WINDOW


def test_the_table_says_instruments_and_sections_in_the_engine_s_order() -> None:
    said = PARAMETERS["instruments"].meaning
    assert [f"{1 << n} {name}" in said for n, name in enumerate(INSTRUMENTS)] == [True] * 8
    assert PARAMETERS["instruments"].high == 255
    said = PARAMETERS["section"].meaning
    assert [f"{n} {name}" in said for n, name in enumerate(SECTIONS)] == [True] * 7
    assert [key_of(number) for number in (0, 1, 11, 12, 23)] == [
        "C major", "C# major", "B major", "C minor", "B minor"]  # fmt: skip
    assert all(parse_key(key_of(number)) == (number % 12, key_of(number).split()[1]) for number in range(24))
