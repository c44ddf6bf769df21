"""Whether the player plays: the gate, onsets, and having stopped for a beat."""

from __future__ import annotations

import numpy as np
import pytest

from plugin_host.jam.listening.gate import Gate
from plugin_host.jam.listening.player_input import PlayerInput
from tests.plugin_host.jam.players import RATE, Mono, player

BPM = 120.0
BEAT = RATE // 2


def heard(sound: Mono) -> PlayerInput:
    ear = PlayerInput(RATE, 1, cancel_leak=False)
    ear.push(sound[:, None], np.zeros((len(sound), 1), np.float32))
    return ear


def stops_after(sound: Mono) -> float | None:
    """The second at which a player counts as having stopped for a beat."""
    ear = PlayerInput(RATE, 1, cancel_leak=False)
    for at in range(0, len(sound), 480):
        block = sound[at : at + 480, None]
        ear.push(block, np.zeros_like(block))
        if ear.has_stopped(1.0, BPM):
            return (at + len(block)) / RATE
    return None


def pluck(at: float, seconds: float, ring: float, hz: float = 220.0) -> Mono:
    t = np.arange(round(seconds * RATE)) / RATE - at
    sound = sum(np.sin(2 * np.pi * hz * n * np.maximum(t, 0)) / n for n in range(1, 9))
    return (0.2 * sound * np.where(t < 0, 0, np.exp(-t / ring))).astype(np.float32)


def hiss(seconds: float, level_db: float) -> Mono:
    noise = np.random.default_rng(3).standard_normal(round(seconds * RATE))
    return (10 ** (level_db / 20) * noise).astype(np.float32)


@pytest.mark.parametrize("name", ["rock", "lofi", "bossa"])
def test_music_that_ends_has_stopped_a_beat_later(name: str) -> None:
    music = player(name, 5)
    assert stops_after(music) is None
    ended = np.concatenate([music, hiss(2, -70)])
    stopped = stops_after(ended)
    assert stopped is not None
    assert 5.0 < stopped < 5.7
    assert heard(ended).last_played == pytest.approx(5 * RATE, abs=0.15 * RATE)


def test_a_chord_that_rings_out_has_stopped_and_a_held_one_has_not() -> None:
    plucked = sum(pluck(0.5 * number, 9, 0.8) for number in range(8)) + hiss(9, -75)
    stopped = stops_after(plucked)
    assert stopped is not None
    assert 3.9 < stopped < 6.0
    held = pluck(0.0, 9, 1e9)
    assert stops_after(held) is None


def test_rests_shorter_than_a_beat_are_playing() -> None:
    bar = np.concatenate([player("funk", 0.5), hiss(0.45, -75)])
    assert stops_after(np.tile(bar, 6)) is None


def test_nobody_has_stopped_who_has_not_played() -> None:
    ear = heard(hiss(4, -70))
    assert not ear.has_stopped(1.0, BPM)
    assert not ear.is_playing(1.0, BPM)
    assert ear.last_played is None


def test_onsets_lie_where_notes_begin() -> None:
    times = [0.5, 1.0, 1.75, 2.5, 3.0]
    ear = heard(sum(pluck(at, 4, 0.3, 220 * (1 + 0.12 * n)) for n, at in enumerate(times)) + hiss(4, -75))
    found = np.array(ear.onsets) / RATE
    assert len(found) == len(times)
    assert np.abs(found - times).max() < 0.03


def test_gate_silences_noise_keeps_attacks_and_does_not_flutter() -> None:
    ear = PlayerInput(RATE, 1, cancel_leak=False)
    note = pluck(1.0, 3, 0.05)
    sound = note + hiss(3, -66)
    out = np.concatenate([ear.push(sound[:, None], 0 * sound[:, None]), ear.finish()])[:, 0]
    assert len(out) == len(sound)
    assert not out[: round(0.95 * RATE)].any()
    assert np.array_equal(out[RATE : RATE + 4800], sound[RATE : RATE + 4800]), "the attack is whole"
    assert not out[2 * RATE :].any()
    gate, hop = Gate(RATE, 512), np.ones((512, 1), np.float32)
    states = [gate.push(hop * 10 ** (level / 20))[1] for level in [-60, -49, *[-51, -57] * 100, -70]]
    assert np.count_nonzero(np.diff(np.array(states).astype(int))) == 1
    with pytest.raises(ValueError, match="must close at a lower level"):
        Gate(RATE, 512, open_db=-60.0, close_db=-50.0)
