"""A song that is saved and opened again: its take at its position, all its references; the plugin's shown values and
answers.

A CLAP host and the counting engine: the position of a take is the requested one.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.control import messages
from bridge.errors import WireError
from plugin_host.client.client import EngineClient
from tests.plugin_host.plugin.plugin_rig import CountingProcess, DrivenHost, ask_plugin, assert_all_there

BAR = 96_000  # samples, at 120 in 4/4
ABSENT, CONNECTED, PREPARING, PLAYING, NO_MODEL, BAD_CAPTURE, TIMELESS = 0, 2, 3, 4, 6, 10, 11
MELODY, CONTINUE, ALL = 1, 3, 4  # in the order of Clear's entries


@pytest.fixture
def engine(bundles: Path) -> Iterator[CountingProcess]:
    made = CountingProcess()
    yield made
    made.kill()


@pytest.fixture
def host(bundles: Path, engine: CountingProcess) -> Iterator[DrivenHost]:
    made = DrivenHost(bundles, engine.port)
    yield made
    made.end()


def plays(engine: CountingProcess) -> list[list[str]]:
    return engine.messages("lane/play")


def _opened(host: DrivenHost, state: str = "", at: int = 0) -> None:
    """A connected plugin in a host that stands at this position."""
    host.do("open", state=state)
    host.run(at=at)
    host.until(lambda: host.value("engine") in (CONNECTED, PREPARING, PLAYING))


def _song(host: DrivenHost, engine: CountingProcess, start_bar: int = 12) -> str:
    """A song with a take from a bar on, saved four bars later."""
    _opened(host, at=(start_bar - 1) * BAR + 24_000)
    host.run(generate=1, output=1)
    host.until(lambda: host.value("engine") == PLAYING)
    assert plays(engine)[-1][1] == "bar"
    host.run(at=(start_bar + 4) * BAR)
    state = str(host.do("save")["state"])
    host.do("close")
    return state


@pytest.mark.parametrize("bar", [0, 12, 14, 16, 40])
def test_a_song_opens_with_its_take_where_it_was(host: DrivenHost, engine: CountingProcess, bar: int) -> None:
    state = _song(host, engine)
    before = len(plays(engine))
    _opened(host, state, bar * BAR + 1000)
    host.until(lambda: len(plays(engine)) > before)
    assert plays(engine)[-1][1:] == ["48.0", "0", "1"]  # bar 12, also where the host is past it
    assert engine.messages("lane/set")[-1] == ["0", "seed", "4711.0"]
    again = str(host.do("save")["state"])
    host.do("close")
    before = len(plays(engine))
    _opened(host, again)
    host.until(lambda: len(plays(engine)) > before)
    assert plays(engine)[-1][1] == "48.0"


def test_a_lost_engines_bar_is_held_while_the_next_one_does_not_play(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host)
    host.run(generate=1, output=1)
    host.until(lambda: host.value("engine") == PLAYING)

    def audible() -> bool:
        time.sleep(0.1)
        return bool(host.run(samples=4800, playing=True)[-1000:].all())

    heard = [audible() for _ in range(25)]
    assert heard[-1]
    engine.refused = {"lane/play": ["busy", "no room"]}
    engine.kill()
    before = len(plays(engine))
    engine.start()
    deadline = time.monotonic() + 30
    while len(plays(engine)) < before + 2:
        assert time.monotonic() < deadline
        assert audible()
    assert all(audible() for _ in range(5))
    host.run(generate=0, playing=True)
    host.until(lambda: not host.run(samples=4800, playing=True).any())


@pytest.mark.parametrize("protocol", [2, 3])
def test_an_engine_of_before_is_asked_for_no_more_than_it_knows(bundles: Path, protocol: int) -> None:
    engine = CountingProcess(protocol=protocol)
    host = DrivenHost(bundles, engine.port)
    try:
        _opened(host, at=11 * BAR + 24_000)
        host.run(generate=1, output=1)
        host.until(lambda: host.value("engine") == PLAYING)
        assert plays(engine) == [["0", "bar", "0"]]
    finally:
        host.end()
        engine.kill()


def test_a_host_says_that_an_engine_is_of_before() -> None:
    engine = CountingProcess(protocol=3)
    try:
        with (
            pytest.raises(WireError, match=f"speaks version 3, this host {messages.PROTOCOL}"),
            EngineClient(engine.port),
        ):
            pass
    finally:
        engine.kill()


def test_with_generate_off_a_song_opens_without_a_take(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host, at=11 * BAR + 100)
    host.run(generate=1)
    host.until(lambda: host.value("engine") == PLAYING)
    host.run(generate=0)
    host.until(lambda: host.value("engine") == CONNECTED)
    state = str(host.do("save")["state"])
    host.do("close")
    before = len(plays(engine))
    _opened(host, state, 5 * BAR + 100)
    host.until(lambda: len(engine.messages("lane/status")) > 4)
    host.run(generate=1)
    host.until(lambda: len(plays(engine)) > before)
    assert plays(engine)[-1][1] == "bar"  # the next one
    assert engine.messages("lane/set")[-1] == ["0", "seed", "-1.0"]  # and a new take


def _capture(host: DrivenHost, engine: CountingProcess, mode: int, at: int) -> None:
    known = len(engine.messages("region/capture"))
    host.run(at=at, mode=mode, capture_bars=1, capture=1)
    time.sleep(0.5)  # there must be room for it when the bar comes
    host.do("run", samples=2 * BAR, playing=True, input=0.25)
    host.until(lambda: len(engine.messages("region/capture")) > known)
    host.run(capture=0)


def test_all_that_is_in_force_is_saved_shown_and_cleared(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host)
    _capture(host, engine, 0, 100)
    _capture(host, engine, 2, 20 * BAR + 100)
    host.until(lambda: host.value("references") == 5)  # Melody + Continue
    state = str(host.do("save")["state"])
    host.do("close")
    heard = [line["captured"] for line in engine.lines if "captured" in line]
    roles = {values[1] for values in engine.messages("region/capture")[2:]}
    assert not roles
    _opened(host, state)
    host.until(lambda: host.value("references") == 5)
    assert [line["captured"] for line in engine.lines if "captured" in line][2:] == heard
    assert sorted(values[1] for values in engine.messages("region/capture")[2:]) == ["continue", "melody"]
    deadline = time.monotonic() + 1.0  # until then parameters count as the song's: `settled_ns`
    host.until(lambda: time.monotonic() > deadline)
    host.run(clear=MELODY)
    host.until(lambda: host.value("references") == 4)
    assert engine.messages("region/clear")[-1] == ["0", "melody"]
    again = str(host.do("save")["state"])
    assert len(again) < len(state) * 0.7
    assert ask_plugin(int(host.value("port")), "clear", "continue") == ["ok"]
    host.until(lambda: host.value("references") == 0 and host.value("captured_bars") == 0)
    host.do("close")
    _opened(host, again)  # with Clear at its last value, which has no effect again
    host.until(lambda: host.value("references") == 4)
    host.until(lambda: len(engine.messages("lane/status")) > 4)
    assert host.value("references") == 4


def test_a_capture_armed_on_the_first_bar_line_begins_there(host: DrivenHost, engine: CountingProcess) -> None:
    host.do("open")
    host.run(capture_bars=1, capture=1, at=0)
    host.until(lambda: host.value("engine") == CONNECTED)
    time.sleep(0.2)
    host.do("run", samples=512, playing=True, at=-300, input=0.25)  # like Ardour: it rolls from a little before
    host.do("run", samples=2 * BAR, playing=True, input=0.25)
    captured = engine.wait(lambda line: "captured" in line)
    assert (captured["start"], captured["samples"]) == (0.0, BAR)


def test_an_engine_that_was_slow_is_there_again(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host)
    host.run(generate=1)
    host.until(lambda: host.value("engine") == PLAYING)
    engine.process.send_signal(signal.SIGSTOP)
    host.until(lambda: host.value("engine") == ABSENT)
    engine.process.send_signal(signal.SIGCONT)
    host.until(lambda: host.value("engine") == PLAYING)
    assert len(plays(engine)) == 1


def test_what_is_refused_says_why(host: DrivenHost, engine: CountingProcess) -> None:
    engine.refuse("lane/open", "not_ready", "no model is loaded")
    host.do("open")
    host.until(lambda: host.value("engine") == NO_MODEL)
    port = int(host.value("port"))
    assert ask_plugin(port, "status")[:3] == ["ok", "Refused: no model", "no model is loaded"]
    engine.refuse("lane/open", "bad_region", "it has channels that the model does not know")
    host.until(lambda: host.value("engine") == BAD_CAPTURE)
    engine.refuse("lane/open")
    host.until(lambda: host.value("engine") == CONNECTED)
    assert ask_plugin(port, "status")[1:3] == ["Connected", ""]


def test_the_knobs_are_what_the_engine_has(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host)
    host.until(lambda: host.value("creativity_now") > 0)
    sent = {name: float(value) for _, name, value in engine.messages("lane/set")}
    for knob, name in (("creativity", "temperature"), ("guidance", "cfg")):
        assert host.value(knob) == host.value(f"{knob}_now") == sent[name]
    assert [host.value("creativity"), host.value("guidance")] == pytest.approx([0.9, 2.5])


def test_a_drawn_take_can_be_asked_for(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host)
    host.run(take=8_326_344, generate=1)
    host.until(lambda: plays(engine))
    assert engine.messages("lane/set")[-1] == ["0", "seed", "8326344.0"]


def test_messages_are_answered_and_reported_to_the_host(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host)
    port = int(host.value("port"))
    assert ask_plugin(port, "set", "level", -6.0) == ["ok", "level", -6.0, 1]
    host.run()
    assert host.do("turned")["turned"][str(host.numbers["level"])] == -6.0
    answer = ask_plugin(port, "set", "levl", -6.0)
    assert answer[:2] == ["error", "out_of_range"]
    assert "there is no parameter 'levl'" in str(answer[2])
    assert "level" in str(answer[2])
    assert ask_plugin(port, "set", "underruns", 1)[0] == "error"  # it is shown, not set
    assert ask_plugin(port, "prompt", "dub")[0] == "ok"
    engine.wait(lambda line: line.get("message") == "lane/prompt" and line["values"] == ["0", "dub"])
    assert ask_plugin(port, "pormpt", "dub")[:2] == ["error", "bad_message"]
    assert ask_plugin(port, "clear", "melodie")[:2] == ["error", "out_of_range"]


def test_off_and_on_again_between_two_looks_is_a_new_take(host: DrivenHost, engine: CountingProcess) -> None:
    _opened(host)
    host.run(generate=1)
    host.until(lambda: host.value("engine") == PLAYING)
    host.run(generate=0)
    host.run(generate=1)
    host.until(lambda: len(plays(engine)) == 2)
    assert engine.messages("lane/set")[-1] == ["0", "seed", "-1.0"]


def test_captures_of_a_host_that_renders_all_arrive(host: DrivenHost, engine: CountingProcess) -> None:
    """Consecutive captures, each armed in the block with its bar line: the host waits for room."""
    _opened(host)
    host.do("offline", on=1)
    for number in range(1, 5):
        host.run(capture=0)
        start = 2 * number * BAR
        host.do("run", samples=BAR, playing=True, at=start, input=0.25, set=host.by_number(capture=1, capture_bars=1))
        captured = engine.wait(lambda line, number=number: line.get("start") == 8.0 * number and "captured" in line)
        assert captured["samples"] == BAR


@pytest.mark.parametrize("clock", [0, 1])
def test_a_host_without_a_transport_is_reported_and_rendered_for(
    host: DrivenHost, engine: CountingProcess, clock: int
) -> None:
    """It renders as fast as possible and reports neither that nor a time: on the plugin's clock the take begins with
    its bar."""
    host.do("open", timeless=True)
    host.run(generate=1, output=1)
    host.until(lambda: host.value("engine") == TIMELESS)
    host.run(generate=0, clock=clock)
    heard = host.run(10 * BAR // 4, generate=1)
    first = int((heard != 0).argmax())
    assert 0 < first < BAR
    assert_all_there(heard[first:], 0)
