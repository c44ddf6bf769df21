"""Where the music of a region ends."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bridge.region.tail import length_in, length_of, tail_words


@pytest.mark.parametrize(
    ("beats", "bar", "start", "music"),
    [
        (8, 4, 0, 8),
        (8.8, 4, 0, 8),  # 0.4 s at 120
        (8.99, 4, 0, 9),  # cut a little short
        (9, 4, 0, 9),
        (6.8, 4, 0, 6),
        (15.95, 4, 0, 16),
        (3.6, 3.5, 0, 3.5),
        (2.5, 4, 0, 2),
        (0.7, 4, 0, 0.7),
        (16.8, 4, 8, 16),  # where it lies
        (14.8, 4, 10, 14),
        (14, 4, 8, 14),
    ],
)
def test_what_lies_behind_bars_or_beats_is_a_tail(beats: float, bar: float, start: float, music: float) -> None:
    length = length_in(beats, 120, bar, start)
    assert length.beats == Fraction(str(music))
    assert float(length.tail - length.missing) == pytest.approx(beats - music)


def test_a_whole_beat_behind_the_bars_is_a_tail_where_it_is_quiet() -> None:
    rate = 8000
    loud = np.random.default_rng(1).normal(0, 0.2, (9 * rate // 2, 1)).astype(np.float32)
    fading = loud.copy()
    fading[8 * rate // 2 :] *= 0.05
    assert length_of(loud, rate, 120, 4).beats == 9
    assert length_of(fading, rate, 120, 4).beats == 8


def test_a_tail_in_words() -> None:
    """The text of a tail; empty if it is no longer than an inexact cut."""
    assert tail_words(length_in(8.8, 120, 4), 120, "cut") == "the last 0.40 s, behind 8 beats, are a tail: cut"
    assert tail_words(length_in(8.02, 120, 4), 120, "cut") == ""
