"""Training material in parts: what is composed, which parts are heard, how they are labelled, what is never read."""

import io
import random
import re
from pathlib import Path

import mido
import numpy as np
import pytest

from engine.conditions.arrangement import INSTRUMENTS, SECTIONS
from engine.train.captions import caption
from engine.train.genres import BY_NAME, GENRES
from engine.train.parts import corpus, hits, part_set
from engine.train.parts.arrange import STEMS, Arranger, arrange, instrument_of, word_for
from engine.train.parts.effects import CHAINS, process
from engine.train.parts.grooves import Groove
from engine.train.parts.stems import Stem
from engine.train.parts.synth import draw_patch, play_patch
from engine.train.parts.views import View, activity, choose, context_sound, density, sound_of
from engine.train.render import SAMPLE_RATE_HZ

CARD = Path(__file__).parents[3] / "engine" / "models" / "embedded" / "MODEL_CARD.md"
SECONDS = 8
N = SECONDS * SAMPLE_RATE_HZ
FRAMES = SECONDS * 50


def stem(name: str, instrument: str, hz: float, onsets: int = 16) -> Stem:
    audio = (0.1 * np.sin(2 * np.pi * hz * np.arange(N) / SAMPLE_RATE_HZ)).astype(np.float32)
    return Stem(name, instrument, instrument, audio, np.arange(onsets) * SECONDS / onsets)


BAND = [stem("drums", "drums", 3000.0, 32), stem("bass", "bass", 60.0), stem("chords", "keys", 500.0, 8),
        stem("melody", "winds", 900.0, 12)]  # fmt: skip


def level_at(audio: np.ndarray, hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    at = round(hz * len(audio) / SAMPLE_RATE_HZ)
    return float(20 * np.log10(spectrum[at - 2 : at + 3].max() / spectrum.max() + 1e-9))


@pytest.mark.parametrize("name", [genre.name for genre in GENRES])
def test_every_style_has_all_stems_and_whole_sections(name: str) -> None:
    made = Arranger(random.Random(3), BY_NAME[name], 110.0, 16).arrange()
    assert {note.stem for note in made.piece.notes} == set(STEMS)
    ends = [section.first_bar + section.n_bars for section in made.sections]
    assert [section.first_bar for section in made.sections] == [0, *ends[:-1]]
    assert ends[-1] == 16
    assert {section.name for section in made.sections} <= set(SECTIONS)


def test_seed_decides_an_arrangement() -> None:
    assert arrange(5) == arrange(5)
    assert arrange(5).piece.notes != arrange(6).piece.notes


def test_drums_are_seldom_the_same_twice() -> None:
    bars = {tuple(sorted({(hit.beat, hit.key) for hit in Groove(random.Random(seed), BY_NAME["rock"]).core}))
            for seed in range(200)}  # fmt: skip
    assert len(bars) > 120


def test_sections_differ_in_density_and_force() -> None:
    """Breaks have fewer drum strokes than choruses, which are struck harder."""
    counts: dict[str, list[float]] = {"break": [], "chorus": []}
    forces: dict[str, list[float]] = {"break": [], "chorus": []}
    for seed in range(40):
        made = arrange(seed, 60.0)
        for section in made.sections:
            if section.name in counts:
                beats = made.piece.beats_per_bar
                low, high = section.first_bar * beats, (section.first_bar + section.n_bars) * beats
                struck = [n for n in made.piece.notes if n.stem == "drums" and low <= n.start_beats < high]
                counts[section.name].append(len(struck) / section.n_bars)
                forces[section.name] += [note.velocity for note in struck]
    assert np.mean(counts["break"]) < 0.8 * np.mean(counts["chorus"])
    assert np.mean(forces["break"]) < 0.9 * np.mean(forces["chorus"])


def test_every_program_has_a_class_and_a_word() -> None:
    assert {instrument_of("", program) for program in range(128)} == set(INSTRUMENTS) - {"drums"}
    assert all(word_for(program) for program in range(128))
    assert [instrument_of("", p) for p in (0, 25, 33, 40, 56, 73, 81, 89)] == [
        "keys", "guitar", "bass", "strings", "winds", "winds", "lead", "pads"]  # fmt: skip
    assert instrument_of("bass", 81) == "bass"
    assert instrument_of("drums", 0) == "drums"


def test_views_are_alone_together_and_all_but_one() -> None:
    views = [choose(random.Random(seed), BAND, 2.0) for seed in range(300)]
    sizes = [len(view.targets) for view in views]
    assert set(sizes) == {1, 2, 3, 4}
    alone = [view.targets[0].instrument for view in views if len(view.targets) == 1]
    assert set(alone) == {"drums", "bass", "keys", "winds"}
    assert alone.count("drums") > len(alone) / 3
    assert any(view.context for view in views)
    for view in views:
        assert not {s.name for s in view.targets} & {s.name for s in view.context}
        assert view.heard.any(axis=0).all(), "somebody always plays"
    assert any(not view.heard.all() for view in views), "some come in and go out on the way"


def test_a_view_sounds_of_its_targets_alone() -> None:
    view = View((BAND[1],), (BAND[2], BAND[3]), np.ones((1, FRAMES), bool))
    mix, beside = sound_of(view, random.Random(1)), context_sound(view, random.Random(1))
    assert beside is not None
    assert level_at(mix, 60.0) > -1 > -30 > max(level_at(mix, 500.0), level_at(mix, 900.0))
    assert level_at(beside, 60.0) < -30 < -12 < level_at(beside, 900.0)
    assert context_sound(View((BAND[1],), (), view.heard), random.Random(1)) is None


def test_labels_say_which_instruments_play_when() -> None:
    heard = np.ones((2, FRAMES), bool)
    heard[1, : FRAMES // 2] = False
    view = View((BAND[0], BAND[2]), (), heard)
    playing = activity(view)
    assert playing[INSTRUMENTS.index("drums")].all()
    keys = playing[INSTRUMENTS.index("keys")]
    assert keys[FRAMES // 2 :].all()
    assert not keys[: FRAMES // 2 - 80].any()
    assert not playing[INSTRUMENTS.index("bass")].any()
    dense = density(view)
    assert dense.shape == (FRAMES,)
    assert dense[FRAMES // 2] == pytest.approx(np.log2(1 + 4) / np.log2(33), abs=0.12)  # 4 strokes a second
    recorded = Stem("melody", "guitar", "guitar", BAND[0].audio)
    assert np.isnan(density(View((recorded,), (), heard[:1]))).all(), "its notes are not known"


@pytest.mark.parametrize("name", ["drums", "bass", "other"])
def test_effects_keep_length_and_level(name: str) -> None:
    assert name in CHAINS
    for seed in range(12):
        out = process(random.Random(seed), BAND[2].audio, name, 120.0)
        assert out.shape == (N,)
        assert np.isfinite(out).all()
        assert np.sqrt(np.mean(out**2)) == pytest.approx(0.0707, rel=0.02)
    silent = np.zeros(N, np.float32)
    assert process(random.Random(0), silent, name, 120.0) is silent


@pytest.mark.parametrize("name", ["bass", "melody", "chords", "pad", "riff"])
def test_patches_sound_at_the_pitch_of_their_notes(name: str) -> None:
    notes = [note for note in arrange(4, 8.0).piece.notes if note.stem == name]
    for seed in range(6):
        out = play_patch(notes, 120.0, draw_patch(random.Random(seed), name), N)
        assert np.isfinite(out).all()
        assert np.abs(out).max() > 0.05


def test_synthesised_drums_need_no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hits, "SONIC_PI", tmp_path / "none")
    notes = [note for note in arrange(9, 8.0).piece.notes if note.stem == "drums"]
    out = hits.play_hits(notes, 120.0, random.Random(0), N)
    assert np.isfinite(out).all()
    assert np.sqrt(np.mean(out**2)) > 0.01


@pytest.mark.parametrize("name", [*(f"loop_{each}" for each in hits.HELD_OUT_LOOPS), "tabla_ghe1", "loop_amen_full"])
def test_held_out_recordings_are_never_read(name: str) -> None:
    with pytest.raises(ValueError, match="held out for evaluation"):
        hits.read_sample(name)
    used = {*(each for names in hits.SHOTS.values() for each in names), *(loop for loop, _ in corpus.LOOPS)}
    assert name not in used


def song(tempos: tuple[int, ...] = (500000,), off_grid: float = 0.0) -> bytes:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    for index, tempo in enumerate(tempos):
        track.append(mido.MetaMessage("set_tempo", tempo=tempo, time=960 if index else 0))
    track.append(mido.Message("program_change", channel=0, program=33))
    for index in range(120):
        channel = 9 if index % 2 else 0
        track.append(mido.Message("note_on", channel=channel, note=36, velocity=90, time=int(120 + off_grid * 61)))
        track.append(mido.Message("note_off", channel=channel, note=36, time=0))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def test_a_written_song_is_read_by_channel() -> None:
    read = corpus.read_midi(song(), "a song")
    assert read is not None
    assert (read.bpm, read.on_grid, read.programs[0]) == (120.0, True, 33)
    assert {channel: len(notes) for channel, notes in read.notes.items()} == {0: 60, 9: 60}
    assert corpus.read_midi(song((500000, 400000)), "its tempo changes") is None
    loose = corpus.read_midi(song(off_grid=1.0), "off the grid")
    assert loose is not None
    assert not loose.on_grid, "its tempo is not believed"


def test_captions_of_a_view_name_its_parts() -> None:
    facts = {"genre": "house", "bpm": 124.0, "beats_per_bar": 4, "tonic": 9, "mode": "minor", "words": ["drums"],
             "instruments": ["drums"], "missing": ["bass", "keys"], "labelled": True}  # fmt: skip
    texts = [caption(facts, random.Random(seed)) for seed in range(200)]
    assert sum(bool(re.search(r"drum|percussion|beat", text)) for text in texts) > 160
    assert any("without bass" in text or "no bass" in text for text in texts)
    unknown = {**facts, "genre": None, "bpm": None, "tonic": None, "mode": None}
    assert all(caption(unknown, random.Random(seed)) for seed in range(50))


def test_sections_are_labelled_frame_by_frame() -> None:
    made = arrange(2, 40.0)
    labels = part_set.sections_of(made)
    per_bar = made.piece.beats_per_bar * 60 / made.piece.bpm * 50
    for section in made.sections:
        middle = round((section.first_bar + section.n_bars / 2) * per_bar)
        assert SECTIONS[labels[middle]] == section.name


def test_the_card_lists_every_source() -> None:
    """Whatever package material is read from stands in the model card with its licence."""
    card = CARD.read_text()
    for source, licence in (
        ("fluid-soundfont-gm", "MIT"), ("musescore-general-soundfont-small", "MIT"), ("freedoom", "BSD"),
        ("fretsonfire-songs-sectoid", "MIT"), ("sonic-pi-samples", "CC0"),
    ):  # fmt: skip
        lines = [line for line in card.splitlines() if source in line and line.startswith("|")]
        assert lines, f"{source} is missing"
        assert any(licence in line for line in lines)
