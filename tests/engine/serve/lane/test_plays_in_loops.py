"""Plays in a host's loop: each begins on its bar, in the pass that is meant, and ends with its bars."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from lane_rig import RATE, RigHost

from bridge.control.arguments import At
from bridge.time.transport import Grid, Transport

BAR = RATE  # samples, at 240 in 4/4
FIRST, LOOPED = 4, 4  # the loop's first bar, and how many
LOOP = (4.0 * FIRST, 4.0 * (FIRST + LOOPED))


@pytest.fixture
def host():
    made = RigHost()
    made.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 7))
    made.transport = Transport(True, FIRST * BAR, Grid(RATE, 240.0), LOOP, 3)
    made.publish()
    yield made
    made.close()


def play_on(host: RigHost, n_samples: int) -> np.ndarray:
    """Play on, through the loop's end."""
    parts, end = [], (FIRST + LOOPED) * BAR
    while n_samples:
        parts.append(host.render(min(n_samples, end - host.transport.position_samples)))
        n_samples -= len(parts[-1])
        if host.transport.position_samples == end:
            host.transport = replace(host.transport, position_samples=FIRST * BAR, seek_id=host.transport.seek_id + 1)
            host.settle()
    return np.concatenate(parts)


def bars(sound: np.ndarray) -> str:
    """A letter for each bar: S all of it is music, - none, ? a part."""
    there = np.isfinite(sound[:, 0]).reshape(-1, BAR)
    return "".join("S" if bar.all() else "?" if bar.any() else "-" for bar in there)


@pytest.mark.parametrize(
    ("turn", "wanted"),
    [
        (1, "-S-S-S-S"),
        (2, "--SS--SS"),  # ends where the loop ends
        (4, "----SSSS----S"),  # is ordered in the pass before
    ],
)
def test_turns_in_a_loop(host: RigHost, turn: int, wanted: str) -> None:
    sound = []
    for bar in range(len(wanted)):
        sound.append(play_on(host, BAR // 2))
        if bar % (2 * turn) == turn - 1:  # half a bar before its turn
            host.play(At("bar", bar=FIRST + (bar + 1) % LOOPED), bars=turn)
            host.settle()
        sound.append(play_on(host, BAR // 2))
    assert bars(np.concatenate(sound)) == wanted
    assert host.states.count("playing") == host.states.count("preparing") == len(re.findall("S+", wanted))


def test_music_that_ends_before_the_next_pass_is_over_before_that_plays(host: RigHost) -> None:
    host.play(At("bar", bar=FIRST + 1), bars=1)
    host.settle()
    sound = [play_on(host, BAR + BAR // 2)]
    host.play(At("bar", bar=FIRST), bars=2)
    sound.append(play_on(host, 6 * BAR - BAR // 2))
    assert [answer[3] for answer in host.answers] == [0, 0], "none is late"
    assert bars(np.concatenate(sound)) == "-S--SS-"
    assert host.states == ["preparing", "playing", "ended"] * 2


def test_a_late_play_begins_in_the_next_pass(host: RigHost) -> None:
    sound = [play_on(host, 2 * BAR - BAR // 8)]
    host.play(At("bar", bar=FIRST + 2), bars=1)
    sound.append(play_on(host, 5 * BAR + BAR // 8))
    assert bars(np.concatenate(sound)) == "------S"
    start_beats, _, _, late, needs_seconds = host.answers[0]
    assert (start_beats, late) == (4.0 * (FIRST + 2), 1)
    assert needs_seconds > 0
