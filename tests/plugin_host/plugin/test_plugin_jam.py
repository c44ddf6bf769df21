"""A jam inside a DAW: what the engine is given to listen to, where its answers lie, what the plugin shows.

The host renders faster than the clock, so each beat is waited for; its input says where each sample lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.plugin_host.plugin.counting_engine import value_at
from tests.plugin_host.plugin.jam_rig import (
    ACCOMPANY,
    BAR,
    BEAT,
    CONNECTED,
    CONTINUE,
    COUNT_IN,
    FADE,
    LEAD,
    LISTENING,
    LOOP,
    MELODY,
    OFF,
    PLAYING,
    SEGUE,
    STYLE,
    TRADE,
    bars,
    captured,
    heard,
    is_segue,
    opened,
    plays,
)
from tests.plugin_host.plugin.plugin_rig import CountingProcess, DrivenHost, ask_plugin


@pytest.fixture
def engine(bundles: Path) -> Iterator[CountingProcess]:
    made = CountingProcess()
    yield made
    made.kill()


@pytest.fixture
def host(bundles: Path, engine: CountingProcess) -> Iterator[DrivenHost]:
    yield from opened(bundles, engine)


def test_trade(host: DrivenHost, engine: CountingProcess) -> None:
    """Bars of the player's, then of Segue's, on the bar line to the sample; each goes on from what both played."""
    audio = host.run(16 * BAR, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=2, output=1)
    for bar, part in enumerate(bars(audio)):
        assert is_segue(part, bar * BAR) if bar % 4 > 1 else not part[FADE:].any(), bar
    assert plays(engine) == [[f"bar {bar}", "2"] for bar in (2, 6, 10, 14)]
    given = captured(engine)
    assert [line["role"] for line in given] == ["continue"] * 4
    assert [line["start"] for line in given] == [0.0, 0.0, 16.0, 32.0]  # a turn and four bars before it
    first = given[0]
    assert first["samples"] == 2 * BAR - LEAD * BEAT
    assert first["captured"] == [pytest.approx(heard(n), abs=1e-7) for n in range(8)]
    assert 6 * BAR - LEAD * BEAT <= given[1]["samples"] < 6 * BAR
    assert engine.messages("region/capture")[0][3] == "bar 2"


def test_a_jam_begins_on_the_bar_line_wherever_the_host_stands(host: DrivenHost, engine: CountingProcess) -> None:
    start = 12 * BAR + 30_001
    audio = host.run(5 * BAR, at=start, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=2,
                     output=1)  # fmt: skip
    turn = 15 * BAR - start  # it listens to the bars 13 and 14
    assert not audio[:turn].any()
    assert is_segue(audio[turn : turn + 2 * BAR], 15 * BAR)
    assert not audio[turn + 2 * BAR + FADE :].any()
    assert plays(engine)[0] == ["bar 15", "2"]
    assert captured(engine)[0]["start"] == 52.0


@pytest.mark.parametrize(("mode", "role"), [(MELODY, "melody"), (STYLE, "style")])
def test_accompany(host: DrivenHost, engine: CountingProcess, mode: int, role: str) -> None:
    """It begins after the first bars, and listens again; its own music goes on."""
    audio = host.run(8 * BAR, playing=True, counted=True, generate=1, follow_input=ACCOMPANY, mode=mode,
                     capture_bars=2, output=1)  # fmt: skip
    assert not audio[: 2 * BAR].any()
    assert is_segue(audio[2 * BAR :], 2 * BAR)
    assert plays(engine) == [["bar 2", "0"]]
    given = captured(engine)
    assert {line["role"] for line in given} == {role}
    assert [values[3] for values in engine.messages("region/capture")] == ["bar 2", "bar 4", "bar 6", "bar 8"]
    assert given[0]["samples"] == BAR
    assert all(line["samples"] == 4 * BAR for line in given[2:])


def test_continue(host: DrivenHost, engine: CountingProcess) -> None:
    """Segue takes over when the player stops for a beat, and hands back when she plays again."""
    first = host.run(2 * BAR, playing=True, counted=True, generate=1, follow_input=CONTINUE, output=1)
    silent = host.run(4 * BAR, playing=True)
    again = host.run(3 * BAR, playing=True, counted=True)
    assert not first.any()
    number = int(plays(engine)[0][0].removeprefix("bar "))
    assert plays(engine) == [[f"bar {number}", "0"]]
    assert number in (3, 4)
    begin = (number - 2) * BAR
    assert not silent[:begin].any()
    assert is_segue(silent[begin:], number * BAR)
    assert engine.messages("lane/stop") == [["0", "bar 7"]]
    assert not again[BAR + FADE :].any()
    assert captured(engine)[0]["start"] == 0.0


def test_loop(host: DrivenHost, engine: CountingProcess) -> None:
    """The loop comes once as it was; then Segue varies it, pass after pass, from the same music."""
    audio = host.run(8 * BAR, playing=True, counted=True, generate=1, follow_input=LOOP, capture_bars=2, output=1)
    assert not audio[: 2 * BAR].any()
    loop = np.array([heard(n) for n in range(2 * BAR)], np.float32)
    np.testing.assert_allclose(audio[2 * BAR + 300 : 4 * BAR - 300], loop[300:-300], atol=1e-6)
    assert is_segue(audio[4 * BAR + FADE :], 4 * BAR + FADE)
    rise = np.arange(FADE) / FADE  # the loop goes over into its variation
    joint = audio[4 * BAR : 4 * BAR + FADE]
    np.testing.assert_allclose(joint, rise * value_at(4 * BAR + np.arange(FADE)) + (1 - rise) * loop[:FADE], atol=1e-6)
    assert plays(engine)[:2] == [["bar 4", "0"], ["bar 6", "0"]]
    given = captured(engine)
    assert {line["role"] for line in given} == {"continue", "melody"}
    for line in given:
        assert (line["start"], line["samples"]) == (0.0, 2 * BAR)
        assert line["captured"] == [pytest.approx(heard(n), abs=1e-7) for n in range(8)]


def test_what_it_shows(host: DrivenHost) -> None:
    shown = lambda: (host.value("jam_now"), round(host.value("jam_change"), 2))  # noqa: E731
    host.run(generate=1, follow_input=TRADE, capture_bars=2, output=1)
    host.until(lambda: shown() == (COUNT_IN, 0))
    host.run(BAR + BEAT, playing=True, counted=True)
    host.do("offline", on=0)
    host.until(lambda: shown()[0] == LISTENING and 2.9 < shown()[1] < 3.1)
    host.do("offline", on=1)
    host.run(BAR, playing=True, counted=True)
    host.until(lambda: shown()[0] == SEGUE)
    host.run(follow_input=0)
    host.until(lambda: shown() == (OFF, 0))


def test_generate_off_ends_it_and_on_begins_anew(host: DrivenHost, engine: CountingProcess) -> None:
    host.run(3 * BAR, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=2, output=1)
    host.run(512, playing=True, generate=0)
    host.until(lambda: engine.messages("region/clear"))
    assert engine.messages("region/clear")[-1] == ["0", "continue", "bar"]
    before = len(plays(engine))
    audio = host.run(4 * BAR, at=20 * BAR, playing=True, counted=True, generate=1)
    assert plays(engine)[before] == ["bar 22", "2"]
    assert is_segue(audio[2 * BAR :], 22 * BAR)


def test_an_answer_ordered_early_leaves_the_players_turn_silent(host: DrivenHost, engine: CountingProcess) -> None:
    """On a slow machine the next answer is ordered while Segue still plays: its bar is not held up to there."""
    audio = host.run(6 * BAR, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=1, output=1)
    turns = sorted(int(values[0].removeprefix("bar ")) for values in plays(engine))
    for bar, part in enumerate(bars(audio)):
        assert is_segue(part, bar * BAR) if bar in turns else not part[FADE:].any(), bar


def test_another_program_turns_it(host: DrivenHost, engine: CountingProcess) -> None:
    port = int(host.value("port"))
    assert ask_plugin(port, "set", "jam", TRADE)[:2] == ["ok", "follow_input"]
    assert host.value("follow_input") == TRADE


def test_a_lost_engine_is_played_with_again(host: DrivenHost, engine: CountingProcess) -> None:
    """The new engine's first answer lies on a bar line too, and no bar of the old one is held in the player's turn."""
    host.run(2 * BAR, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=1, output=1)
    engine.kill()
    host.until(lambda: host.value("engine") == 0)
    seen = len(engine.lines)
    engine.start()
    engine.wait(lambda line: line.get("message") == "lane/open", after=seen)
    host.until(lambda: host.value("engine") == CONNECTED)
    before = len(plays(engine))
    audio = host.run(3 * BAR, at=30 * BAR, playing=True, counted=True)
    assert plays(engine)[before] == ["bar 31", "1"]
    assert not audio[BAR // 2 : BAR].any()
    assert is_segue(audio[BAR : 2 * BAR], 31 * BAR)
    assert not audio[2 * BAR + FADE :].any()


@pytest.mark.parametrize("at", [40, 10, 20], ids=["forward", "back", "back to where it began"])
def test_a_jump_begins_with_the_next_bar(host: DrivenHost, engine: CountingProcess, at: int) -> None:
    host.run(
        BAR + BEAT, at=20 * BAR, playing=True, counted=True, generate=1, follow_input=TRADE, capture_bars=1, output=1
    )
    before = len(plays(engine))
    audio = host.run(2 * BAR, at=at * BAR, playing=True, counted=True)
    assert plays(engine)[before] == [f"bar {at + 1}", "1"]
    assert is_segue(audio[BAR:], (at + 1) * BAR)
    assert not audio[FADE:BAR].any()


def test_silence_is_no_music_to_go_on_from(host: DrivenHost, engine: CountingProcess) -> None:
    """The engine refuses a silent region: Segue plays all the same, and nothing is shown as a fault."""
    engine.refuse("region/capture", "region_silent", "it is silent")
    host.until(lambda: engine.process.poll() is None)
    audio = host.run(4 * BAR, playing=True, generate=1, follow_input=TRADE, capture_bars=2, output=1)
    assert is_segue(audio[2 * BAR :], 2 * BAR)
    assert engine.messages("region/capture")
    host.until(lambda: host.value("engine") in (CONNECTED, PLAYING))
