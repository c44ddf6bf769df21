"""What is measured of stems, against sounds whose figures are known: true stems, clicks off the beat, other keys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.ring.form import Audio
from plugin_host.takes.loudness import measure
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.stems import figures
from plugin_host.takes.stems.figures import Figures, key_agreement, measure_stem, pitch_classes
from plugin_host.takes.stems.lanes import KINDS, Lane, read_lanes
from plugin_host.takes.stems.level import SPREAD_DB, guarded_gain_db
from plugin_host.takes.stems.purity import shares
from plugin_host.takes.stems.rank import ranked, stem_score, variation_score
from plugin_host.takes.stems.sound import band_levels

TRUE = Path(__file__).parents[3] / "data" / "stems"  # see README.md there
PIECES = sorted({path.name.split("-")[0] for path in TRUE.glob("*.ogg")})
RATE = 48_000
DRUMS, KEYS = Lane("drums", "drums"), Lane("keys", "piano")


def sound(piece: str, kind: str) -> tuple[Audio, int]:
    return soundfile.read(TRUE / f"{piece}-{kind}.ogg", dtype="float32", always_2d=True)


def purity(audio: Audio, rate_hz: int, kind: str) -> float:
    return shares(band_levels(audio, rate_hz))[kind]


def test_a_true_stem_is_pure_and_the_full_mix_is_not() -> None:
    """Pieces that the weights were not fitted on; each mix is the control of its stems."""
    assert len(PIECES) == 4
    found = {(piece, kind): shares(band_levels(*sound(piece, kind))) for piece in PIECES for kind in (*KINDS, "mix")}
    stems = {(piece, kind): found[piece, kind][kind] for piece in PIECES for kind in KINDS}
    right = [share == max(found[piece, kind].values()) for (piece, kind), share in stems.items()]
    assert np.mean(list(stems.values())) > 0.85
    assert sum(right) >= 11, "of twelve stems that were never heard before"
    for (piece, kind), share in stems.items():
        assert share > found[piece, "mix"][kind]
        assert found[piece, "mix"][kind] < 0.75 or kind == "other", "a mix is no stem of drums or bass"


def test_purity_falls_as_another_instrument_is_mixed_in() -> None:
    """Drums with the other instruments 20 dB below, 6 below, 6 above and 20 above. Purity is no exact share of energy:
    a quiet tone beside drums counts for more than it has."""
    all_found = []
    for piece in PIECES:
        (drums, rate), (other, _) = sound(piece, "drums"), sound(piece, "other")
        found = [purity(drums + np.float32(10 ** (db / 20)) * other, rate, "drums") for db in (-20, -6, 6, 20)]
        assert found[0] > found[2]
        all_found.append(found)
    mean = np.mean(all_found, axis=0)
    assert list(mean) == sorted(mean, reverse=True)
    assert mean[0] > mean[3] + 0.3


def clicks(bpm: float, late_seconds: float, bars: int = 4, step_beats: float = 0.25) -> Audio:
    recipe_seconds = bars * 4 * 60 / bpm
    audio = np.zeros((round(recipe_seconds * RATE), 2), np.float32)
    rng = np.random.default_rng(4)
    for beat in np.arange(0, 4 * bars - 0.5, step_beats):
        at = round((beat * 60 / bpm + late_seconds) * RATE)
        n = min(2400, len(audio) - at)
        audio[at : at + n] += (rng.normal(0, 0.2, n) * np.exp(-np.arange(n) / 480)).astype(np.float32)[:, None]
    return audio


@pytest.mark.parametrize("late_ms", [-20.0, 0.0, 12.0, 30.0])
@pytest.mark.parametrize("bpm", [84.0, 137.5])
def test_attacks_are_found_where_they_are(bpm: float, late_ms: float) -> None:
    late, clarity = figures.beat_phase(np.roll(clicks(bpm, 0.0), round(late_ms / 1000 * RATE), axis=0), RATE, bpm)
    assert late == pytest.approx(late_ms, abs=3.0)
    assert clarity > 0.8


def test_attacks_of_another_tempo_lie_anywhere() -> None:
    assert figures.beat_phase(clicks(97.3, 0.0, 8), RATE, 120.0)[1] < 0.3


def tones(*semitones: int, seconds: float = 2.0) -> Audio:
    at = np.arange(round(seconds * RATE)) / RATE
    parts = [np.sin(2 * np.pi * 220 * 2 ** (each / 12) * at) for each in semitones]
    return (0.1 * np.sum(parts, axis=0)).astype(np.float32)[:, None].repeat(2, axis=1)


def test_a_stem_in_the_regions_key_fits_it_better_than_transposed() -> None:
    region = pitch_classes(np.concatenate([tones(0, 4, 7), tones(5, 9, 12), tones(7, 11, 14)]), RATE)
    same, far = (pitch_classes(np.concatenate([tones(by), tones(4 + by), tones(7 + by)]), RATE) for by in (0, 6))
    assert key_agreement(same, region) >= 0.9
    assert key_agreement(far, region) < 0.5
    assert np.isnan(key_agreement(np.zeros(12), region))


def test_level_is_that_of_the_standard_within_two_decibels() -> None:
    for piece in PIECES:
        for kind in ("drums", "other", "mix"):
            audio, rate = sound(piece, kind)
            standard = measure(audio.repeat(2, axis=1), rate)
            if standard is None:
                pytest.skip("libebur128 does not load here")
            assert figures.level_db(band_levels(audio, rate)) == pytest.approx(standard.lufs, abs=2.0)


def figures_of(audio: Audio, bpm: float = 120.0, bars: int = 4, lane: Lane = DRUMS) -> Figures:
    return measure_stem(audio, Recipe(bpm=bpm, bars=bars, rate_hz=RATE), lane, None)


def test_silent_and_repeated_bars_are_counted() -> None:
    bar = 2 * RATE
    rng = np.random.default_rng(1)
    different = [rng.normal(0, 0.1, (bar, 2)) * np.repeat(rng.random((16, 1)), bar // 16, axis=0) for _ in range(4)]
    assert figures_of(np.concatenate(different).astype(np.float32)).repeats == 0.0
    same = figures_of(np.concatenate([different[0], different[1], different[0], different[0]]).astype(np.float32))
    assert same.repeats == pytest.approx(2 / 3)
    rest = figures_of(np.concatenate([different[0], 0 * different[1], different[2], different[3]]).astype(np.float32))
    assert rest.silence == 0.25


def test_silence_has_a_level_and_no_other_figure() -> None:
    found = figures_of(np.zeros((8 * RATE, 2), np.float32))
    assert found.level_db < figures.SILENT_DB
    assert np.isnan([found.purity, found.late_ms, found.key, found.repeats]).all()
    assert stem_score(found, False) == 0.0


def test_no_stem_is_left_20_db_below_another() -> None:
    """Whatever the levels are, each stem beside those before it: all pairs end within 20 dB, if there is room."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        made: list[float] = []
        for level in rng.uniform(-45, -12, 4):
            gain, note = guarded_gain_db(level, level + 10, made)
            assert bool(note) == (gain != 0.0)
            made.append(level + gain)
        assert max(made) - min(made) <= SPREAD_DB + 1e-6


def test_silence_is_not_raised_and_peaks_stay_below_full_scale() -> None:
    assert guarded_gain_db(-80.0, -70.0, [-15.0]) == (0.0, "it is silent")
    gain, note = guarded_gain_db(-50.0, -3.0, [-15.0])
    assert gain == 2.0
    assert "missing" in note


def test_variations_are_in_the_order_of_their_figures() -> None:
    good = Figures(3.0, 0.8, 1.0, 0.9, -18.0, 0.0, 0.2)
    impure, late, silent = (
        Figures(3.0, 0.8, 1.0, 0.3, -18.0, 0.0, 0.2), Figures(45.0, 0.8, 1.0, 0.9, -18.0, 0.0, 0.2),
        Figures(np.nan, np.nan, np.nan, np.nan, -90.0, 1.0, np.nan),
    )  # fmt: skip
    scores = {number: variation_score([stem_score(good, False), stem_score(other, False)])
              for number, other in enumerate((silent, late, good, impure), 1)}  # fmt: skip
    assert ranked(scores)[0] == 3
    assert ranked(scores)[-1] == 1
    assert ranked({2: 0.5, 1: 0.5}) == [1, 2]


def test_lanes_are_read_with_words_of_their_own() -> None:
    lanes = read_lanes("drums, keys = electric piano ,bass")
    assert [(lane.name, lane.kind, lane.tonal) for lane in lanes] == [
        ("drums", "drums", False), ("keys", "other", True), ("bass", "bass", True)]  # fmt: skip
    assert lanes[1].words == "electric piano"
