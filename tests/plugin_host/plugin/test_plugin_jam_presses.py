"""Presses in the plugin: parameters that go up, and messages at its port; each is answered with its bar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.plugin_host.plugin.jam_rig import (
    ACCOMPANY,
    BAR,
    BEAT,
    FADE,
    LISTENING,
    LOOP,
    SEGUE,
    TRADE,
    bars,
    heard,
    is_segue,
    opened,
    plays,
)  # fmt: skip
from tests.plugin_host.plugin.plugin_rig import CountingProcess, DrivenHost, ask_plugin

NONE, TAKEN, CANCELLED, REFUSED = range(4)


@pytest.fixture
def engine(bundles: Path) -> Iterator[CountingProcess]:
    made = CountingProcess()
    yield made
    made.kill()


@pytest.fixture
def host(bundles: Path, engine: CountingProcess) -> Iterator[DrivenHost]:
    yield from opened(bundles, engine)


def press(host: DrivenHost, *values: object) -> list[object]:
    """A press by a message: verb, accepted, bar, beat, text."""
    kind, *answer = ask_plugin(int(host.value("port")), "press", *values)
    assert kind == "ok", answer
    return answer


def shown(host: DrivenHost) -> tuple[float, float]:
    return host.value("press_answer"), host.value("press_bar")


def test_take_over_and_back_by_parameters(host: DrivenHost, engine: CountingProcess) -> None:
    """A button goes up by itself, and the host is told; the answer shows the bar from which it is heard, from 1."""
    host.run(BAR + BEAT, at=10 * BAR, playing=True, counted=True, generate=1, follow_input=TRADE, output=1)
    host.run(512, playing=True, counted=True, take_over=1)
    host.until(lambda: shown(host) == (TAKEN, 14))  # a lead of four beats behind bar 12, from 1
    assert host.value("take_over") == 0
    host.until(lambda: host.do("turned")["turned"].get(str(host.numbers["take_over"])) == 0)
    left = 3 * BAR - (BAR + BEAT + 512)
    audio = host.run(left + 2 * BAR, at=11 * BAR + BEAT + 512, playing=True, counted=True)
    assert plays(engine)[0] == ["bar 13", "4"]
    assert not audio[:left].any()
    assert is_segue(audio[left:], 13 * BAR)
    assert press(host, "take_over")[:3] == ["take_over", 1, 15]  # on the line that the host stands on
    back = host.run(2 * BAR, playing=True, counted=True)
    assert not back[BAR + FADE :].any()
    assert engine.messages("lane/stop")[-1] == ["0", "bar 15"]


def test_presses_wait_and_are_cancelled_by_a_second_one(host: DrivenHost, engine: CountingProcess) -> None:
    host.run(5 * BAR + BEAT, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=4, output=1)
    assert press(host, "play_stop") == ["play_stop", 1, 5, 20.0, "stop"]
    assert press(host, "play_stop") == ["play_stop", 1, 5, 20.0, "cancelled: play or stop"]
    assert press(host, "cancel")[1:] == [0, 5, 20.0, "nothing is pending"]
    host.run(2 * BEAT, playing=True, counted=True)
    assert press(host, "play_stop") == ["play_stop", 1, 6, 24.0, "stop, at bar 7"]
    assert press(host, "cancel") == ["cancel", 1, 6, 24.0, "cancelled: play or stop, at bar 7"]
    assert shown(host) == (CANCELLED, 7)
    assert press(host, "keep")[1:] == [0, 5, 20.0, "in trade there is nothing to keep"]
    assert shown(host) == (REFUSED, 0)
    assert host.value("jam_now") == SEGUE
    assert ask_plugin(int(host.value("port")), "press", "jump")[:2] == ["error", "out_of_range"]
    assert ask_plugin(int(host.value("port")), "press", "record", 65)[:2] == ["error", "out_of_range"]


def test_a_press_without_a_jam_is_refused(host: DrivenHost) -> None:
    assert press(host, "again")[1:] == [
        0,
        0,
        0.0,
        "there is no jam: choose one, turn Generate on and let the host play",
    ]
    host.run(512, hold=1)
    host.until(lambda: shown(host) == (REFUSED, 0))


def test_again_brings_the_last_turn_once_more(host: DrivenHost, engine: CountingProcess) -> None:
    audio = host.run(4 * BAR + BEAT, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=2,
                     output=1)  # fmt: skip
    turn = audio[2 * BAR : 4 * BAR]
    assert press(host, "again")[1:3] == [1, 4]  # bar 4 is the nearest: it has just begun
    late = host.run(5 * BAR - BEAT, playing=True, counted=True)
    again = late[: 2 * BAR - BEAT]
    heard_from = BEAT + 512 + FADE  # the beat after the press
    np.testing.assert_array_equal(again[heard_from:], turn[BEAT + heard_from :])
    assert not late[2 * BAR - BEAT + FADE : 4 * BAR - BEAT].any()  # then it is the player's turn
    assert is_segue(late[4 * BAR - BEAT :], 8 * BAR)


def test_hold_goes_round_until_released(host: DrivenHost, engine: CountingProcess) -> None:
    """Longer than the memory's write position needs to pass its music: it is a copy."""
    audio = host.run(6 * BAR - BEAT, playing=True, counted=True, generate=1, follow_input=ACCOMPANY, capture_bars=2,
                     output=1)  # fmt: skip
    assert press(host, "hold") == ["hold", 1, 6, 24.0, "hold, at bar 7"]
    rest = host.run(BEAT, playing=True, counted=True)
    music = np.concatenate([audio, rest])[4 * BAR : 6 * BAR]
    held = host.run(17 * BAR, playing=True, counted=True)
    for bar in range(0, 16, 2):
        start = FADE if bar == 0 else 0
        np.testing.assert_array_equal(held[bar * BAR :][start : 2 * BAR], music[start:], err_msg=f"{bar}")
    assert press(host, "hold")[1:3] == [1, 23]
    after = host.run(2 * BAR, playing=True, counted=True)
    assert is_segue(after[BAR:], 24 * BAR)


def test_a_loop_is_kept_and_undone(host: DrivenHost, engine: CountingProcess) -> None:
    audio = host.run(7 * BAR, playing=True, counted=True, generate=1, follow_input=LOOP, capture_bars=2, output=1)
    assert press(host, "keep") == ["keep", 1, 8, 32.0, "kept, at bar 9"]
    more = host.run(4 * BAR, playing=True, counted=True)
    kept = np.concatenate([audio, more])[6 * BAR : 8 * BAR]  # the pass that sounded
    np.testing.assert_array_equal(more[BAR + FADE : 3 * BAR], kept[FADE:])
    assert press(host, "undo")[1:3] == [1, 11]
    back = host.run(3 * BAR, playing=True, counted=True)
    first = np.array([heard(n) for n in range(2 * BAR)], np.float32)  # what the player had played
    heard_from = BEAT + 512 + FADE  # the beat after the press
    np.testing.assert_allclose(back[heard_from:BAR], first[heard_from:BAR], atol=1e-6)


def test_record_sets_the_length_of_the_turn(host: DrivenHost, engine: CountingProcess) -> None:
    host.run(BAR + BEAT, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=4, output=1)
    assert press(host, "record", 2)[1:] == [1, 1, 4.0, "your 2 bars"]
    audio = host.run(4 * BAR - BEAT, playing=True, counted=True)
    host.until(lambda: host.value("jam_now") == LISTENING)
    assert plays(engine)[0] == ["bar 3", "2"]
    assert [bool(part[FADE:].any()) for part in bars(audio[BAR - BEAT :])] == [False, True, True]
    assert press(host, "record", 60)[1] == 0  # more than is remembered
