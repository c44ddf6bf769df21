"""The due beat of a command: every word, too late, in loops, behind the host."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bridge.control.arguments import At
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from engine.serve.timeline.due import Due, advanced_samples, ahead_samples, due_at

RATE = 48_000
BEAT = RATE // 2  # at 120 bpm
MARGIN = BEAT // 2


def at_beat(beats: float, loop: tuple[float, float] | None = None, seek_id: int = 0, playing: bool = True) -> Transport:
    return Transport(playing, round(beats * BEAT), Grid(RATE), loop, seek_id)


@pytest.mark.parametrize(
    ("word", "here", "beats", "late"),
    [
        ("now", 4.25, 4.75, False),  # half a beat of margin
        ("beat", 4.25, 5, False),
        ("beat", 4.75, 6, True),  # beat 5 is too near
        ("bar", 4.25, 8, False),
        ("bar", 7.75, 12, True),
        ("bars 4", 4.25, 16, False),
        ("bars 4", 15.75, 32, True),
        ("bar 3", 4.25, 12, False),
        ("bar 3", 11.75, 16, True),  # too late for bar 3: the next one
        ("bar 3", 20.25, 24, True),
        (9.5, 4.25, 9.5, False),
        (9.5, 9.25, 10, True),
    ],
)
def test_the_place_that_is_meant(word: float | str, here: float, beats: float, late: bool) -> None:
    due = due_at(At.read(word), at_beat(here), MARGIN)
    assert (due.beats, due.late) == (Fraction(beats), late)
    assert ahead_samples(due, at_beat(here)) == round((beats - here) * BEAT)


def test_a_host_that_stands_is_never_too_near() -> None:
    standing = at_beat(8.0, playing=False)
    assert due_at(At.read("bar"), standing, MARGIN) == Due(Fraction(8))
    assert due_at(At.read("now"), standing, MARGIN) == Due(Fraction(8))


def test_bars_of_seven_eighths() -> None:
    grid = Grid(RATE, 120.0, Signature(7, 8), bar_origin_beats=1.0)
    transport = Transport(True, BEAT * 2, grid)
    assert due_at(At.read("bar"), transport, MARGIN).beats == Fraction(9, 2)
    assert due_at(At.read("bars 2"), transport, MARGIN).beats == 8


LOOP = (4.0, 12.0)  # bars 1 and 2


@pytest.mark.parametrize(
    ("word", "here", "beats", "late", "ahead"),
    [
        ("bar", 5.0, 8, False, 3),
        ("bar", 9.0, 4, False, 3),  # the line at the loop's end is the one at its start
        ("beat", 11.75, 5, True, 1.25),
        ("bar 1", 9.0, 4, False, 3),  # the next time the host gets there
        ("bar 2", 7.75, 8, True, 8.25),  # too near: the next pass
        ("bar 5", 9.0, 20, False, None),  # behind the loop's end: it waits
        ("bars 2", 9.0, 8, False, 7),
        ("bars 8", 9.0, 4, False, 3),  # the loop has none: its start
        ("now", 11.75, 4.25, False, 0.5),
        ("bar 0", 9.0, 4, True, 3),  # before the loop: the host does not reach it
        (4.5, 9.0, 4.5, False, 3.5),
    ],
)
def test_in_a_loop(word: float | str, here: float, beats: float, late: bool, ahead: float | None) -> None:
    transport = at_beat(here, LOOP, seek_id=7)
    due = due_at(At.read(word), transport, MARGIN)
    assert (due.beats, due.late) == (Fraction(beats), late)
    samples = ahead_samples(due, transport)
    assert samples == (None if ahead is None else round(ahead * BEAT))


def test_a_place_in_the_pass_after_the_next() -> None:
    loop = (0.0, 1.0)  # shorter than the requested bars
    transport = at_beat(0.9, loop)
    due = due_at(At.read("beat"), transport, 2 * BEAT)
    assert ahead_samples(due, transport) == round(2.1 * BEAT)
    later = at_beat(0.5, loop, seek_id=2)
    assert ahead_samples(due, later) == BEAT // 2
    assert ahead_samples(due, at_beat(1.5)) is None


def test_behind_the_host_there_is_no_distance() -> None:
    assert ahead_samples(Due(Fraction(4)), at_beat(5)) is None
    assert ahead_samples(Due(Fraction(4)), at_beat(4)) == 0


@pytest.mark.parametrize(
    ("before", "now", "beats"),
    [
        (at_beat(1), at_beat(1.5), 0.5),
        (at_beat(1), at_beat(0.5), None),
        (at_beat(11, LOOP), at_beat(4.5, LOOP, 1), 1.5),
        (at_beat(11, LOOP), at_beat(4.5, LOOP, 2), 9.5),  # a whole pass between two looks
        (at_beat(11, LOOP), at_beat(8, LOOP, 1), None),  # not from the loop's start on: a jump
        (at_beat(1), at_beat(9, None, 1), None),
    ],
)
def test_how_far_a_host_went_on(before: Transport, now: Transport, beats: float | None) -> None:
    assert advanced_samples(before, now) == (None if beats is None else round(beats * BEAT))
