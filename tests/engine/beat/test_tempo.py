"""Tempo detection: eight rhythms at thirteen tempos, with and without the song's tempo; tails and padding."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from beat_rig import RATE_HZ, Audio
from rhythms_rig import COMPOUND, RHYTHMS, TEMPI, loop

from engine.beat import onsets
from engine.beat.analyse import RegionBeat, analyse, analyse_apart
from engine.beat.tempo import Tempo, find_tempo

NOTHING = Tempo(0.0, 0.0, 0.0)


@lru_cache
def detected() -> list[tuple[str, int, Tempo, Tempo]]:
    """The detected tempo of each rhythm and tempo, without a hint and with the song's tempo as one."""
    found = []
    for number, (name, bpm) in enumerate((name, bpm) for name in RHYTHMS for bpm in TEMPI):
        audio = loop(RHYTHMS[name], bpm, seed=number, bass=number % 3 == 0)
        banded, seconds = onsets.banded(audio), len(audio) / RATE_HZ
        plain, hinted = (find_tempo(banded, seconds, hint_bpm=hint) or NOTHING for hint in (0.0, float(bpm)))
        found.append((name, bpm, plain, hinted))
    return found


def is_right(found: Tempo | RegionBeat, bpm: float) -> bool:
    return abs(found.bpm / bpm - 1.0) < 0.005


def test_with_the_songs_tempo_as_hint_no_rhythm_is_stretched_away():
    assert not [(name, bpm, hinted) for name, bpm, _, hinted in detected() if not is_right(hinted, bpm)]


def test_nine_in_ten_are_right_without_a_hint():
    wrong = [(name, bpm, plain) for name, bpm, plain, _ in detected() if not is_right(plain, bpm)]
    assert len(wrong) <= 0.1 * len(detected()), wrong


def test_what_is_surest_is_right_and_what_is_wrong_names_the_right_one_as_a_rival():
    for name, bpm, plain, _ in detected():
        if not is_right(plain, bpm):
            assert plain.confidence < 0.9, (name, bpm)
            assert [rival for rival in plain.rivals if abs(rival / bpm - 1.0) < 0.005], (name, bpm)


@pytest.mark.parametrize("bpm", [72, 100, 140])
@pytest.mark.parametrize("beats_per_bar", [3.0, 4.0])
def test_six_eight_as_hosts_count_it(bpm, beats_per_bar):
    audio = loop(COMPOUND, bpm, beats_per_bar=3.0)
    assert is_right(analyse(audio, beats_per_bar=beats_per_bar, hint_bpm=bpm), bpm)
    if beats_per_bar == 3.0:
        assert is_right(analyse(audio, beats_per_bar=3.0), bpm)


@pytest.mark.parametrize(("name", "bpm"), [("triplet", 100), ("swing", 128)])
def test_ternary_rhythm_is_not_taken_for_straight_at_three_quarters_of_its_tempo(name, bpm):
    audio = loop(RHYTHMS[name], bpm)
    for hint in (0.0, bpm, bpm * 1.13):
        assert is_right(analyse(audio, hint_bpm=hint), bpm)


def test_a_tempo_at_a_simple_ratio_of_the_songs_is_the_songs_where_that_explains_the_onsets():
    audio = loop(RHYTHMS["swing"], 128, bars=3)[: round(9.2 * 60 / 128 * RATE_HZ)]  # not cut on a bar line
    found = analyse(audio, hint_bpm=96.0)
    assert is_right(found, 96.0)
    assert found.bpm_sure < 0.5  # low certainty, and the detected tempo is named
    assert found.rivals[0] == pytest.approx(128, rel=0.005)


def test_straight_bars_that_do_not_fit_the_song_keep_their_tempo():
    found = analyse(loop(RHYTHMS["straight"], 90, bars=4), hint_bpm=120.0)
    assert found.bpm == pytest.approx(90, rel=0.001)
    assert analyse(loop(RHYTHMS["straight"], 110), hint_bpm=97.0).bpm == pytest.approx(110, rel=0.001)


@pytest.mark.parametrize("hint", [0.0, 120.0])
@pytest.mark.parametrize(("before", "behind", "tail"), [(0.0, 0.4, 0.8), (0.0, 0.09, 0.18), (0.025, 0.03, 0.06)])
def test_what_lies_behind_the_last_bar_is_a_tail(before, behind, tail, hint):
    audio = np.concatenate([silence(before), loop(RHYTHMS["straight"], 120, bars=2), ringing(behind)])
    found = analyse(audio, hint_bpm=hint)
    assert found.bpm == pytest.approx(120, rel=0.003)
    assert found.first_beat == pytest.approx(before * 2, abs=0.03)
    if not before:
        assert found.first_bar == 0.0
    assert found.beats == pytest.approx(8 + 2 * (before + behind), abs=0.03)
    assert found.tail_beats == pytest.approx(tail, abs=0.05)


def silence(seconds: float) -> Audio:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def ringing(seconds: float) -> Audio:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.05 * np.sin(2 * np.pi * 220 * t) * np.exp(-4 * t)).astype(np.float32)


def test_a_process_of_its_own_is_reported_the_hint_as_well():
    audio = loop(RHYTHMS["half-time"], 160, bars=2)
    for hint in (80.0, 160.0):
        found = analyse_apart(audio, 0.0, 4.0, hurry=True, hint_bpm=hint)
        assert found == analyse(audio, hint_bpm=hint)
        assert is_right(found, hint)


@pytest.mark.parametrize("tones_hz", [(98.0,), (220.0,), (220.0, 277.0, 330.0)])
def test_steady_tones_have_no_tempo(tones_hz: tuple[float, ...]) -> None:
    seconds = np.arange(10 * RATE_HZ) / RATE_HZ
    audio = sum(np.sin(2 * np.pi * tone * seconds) for tone in tones_hz) * 0.1
    assert analyse(audio.astype(np.float32)).bpm == 0.0
