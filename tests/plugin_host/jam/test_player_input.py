"""Segue's own sound is taken out of the input while the player plays too; the player is left as he is."""

from __future__ import annotations

import numpy as np
import pytest

from plugin_host.jam.listening.player_input import PlayerInput
from tests.plugin_host.jam.players import (
    RATE,
    Mono,
    decibels,
    direct,
    loudspeaker,
    player,
    segue_music,
    through,
)  # fmt: skip


def cleaned(captured: Mono, played: Mono, block: int = 1024, gate: bool = False) -> tuple[Mono, PlayerInput]:
    ear = PlayerInput(RATE, 1, gate=gate)
    cuts = range(0, len(captured), block)
    parts = [ear.push(captured[at : at + block, None], played[at : at + block, None]) for at in cuts]
    return np.concatenate([*parts, ear.finish()])[:, 0], ear


def suppressed(way: np.ndarray, who: str, music: str, seconds: int = 14, since: int = 7) -> tuple[float, PlayerInput]:
    """Decibels by which the leak is suppressed from second `since` on, while both play."""
    own = player(who, seconds)
    played = segue_music(music, seconds, own)
    leak = through(way, played)
    heard, ear = cleaned(own + leak, played)
    assert len(heard) == len(own)
    late = slice(since * RATE, None)
    return decibels(leak[late], (heard - own)[late]), ear


@pytest.mark.parametrize("delay_ms", [0.0, 30.0, 80.37, 200.0])
def test_leak_is_suppressed_while_both_play(delay_ms: float) -> None:
    less_db, ear = suppressed(direct(delay_ms, -12.0), "rock", "words_house")
    assert less_db > 20.0
    assert ear.leak.state == "leak"
    assert ear.leak.delay_ms == pytest.approx(delay_ms, abs=0.05)
    assert ear.leak.level_db == pytest.approx(-12.0, abs=0.5)


def test_without_a_leak_no_bit_changes() -> None:
    own = player("funk", 6)
    played = segue_music("words_house", 6, own)
    heard, ear = cleaned(own, played)
    assert np.array_equal(heard, own)
    assert ear.leak.text == "no leak: headphones"


def test_any_cut_gives_the_same_bits() -> None:
    own = player("lofi", 4)
    played = segue_music("onward", 4, own)
    captured = own + through(loudspeaker(30.0, -12.0, room=False), played)
    whole, _ = cleaned(captured, played, block=len(captured), gate=True)
    for block in (64, 441, 7000):
        assert np.array_equal(cleaned(captured, played, block, gate=True)[0], whole)
    assert not np.array_equal(whole, captured), "a leak was there to take out"
