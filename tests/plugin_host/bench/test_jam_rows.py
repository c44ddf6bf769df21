"""Rows of the jam bench, and its room."""

from __future__ import annotations

import numpy as np

from plugin_host.bench.jam.room import RoomFilter, direct_path, room_path
from plugin_host.bench.jam.rows import JamRow


def test_a_row_says_what_was_reached_and_of_what() -> None:
    assert JamRow("a", 22.5, "dB", 20).text.split() == ["a", "reached", "22.5", "of", "20", "dB"]
    assert JamRow("a", 19.9, "dB", 20).text.endswith("MISSED")
    assert JamRow("a", 1, "", 0, most=True).text.split() == ["a", "reached", "1", "of", "at", "most", "0", "MISSED"]
    assert JamRow("a", 0, "", 0, most=True).met
    assert not JamRow("a", float("nan"), "", 1, most=True).met
    assert JamRow("a", 3).text.split() == ["a", "3"]


def test_the_room_is_the_same_in_any_blocks() -> None:
    way = room_path(8000, 0.03, -12.0, 0.1)
    sound = np.random.default_rng(3).uniform(-0.5, 0.5, (6000, 2)).astype(np.float32)
    wanted = np.convolve(sound.mean(axis=1, dtype=np.float64), way)[: len(sound)]
    for block in (128, 1000):
        room = RoomFilter(way, 1024)
        out = np.concatenate([room.filtered(sound[at : at + block]) for at in range(0, len(sound), block)])
        np.testing.assert_allclose(out[:, 0], wanted, atol=1e-6)
    assert not wanted[:100].any(), "nothing comes before the delay"
    assert abs(10 * np.log10(np.square(way).sum()) + 12.0) < 1e-9


def test_a_direct_path_is_a_delay_and_a_level() -> None:
    sound = np.random.default_rng(3).uniform(-0.5, 0.5, (1000, 2)).astype(np.float32)
    out = RoomFilter(direct_path(8000, 0.03, -12.0), 1024).filtered(sound)[:, 0]
    wanted = 10 ** (-12 / 20) * sound.mean(axis=1)[:-240]
    assert abs(out[:240]).max() < 1e-6
    np.testing.assert_allclose(out[240:], wanted, atol=1e-6)
