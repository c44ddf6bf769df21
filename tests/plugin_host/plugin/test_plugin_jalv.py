"""The LV2 plugin in jalv under JACK without a sound card: transport by JACK's timebase, audio recorded by JACK."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.time.transport import Grid
from tests.plugin_host.plugin.counting_engine import value_at
from tests.plugin_host.plugin.plugin_rig import CountingProcess, assert_all_there, environment

RATE, PERIOD, BPM = 48_000, 1024, 140.0
MISSING = [name for name in ("jackd", "jalv") if not shutil.which(name)]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (apt install jackd2 jalv)"),
    pytest.mark.skipif(importlib.util.find_spec("jack") is None, reason="JACK-Client is not installed"),
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"segue-plugin-test-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    command = ["jackd", "-n", name, "-r", "-S", "-t", "4000", "-d", "dummy", "-r", str(RATE), "-p", str(PERIOD)]
    with (tmp_path / "jackd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield name
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def engine() -> Iterator[CountingProcess]:
    made = CountingProcess()
    yield made
    made.kill()


class JackRecorder:
    """A JACK client that is the timebase master and records while the transport rolls."""

    def __init__(self, name: str, seconds: int) -> None:
        import jack

        deadline = time.monotonic() + 30
        while True:
            try:
                self.client = jack.Client("recorder", no_start_server=True, servername=name)
                break
            except jack.JackError:
                assert time.monotonic() < deadline, "the JACK server did not start"
                time.sleep(0.1)
        self.port = self.client.inports.register("in")
        self.heard = np.zeros(seconds * RATE, np.float32)
        self.frames: list[int] = []
        self.count = 0
        self.client.set_process_callback(self._process)
        self.client.set_timebase_callback(self._timebase)
        self.client.activate()

    def _process(self, n_samples: int) -> None:
        state, position = self.client.transport_query_struct()
        if state == 1 and self.count + n_samples <= len(self.heard):
            self.frames.append(position.frame)
            self.heard[self.count : self.count + n_samples] = self.port.get_array()
            self.count += n_samples

    def _timebase(self, state: int, n_samples: int, position: object, new: bool) -> None:
        beats = position.frame * BPM / 60 / RATE
        position.valid = 0x10  # bar, beat and tick
        position.bar, position.beat = int(beats // 4) + 1, int(beats % 4) + 1
        position.tick = int(beats % 1 * 1920)
        position.bar_start_tick = beats // 4 * 4 * 1920
        position.beats_per_bar, position.beat_type, position.ticks_per_beat = 4.0, 4.0, 1920.0
        position.beats_per_minute = BPM


def test_the_mono_plugin_loads(bundles: Path, server: str, engine: CountingProcess, tmp_path: Path) -> None:
    shutil.copytree(bundles / "Segue-mono.lv2", tmp_path / "lv2" / "Segue-mono.lv2")
    JackRecorder(server, 1).client.close()  # the server is there
    known = environment(engine.port, LV2_PATH=str(tmp_path / "lv2"))
    with (tmp_path / "jalv.log").open("wb") as log:
        command = ["jalv", "-n", "segue", "-x", "urn:segue:plugin:mono"]
        jalv = subprocess.Popen(command, env=known, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        engine.wait(lambda line: line.get("message") == "lane/open")
        assert engine.messages("lane/open")[0][2] == "1"
    finally:
        jalv.terminate()
        jalv.wait(20)


def rolled(
    server: str,
    bundles: Path,
    engine: CountingProcess,
    folder: Path,
    settings: dict[str, float],
    seconds: int,
    begun: str,
) -> JackRecorder:
    """jalv with these settings, recorded while the transport rolls; from when the engine has heard `begun` on."""
    shutil.copytree(bundles / "Segue.lv2", folder / "lv2" / "Segue.lv2")
    recorder = JackRecorder(server, seconds)
    known = environment(engine.port, LV2_PATH=str(folder / "lv2"))
    given = [word for name, value in settings.items() for word in ("-c", f"{name}={value:g}")]
    with (folder / "jalv.log").open("wb") as log:
        command = ["jalv", "-n", "segue", "-x", *given, "urn:segue:plugin"]
        jalv = subprocess.Popen(command, env=known, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        engine.wait(lambda line: line.get("message") == begun)
        out = next(port for port in recorder.client.get_ports(is_output=True, is_audio=True) if "segue" in port.name)
        recorder.client.connect(out, recorder.port)
        recorder.client.transport_start()
        rolling = engine.wait(lambda line: line.get("playing") and line.get("bpm") == BPM)
        assert rolling["beats"] == pytest.approx(rolling["position"] * BPM / 60 / RATE, abs=0.01)
        deadline = time.monotonic() + 60
        while recorder.count + PERIOD <= len(recorder.heard):
            assert time.monotonic() < deadline, "JACK stands still"
            time.sleep(0.1)
    finally:
        jalv.terminate()
        jalv.wait(20)
        recorder.client.deactivate()
        recorder.client.close()
    return recorder


def test_jalv_plays_each_sample_at_its_place(
    bundles: Path, server: str, engine: CountingProcess, tmp_path: Path
) -> None:
    recorder = rolled(server, bundles, engine, tmp_path, {"generate": 1, "output": 1}, 5, "lane/play")
    heard = recorder.heard[: recorder.count]
    first = int(np.flatnonzero(heard)[0])
    number = round(float(heard[first]) * 2 * (1 << 20)) - 1  # its first sample's position
    assert_all_there(heard[first:], number, number)


def test_a_jam_in_jalv(bundles: Path, server: str, engine: CountingProcess, tmp_path: Path) -> None:
    """Trading bars in real time: each of Segue's lies on its bar line, to the sample, and nothing beside them."""
    settings = {"generate": 1, "output": 1, "follow_input": 2, "capture_bars": 1}
    recorder = rolled(server, bundles, engine, tmp_path, settings, 8, "lane/open")
    heard = recorder.heard[: recorder.count]
    first = int(np.flatnonzero(heard)[0])
    begin = round(float(heard[first]) * 2 * (1 << 20)) - 1 - first  # the position of the recording's first sample
    positions, grid = np.arange(begin, begin + len(heard)), Grid(RATE, BPM)
    turns = [int(values[1].removeprefix("bar ")) for values in engine.messages("lane/play")]
    assert turns == list(range(turns[0], turns[0] + 2 * len(turns), 2))
    wanted, dying = np.zeros_like(heard), np.zeros(len(heard), bool)
    for bar in turns:
        sounds = (positions >= grid.bar_start(bar)) & (positions < grid.bar_start(bar + 1))
        wanted[sounds] = value_at(positions[sounds])
        dying |= (positions >= grid.bar_start(bar + 1)) & (positions < grid.bar_start(bar + 1) + 240)
    np.testing.assert_array_equal(heard[~dying], wanted[~dying])
    assert np.count_nonzero(wanted) > grid.bar_start(1)
