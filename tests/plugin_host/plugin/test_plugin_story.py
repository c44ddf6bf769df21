"""With the real engine: the played music is captured and continued; bounces and live output have the same bits."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.time.transport import Grid
from tests.plugin_host.plugin.jam_rig import BAR, CONNECTED, TRADE
from tests.plugin_host.plugin.plugin_rig import DrivenHost, RealEngine, finished, start_host

GRID = Grid(48_000, 137.5)
FADE = 240  # samples of a joint: 5 ms


@pytest.fixture(scope="module")
def engine(bundles: Path) -> Iterator[RealEngine]:
    made = RealEngine()
    yield made
    made.end()


@pytest.mark.timeout(300)
def test_capture_go_on_and_bounce_twice(bundles: Path, engine: RealEngine, tmp_path: Path) -> None:
    out = tmp_path / "bounces.npz"
    host = start_host("clap_bounce.py", bundles / "Segue.clap", out, port=engine.port)
    answer = finished(host, 200.0)
    assert answer["bars"] == pytest.approx(2, abs=0.001)
    first, second = (np.load(out)[name] for name in ("first", "second"))
    begin = GRID.bar_start(2) - GRID.bar_start(1)
    assert not second[:, :begin].any()  # the bar before the take
    assert np.array_equal(second[:, begin:], first)
    ends = [GRID.bar_start(bar) - GRID.bar_start(2) for bar in range(2, 8)]
    loudness = [float(np.abs(first[:, a:b]).max()) for a, b in itertools.pairwise(ends)]
    assert min(loudness[:4]) > 0.003  # music in each of the four bars
    assert not first[:, ends[4] + 240 :].any()  # and none after them
    if answer["late"]:
        pytest.skip("the machine was too slow to play live: its holes are not compared with the bounce")
    live = np.load(out)["live"]
    assert live.any()
    assert np.array_equal(live, second[:, : live.shape[1]])


@pytest.mark.timeout(300)
def test_a_song_sounds_the_same_wherever_it_is_opened(bundles: Path, engine: RealEngine, tmp_path: Path) -> None:
    """A take from bar 12 with a melody and an audio prompt; opened with the playhead before it, in it, and after it."""
    out = tmp_path / "song.npz"
    places = os.environ.get("SEGUE_SONG_PLACES", "0 13.5 16").split()
    host = start_host("clap_song.py", bundles / "Segue.clap", out, *places, port=engine.port)
    finished(host, 280.0)
    found = np.load(out)
    first = found["first"]
    begin, end = (GRID.bar_start(bar) - GRID.bar_start(11) for bar in (12, 16))
    assert not first[:, :begin].any()
    assert not first[:, end + FADE :].any()
    assert min(np.abs(part).max() for part in np.array_split(first[:, begin:end], 4, axis=1)) > 0.003
    assert np.array_equal(found["export"], first)
    for place in places:
        heard = found[f"{float(place):g}"]
        from_here = first[:, first.shape[1] - heard.shape[1] :]
        joint = FADE if float(place) > 12 else 0  # from silence into the take, or its end
        assert np.array_equal(heard[:, joint:], from_here[:, joint:]), place


@pytest.mark.timeout(300)
def test_a_jam_in_a_cycle_has_its_turn_in_every_pass(bundles: Path, engine: RealEngine) -> None:
    """Its turn ends where the cycle ends. The host renders offline and waits for every beat: no machine is too slow."""
    host = DrivenHost(bundles, engine.port)
    try:
        host.do("open")
        host.run(at=0)
        host.until(lambda: host.value("engine") == CONNECTED)
        host.do("offline", on=1)
        cycle, parts = (4 * BAR, 8 * BAR), []
        for at in range(0, 8 * BAR, BAR):
            parts.append(host.run(BAR, playing=True, at=None if at else cycle[0], noise=True, cycle=cycle, output=1,
                                  generate=1, follow_input=TRADE, capture_bars=2))  # fmt: skip
        assert "".join("S" if part[FADE:].any() else "-" for part in parts) == "--SS--SS"
    finally:
        host.end()
