"""Features of music, as plain arithmetic: chroma, onsets, likeness, loudness."""

from __future__ import annotations

import numpy as np
import pytest

from plugin_host.jam.listening.features import chroma, onset_envelope, similarity
from plugin_host.jam.listening.history import History
from plugin_host.jam.listening.level import levelled, loudness_lufs
from plugin_host.takes.loudness import measure
from tests.plugin_host.jam.players import RATE, player


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None]


@pytest.mark.parametrize(("hz", "pitch_class"), [(220.0, 0), (261.63, 3), (880.0, 0), (370.0, 9)])
def test_chroma_names_the_pitch_class(hz: float, pitch_class: int) -> None:
    rows = chroma(tone(hz), RATE)
    assert rows.shape == (50, 12)
    assert (rows[5:-5].argmax(axis=1) == pitch_class).all()


def test_onsets_are_where_tones_begin() -> None:
    sound = np.concatenate([tone(220, 0.5), tone(330, 0.5), tone(440, 0.5)])
    rises = onset_envelope(sound, RATE)
    assert sorted(np.argsort(rises)[-2:]) == pytest.approx([25, 50], abs=1)


def test_likeness_orders_music() -> None:
    rock, lofi = (player(name, 6)[:, None] for name in ("rock", "lofi"))
    late = np.concatenate([np.zeros((960, 1), np.float32), rock])[: len(rock)]
    assert similarity(rock, rock, RATE) == pytest.approx(1.0, abs=0.02)
    assert similarity(rock, 0.1 * late, RATE) > 0.9
    assert similarity(rock, lofi, RATE) < 0.6
    assert similarity(rock, np.zeros_like(rock), RATE) == 0.0


@pytest.mark.parametrize("name", ["funk", "rock"])
def test_loudness_is_that_of_libebur128(name: str) -> None:
    sound = np.repeat(player(name, 4)[:, None], 2, axis=1)
    wanted = measure(sound, RATE)
    if wanted is None:
        pytest.skip("pyebur128 is not installed")
    assert loudness_lufs(sound, RATE) == pytest.approx(wanted.lufs, abs=0.05)


def test_level_is_matched_by_one_gain() -> None:
    sound = player("funk", 4)[:, None]
    for gain in (0.05, 0.5):
        found = levelled(gain * sound, RATE, -20.0)
        assert loudness_lufs(found.audio, RATE) == pytest.approx(-20.0, abs=0.01)
        assert np.allclose(found.audio, gain * sound * 10 ** (found.gain_db / 20))
    assert np.abs(levelled(sound, RATE, 0.0).audio).max() == pytest.approx(10 ** (-1 / 20), rel=1e-4)
    assert levelled(0 * sound, RATE).gain_db == 0.0
    assert loudness_lufs(sound[:100], RATE) is None


def test_history_gives_what_was_added() -> None:
    whole = np.random.default_rng(0).standard_normal((5000, 2)).astype(np.float32)
    kept = History(1000, 2)
    for at in range(0, 5000, 250):
        kept.add(whole[at : at + 250])
        start = max(at - 700, 0)
        assert np.array_equal(kept.span(start, at + 250), whole[start : at + 250])
    assert not History(10, 2).span(-5, 0).any()
    with pytest.raises(ValueError, match="of a stream that has 5000"):
        kept.span(4000, 5001)
