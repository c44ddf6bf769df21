"""The built plugin in real hosts: pedalboard and dawdreamer (VST3), a host by the CLAP headers, qtractor's scan."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bridge.time.transport import Grid
from tests.plugin_host.plugin.counting_engine import value_at
from tests.plugin_host.plugin.plugin_rig import CountingProcess, assert_all_there, environment, finished, start_host

RATE = 48_000
FADE = 240  # samples of a joint after a jump: 5 ms


@pytest.fixture
def engine(bundles: Path) -> CountingProcess:
    made = CountingProcess()
    yield made
    made.kill()


def _opened(engine: CountingProcess, count: int = 1) -> None:
    engine.wait(lambda line: len(engine.messages("lane/open")) >= count)


def _captures(engine: CountingProcess) -> list[dict]:
    return [line for line in engine.lines if "captured" in line]


def _need(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed (pip install {module}; GPL-3, for tests alone)")


def _say(host: subprocess.Popen[str]) -> None:
    assert host.stdin is not None
    host.stdin.write("\n")
    host.stdin.flush()


def test_pedalboard_gets_every_sample(bundles: Path, engine: CountingProcess, tmp_path: Path) -> None:
    _need("pedalboard")
    out = tmp_path / "heard.npy"
    host = start_host("pedalboard_host.py", bundles / "Segue.vst3", out, 44_100, 2, port=engine.port)
    _opened(engine)
    _say(host)
    assert finished(host)["parameters"] == 38
    heard = np.load(out)
    assert np.array_equal(heard[0], heard[1])
    first = int(np.flatnonzero(heard[0])[0])
    assert first % 88_200 == 0  # a bar line at 120 in 4/4
    assert_all_there(heard[0], first)
    assert engine.messages("lane/close") == [["0"]]


def test_dawdreamer_bounces_and_hands_over_what_it_recorded(
    bundles: Path, engine: CountingProcess, tmp_path: Path
) -> None:
    _need("dawdreamer")
    out = tmp_path / "bounce.npy"
    host = start_host("dawdreamer_host.py", bundles / "Segue.vst3", out, 137.5, port=engine.port)
    _opened(engine)
    _say(host)
    captured = engine.wait(lambda line: "captured" in line)
    _say(host)
    answer = finished(host)
    names = ["Generate", "Mode", "Jam", "Capture", "Bars", "Creativity", "Guidance", "Take", "Level"]
    assert set(names) <= set(answer["names"])
    assert_all_there(np.load(out)[0], 0)  # faster than real time, and complete from the first sample on
    place = engine.wait(lambda line: line.get("bpm") == 137.5)
    assert place["beats"] == pytest.approx(place["position"] * 137.5 / 60 / RATE, abs=1e-9)
    grid, bar = Grid(RATE, 137.5), int(captured["start"] // 4)
    assert captured["samples"] == grid.bar_start(bar + 2) - grid.bar_start(bar)
    assert captured["bpm"] == 137.5
    assert captured["start"] % 4 == 0
    assert captured["channels"] == 2


def test_clap_loops_renders_offline_and_keeps_its_state(bundles: Path, engine: CountingProcess, tmp_path: Path) -> None:
    out = tmp_path / "clap.npz"
    host = start_host("clap_host.py", bundles / "Segue.clap", out, port=engine.port)
    _opened(engine)
    _say(host)
    captured = engine.wait(lambda line: "captured" in line)
    assert host.stdout is not None
    host.stdout.readline()
    found = np.load(out)
    positions = np.concatenate([np.arange(at, at + n) for at, n in found["fed"]])
    joints = np.flatnonzero(np.diff(positions) != 1) + 1
    assert len(joints) >= 3
    exact = np.ones(len(positions), bool)
    for joint in joints:
        exact[joint : joint + FADE] = False
    assert np.array_equal(found["audio"][exact], value_at(positions)[exact])
    loop = (round(4 * 60 / 128.25 * RATE), round(8 * 60 / 128.25 * RATE))
    assert captured["samples"] == loop[1] - loop[0]
    assert captured["start"] == pytest.approx(4, abs=1e-9)
    assert captured["captured"] == pytest.approx(found["source"][loop[0] : loop[0] + 8].tolist(), abs=2e-8)
    assert engine.wait(lambda line: line.get("loop") == [4.0, 8.0])["flags"] & 2
    _say(host)
    _opened(engine, 2)
    engine.wait(lambda line: len(_captures(engine)) >= 2)
    _say(host)
    engine.wait(lambda line: len(engine.messages("lane/play")) >= 2)
    assert engine.messages("lane/set")[-1] == ["0", "seed", "4711.0"]  # the take that was played
    assert engine.messages("lane/play")[-1][1] in ("0.0", "0", "bar")
    _say(host)
    assert finished(host)["id"] == "org.segue.plugin"
    # The song was opened with its captures, and with Capture on, which does not record again.
    assert _captures(engine) == [captured, captured]


def test_the_engine_may_die_and_come_back(bundles: Path, engine: CountingProcess, tmp_path: Path) -> None:
    _need("pedalboard")
    out = tmp_path / "heard.npy"
    host = start_host("pedalboard_host.py", bundles / "Segue.vst3", out, RATE, 2, port=engine.port)
    _opened(engine)
    _say(host)
    engine.wait(lambda line: line.get("message") == "lane/play")
    engine.wait(lambda line: line.get("playing"))
    engine.kill()
    engine.start()
    _opened(engine, 2)
    engine.wait(lambda line: len(engine.messages("lane/play")) >= 2)
    assert engine.messages("lane/set")[-1][1:] == ["seed", "4711.0"]  # the same take continues
    finished(host)
    heard = np.load(out)[0]
    begun = int(np.flatnonzero(heard)[0])
    assert np.isfinite(heard).all()
    assert np.array_equal(heard[begun : begun + RATE // 4], value_at(np.arange(begun, begun + RATE // 4)))


def test_qtractor_takes_the_clap_for_a_plugin(bundles: Path) -> None:
    scanner = next(iter(Path("/usr/lib").glob("*/qtractor/qtractor_plugin_scan")), None)
    if scanner is None:
        pytest.skip("qtractor is not installed (apt install qtractor)")
    known = environment(QT_QPA_PLATFORM="offscreen")
    line = f"clap:{bundles / 'Segue.clap'}\n"
    done = subprocess.run([scanner], input=line, capture_output=True, text=True, timeout=60, env=known)
    assert done.stdout.startswith("CLAP|Segue|2:2|")


def test_the_lv2_text_offers_no_slider_for_words(bundles: Path) -> None:
    assert "patch:writable" not in (bundles / "Segue.lv2" / "Segue.ttl").read_text()  # hosts draw one, and it is dead
