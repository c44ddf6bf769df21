"""The embedded model stays within the chords of its audio prompt if there is no melody."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine import MusicGen
from engine.beat.key import pitch_classes
from engine.conditions.cache import WhileItLives
from engine.conditions.frames import MELODY_COLUMNS, chroma_frames, harmony_frames
from engine.conditions.scale import outside_scale
from engine.core.guidance import Guidance
from engine.model import Ask, FrameGrid, LoadedModel, OnGrid, Reference
from engine.models.load import load_model
from engine.serve.lane_settings import CONTINUE, MELODY, LaneSettings, ReferenceAudio
from engine.serve.timeline.placement import prepare

RATE, BPM = 32_000, 120.0
CHORDS = ((6, 10, 1), (11, 3, 6), (1, 5, 8), (6, 10, 1))  # F# major, B major, C# major: a bar each
SCALE = [6, 8, 10, 11, 1, 3, 5]


def song() -> Tensor:
    """Four bars of plucked chords in F# major [1, n]."""
    beat = np.arange(RATE // 2) / RATE
    bars = []
    for chord in CHORDS:
        tones = [np.sin(2 * np.pi * 261.63 * 2 ** (note / 12) * octave * beat) for note in chord for octave in (0.5, 1)]
        bars.append(np.tile(np.sum(tones, axis=0) * np.exp(-4 * beat) * 0.05, 4))
    return torch.from_numpy(np.concatenate(bars).astype(np.float32))[None]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model("embedded", "cpu")


def melody_columns(model: LoadedModel, ask: Ask, offset: int = 0, count: int = 800) -> Tensor:
    frames = model.conditioner([ask], Guidance(), offset, count)[0][0].frames
    assert frames is not None
    return frames[0, :, MELODY_COLUMNS]


def test_its_whole_bars_are_used_round_and_round(model: LoadedModel) -> None:
    given = Reference(song(), on_grid=OnGrid(0.0, 16.0, BPM))
    columns = melody_columns(model, Ask(grid=FrameGrid(BPM), harmony=given), 0, 800)
    assert bool((columns[:, 24] == 1).all())
    for frame in range(30, 800, 50):  # a bar is 100 frames
        chord = CHORDS[frame // 100 % 4]
        assert set(columns[frame, :12].topk(3).indices.tolist()) == set(chord)
    assert torch.equal(columns[:400], columns[400:])
    assert torch.equal(melody_columns(model, Ask(grid=FrameGrid(BPM), harmony=given), 250, 100), columns[250:350])


def test_a_melody_comes_first_and_without_either_nothing_is_given(model: LoadedModel) -> None:
    given = Reference(song(), on_grid=OnGrid(0.0, 16.0, BPM))
    melody = Reference(song().flip(1), on_grid=OnGrid(0.0, 16.0, BPM))
    both = melody_columns(model, Ask(grid=FrameGrid(BPM), harmony=given, melody=melody))
    assert torch.equal(both, melody_columns(model, Ask(grid=FrameGrid(BPM), melody=melody)))
    assert not melody_columns(model, Ask(grid=FrameGrid(BPM))).any()


def test_silence_has_no_chords() -> None:
    assert not harmony_frames(torch.zeros(RATE)).any()
    assert harmony_frames(torch.zeros(700)).shape == (2, 12)


def test_what_is_outside_the_key_is_kept_away_from(model: LoadedModel) -> None:
    """The null row, which guidance leads away from, has the tones outside the key; the conditional row does not."""
    given = Reference(song(), on_grid=OnGrid(0.0, 16.0, BPM))
    strange = outside_scale(song()[0])
    assert set(strange.nonzero().flatten().tolist()) == set(range(12)) - set(SCALE)
    ask = Ask(grid=FrameGrid(BPM), harmony=given)
    frames = model.conditioner([ask], Guidance(), 0, 100)[0][0].frames
    assert frames is not None
    led_to, away_from = frames[0, :, MELODY_COLUMNS], frames[-1, :, MELODY_COLUMNS]
    assert strange.max() == 1.0, "that key is sure"
    assert not led_to[:, :12][:, strange == 1.0].any()
    torch.testing.assert_close(away_from[:, :12], strange.expand(100, -1))
    assert not away_from[:, 12:24].any()
    again = tuple(replace(part, frames=part.frames.clone()) for part in model.conditioner([ask], Guidance(), 0, 100)[0])
    model.conditioner.retime(again, ask, 0, 40)
    torch.testing.assert_close(again[0].frames[:, :, MELODY_COLUMNS], frames[:, :, MELODY_COLUMNS])
    melody = model.conditioner([Ask(grid=FrameGrid(BPM), harmony=given, melody=given)], Guidance(), 0, 100)[0][0].frames
    assert not melody[-1, :, MELODY_COLUMNS].any()


def test_nothing_is_outside_the_key_of_silence() -> None:
    assert not outside_scale(torch.zeros(2 * RATE)).any()


def test_a_song_in_f_sharp_goes_on_in_f_sharp() -> None:
    """The share of tonal sound in six seconds; by chance seven twelfths."""
    player = MusicGen.get_pretrained("embedded", device="cpu")

    def on_scale(keep: bool) -> float:
        player.set_generation_params(duration=14.0, bpm=BPM, keep_harmony=keep)
        audio = player.generate_continuation(song()[None], RATE, seed=3)
        after = audio[0, 0, song().shape[1] :].numpy().astype(np.float64)
        classes = pitch_classes(after).sum(axis=0)
        return float(classes[SCALE].sum() / classes.sum())

    kept = on_scale(True)
    assert kept > 0.66
    assert kept > on_scale(False)


def test_long_music_is_analysed_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = chroma_frames(song()[0])
    monkeypatch.setattr("engine.conditions.frames.FRAMES_AT_ONCE", 37)
    torch.testing.assert_close(chroma_frames(song()[0]), whole, atol=1e-5, rtol=0)


def test_what_takes_long_is_prepared_and_not_computed_again(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Analysing ten minutes of chords would stop every lane: another thread does it."""
    begun, melody = song(), song().flip(1)
    settings = LaneSettings().with_region(CONTINUE, ReferenceAudio(begun, BPM, 0.0))
    prepare(model, settings.with_region(MELODY, ReferenceAudio(melody, BPM, 0.0)))

    def never(*given: object) -> Tensor:
        raise AssertionError("computed again")

    for name in ("chroma_frames", "harmony_frames", "outside_scale"):
        monkeypatch.setattr(f"engine.conditions.embedded.{name}", never)
    melody_columns(model, Ask(grid=FrameGrid(BPM), harmony=Reference(begun)), 0, 50)
    melody_columns(model, Ask(grid=FrameGrid(BPM), melody=Reference(melody)), 0, 50)


def test_results_go_with_the_audio_that_they_are_of() -> None:
    kept, audio = WhileItLives(), song()
    assert kept(audio, "sum", lambda: 1) == 1
    assert kept(audio, "sum", lambda: 2) == 1
    assert kept(audio, "other", lambda: 3) == 3
    assert len(kept) == 2
    del audio
    gc.collect()
    assert len(kept) == 0
    assert kept(song(), "sum", lambda: 4) == 4
