"""Segue's own sound is taken out of the input while the player plays too; the player is left as he is."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from bridge.ring.form import Audio
from plugin_host.jam.listening.leak_learner import STRETCH_HOPS, LeakLearner, Learned
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


def nothing(ear: PlayerInput) -> None:
    pass


def cleaned(
    captured: Mono, played: Mono, block: int = 1024, gate: bool = False, after: Callable[[PlayerInput], None] = nothing
) -> tuple[Mono, PlayerInput]:
    """The cleaned input, block by block; `after` each block."""
    ear, parts = PlayerInput(RATE, 1, gate=gate), []
    for at in range(0, len(captured), block):
        parts.append(ear.push(captured[at : at + block, None], played[at : at + block, None]))
        after(ear)
    return np.concatenate([*parts, ear.finish()])[:, 0], ear


def suppressed(way: np.ndarray, who: str, music: str, seconds: int = 6, since: int = 4) -> tuple[float, PlayerInput]:
    """Decibels by which the leak is suppressed from second `since` on, while both play."""
    own = player(who, seconds)
    played = segue_music(music, seconds, own)
    leak = through(way, played)
    heard, ear = cleaned(own + leak, played)
    assert len(heard) == len(own)
    late = slice(since * RATE, None)
    return decibels(leak[late], (heard - own)[late]), ear


@pytest.mark.parametrize("delay_ms", [0.0, 30.37, 200.0])
def test_leak_is_suppressed_while_both_play(delay_ms: float) -> None:
    less_db, ear = suppressed(direct(delay_ms, -12.0), "rock", "words_house")
    assert less_db > 20.0
    assert ear.leak.state == "leak"
    assert ear.leak.delay_ms == pytest.approx(delay_ms, abs=0.05)
    assert ear.leak.level_db == pytest.approx(-12.0, abs=0.5)


def test_player_is_not_damaged_while_both_play() -> None:
    own = player("lofi", 7)
    played = segue_music("onward", 7, own)
    heard, _ = cleaned(own + through(direct(30.0, -12.0), played), played)
    late = slice(5 * RATE, None)
    assert decibels(own[late], (heard - own)[late]) > 40.0, "12 dB before, and the leak suppressed by 30 more"


def test_leak_through_a_loudspeaker_and_a_room_is_suppressed() -> None:
    """Its 300 ms of echoes are learned more slowly than a direct path."""
    assert suppressed(loudspeaker(30.0, -12.0), "lofi", "onward")[0] > 25.0
    assert suppressed(loudspeaker(30.0, -12.0, 0.25), "lofi", "onward", seconds=9, since=7)[0] > 18.0


def test_a_fader_is_followed() -> None:
    own = player("lofi", 8)
    played = segue_music("onward", 8, own)
    leak = through(direct(30.0, -12.0), played) * np.where(np.arange(len(own)) < 4 * RATE, 1, 2).astype(np.float32)
    heard, ear = cleaned(own + leak, played)
    assert decibels(leak[6 * RATE :], (heard - own)[6 * RATE :]) > 20.0
    assert ear.leak.level_db == pytest.approx(-6.0, abs=0.5)


def test_a_moved_microphone_is_followed() -> None:
    own = player("lofi", 9)
    played = segue_music("onward", 9, own)
    before, after = (through(direct(*way), played) for way in ((30.0, -12.0), (34.2, -14.0)))
    leak = np.where(np.arange(len(own)) < 3 * RATE, before, after)
    ear, parts, said = PlayerInput(RATE, 1, gate=False), [], []
    for at in range(0, len(own), RATE // 4):
        block = slice(at, at + RATE // 4)
        parts.append(ear.push((own + leak)[block, None], played[block, None]))
        said.append(ear.leak.state)
    heard = np.concatenate([*parts, ear.finish()])[:, 0]
    assert "none" not in said, "headphones are not found because a leak is being looked for"
    assert decibels(leak[8 * RATE :], (heard - own)[8 * RATE :]) > 25.0
    assert ear.leak.delay_ms == pytest.approx(34.2, abs=0.05)


def test_stereo_has_a_path_from_each_side_to_each() -> None:
    own, played = player("lofi", 6), segue_music("onward", 6, player("lofi", 6))
    other = segue_music("melody_followed", 6, own)
    both = np.stack([played, 0.5 * played + 0.5 * other], axis=1)
    two = np.stack([own, np.roll(own, 400)], axis=1)
    ways = direct(30.0, -15.0), direct(31.0, -18.0)
    near = [through(ways[0], side) for side in both.T], [through(ways[1], side) for side in both.T]
    leak = np.stack([near[0][0] + near[1][1], near[1][0] + near[0][1]], axis=1)
    ear = PlayerInput(RATE, 2, gate=False)
    heard = np.concatenate([ear.push(two + leak, both), ear.finish()])
    late = slice(4 * RATE, None)
    for channel in range(2):
        assert decibels(leak[late, channel], (heard - two)[late, channel]) > 25.0


def test_one_microphone_in_both_channels_stays_one() -> None:
    own = player("lofi", 3)
    played = segue_music("onward", 3, own)
    captured = own + through(direct(30.0, -12.0), played)
    mono, _ = cleaned(captured, played, gate=True)
    ear = PlayerInput(RATE, 2)
    twice = [np.repeat(each[:, None], 2, axis=1) for each in (captured, played)]
    out = np.concatenate([ear.push(*twice), ear.finish()])
    assert np.array_equal(out[:, 0], mono)
    assert np.array_equal(out[:, 1], mono)


@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_other_rates(rate: int) -> None:
    noise = np.random.default_rng(4)
    played = noise.standard_normal((5 * rate, 1)).astype(np.float32) * np.float32(0.1)
    own = noise.standard_normal((5 * rate, 1)).astype(np.float32) * np.float32(0.1)
    leak = np.concatenate([np.zeros((rate // 20, 1), np.float32), played])[: len(own)] * np.float32(0.25)
    ear = PlayerInput(rate, 1, gate=False)
    heard = np.concatenate([ear.push(own + leak, played), ear.finish()])
    assert decibels(leak[4 * rate :], (heard - own)[4 * rate :]) > 20.0
    assert ear.leak.delay_ms == pytest.approx(50.0, abs=0.05)


def test_what_is_not_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="8000 to 192000"):
        PlayerInput(4000, 1)
    with pytest.raises(ValueError, match="1 or 2 are allowed"):
        PlayerInput(RATE, 3)
    ear = PlayerInput(RATE, 1)
    with pytest.raises(ValueError, match="both must be"):
        ear.push(np.zeros((10, 1), np.float32), np.zeros((9, 1), np.float32))
    with pytest.raises(ValueError, match="not finite"):
        ear.push(np.full((10, 1), np.nan, np.float32), np.zeros((10, 1), np.float32))
    assert len(ear.finish()) == 0


def test_without_a_leak_no_bit_changes() -> None:
    own = player("funk", 5)
    played = segue_music("words_house", 5, own)
    heard, ear = cleaned(own, played)
    assert np.array_equal(heard, own)
    assert ear.leak.text == "no leak: headphones"


@pytest.mark.parametrize(("who", "music"), [("melody_given", "melody_followed"), ("codec_house", "words_house")])
def test_music_that_is_like_the_players_is_no_leak(who: str, music: str) -> None:
    """The same melody at the same time, the same style: no sample of the player's is taken for Segue's."""
    own = segue_music(who, 5, player("rock", 5))
    heard, ear = cleaned(own, segue_music(music, 5, own))
    assert np.array_equal(heard, own)
    assert ear.leak.state == "none"


def test_any_cut_and_any_machine_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned is used from one sample on: earlier on no fast machine, later on no slow one."""
    own = player("lofi", 3.5)
    played = segue_music("onward", 3.5, own)
    captured = own + through(loudspeaker(30.0, -12.0), played)
    whole, ear = cleaned(captured, played, block=len(captured), gate=True)
    learn, done, takes_seconds = LeakLearner.learn, [0], [0.0]

    def learned(learner: LeakLearner, captured: Audio, source: Audio) -> Learned:
        time.sleep(takes_seconds[0])
        found = learn(learner, captured, source)
        done[0] += 1
        return found

    def wait(ear: PlayerInput) -> None:
        while done[0] < ear.pushed // (STRETCH_HOPS * ear.hop):
            time.sleep(0.001)

    monkeypatch.setattr(LeakLearner, "learn", learned)
    for block, takes_seconds[0], after in ((7000, 0.0, wait), (64, 0.1, nothing)):  # the slow one still learns behind
        assert np.array_equal(cleaned(captured, played, block, gate=True, after=after)[0], whole)
    assert ear.leak.state == "leak", "one was there to take out"
