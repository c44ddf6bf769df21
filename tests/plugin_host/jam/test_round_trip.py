"""The loop-back test: on simulated devices, and through a real JACK server with a loop of a known length."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from plugin_host.jam.listening import compensation
from plugin_host.jam.listening.round_trip import BURSTS, LoopTest, RoundTrip
from tests.plugin_host.jam.players import RATE, loudspeaker, through

ROOT = Path(__file__).parents[3]
Device = Callable[[np.ndarray], np.ndarray]


def measured(device: Device, rate: int = RATE, blocks: tuple[int, ...] = (4096,), channels: int = 1) -> RoundTrip:
    """Run the test on a device: what it plays does not depend on what it hears, so it is run twice."""
    played = rendered(LoopTest(rate, channels), np.zeros((20 * rate, channels), np.float32), blocks)
    test = LoopTest(rate, channels)
    captured = np.repeat(device(played)[:, None], channels, 1).astype(np.float32)
    assert np.array_equal(rendered(test, captured, blocks), played)
    return test.result()


def rendered(test: LoopTest, captured: np.ndarray, blocks: tuple[int, ...]) -> np.ndarray:
    """All that the test plays, block by block."""
    parts: list[np.ndarray] = []
    at = 0
    while not test.finished:
        n = blocks[len(parts) % len(blocks)]
        out = np.full((n, 2), np.nan, np.float32)
        test.render(np.resize(captured[at : at + n], (n, captured.shape[1])), out)
        assert np.array_equal(out[:, 0], out[:, 1])
        parts.append(out[:, 0])
        at += n
    return np.concatenate(parts)


def delayed(samples: int, gain: float = 1.0, noise: float = 0.0) -> Device:
    hiss = (noise * np.random.default_rng(1).standard_normal(20 * RATE)).astype(np.float32)

    def device(played: np.ndarray) -> np.ndarray:
        late = np.concatenate([np.zeros(samples, np.float32), played])[: len(played)]
        return gain * late + hiss[: len(played)]

    return device


@pytest.mark.parametrize(
    ("samples", "gain", "noise", "rate", "blocks"),
    [
        (1, 1.0, 0.0, 48_000, (4096,)),
        (512, 1.0, 0.0, 48_000, (4096, 1, 333)),
        (1234, 0.1, 0.01, 44_100, (4096,)),
        (9600, 0.02, 0.001, 48_000, (2048,)),
        (30_000, -0.5, 0.05, 96_000, (8192,)),
    ],
)
def test_round_trip_is_found(samples: int, gain: float, noise: float, rate: int, blocks: tuple[int, ...]) -> None:
    found = measured(delayed(samples, gain, noise), rate, blocks)
    assert found.usable
    assert found.found == BURSTS
    assert found.samples == pytest.approx(samples, abs=0.6)
    assert found.level_db == pytest.approx(20 * np.log10(abs(gain)), abs=0.5)
    assert found.advice == ""


def test_loudspeaker_in_a_room_is_found_within_a_millisecond() -> None:
    way = loudspeaker(41.0, -20.0, 0.12)
    found = measured(lambda played: through(way, played))
    assert found.ms == pytest.approx(41.0, abs=1.0)
    assert found.spread_samples < 2


def test_nothing_comes_back() -> None:
    silent = measured(lambda played: np.zeros_like(played))
    assert not silent.usable
    assert "connect an output to an input" in silent.advice
    noisy = measured(delayed(0, 0.0, 0.1))
    assert not noisy.usable
    assert "too faint" in noisy.advice
    assert "turn its gain down" in measured(delayed(100, 40.0)).advice


def test_compensation_is_kept_by_device_and_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_CONFIG", str(tmp_path / "new"))
    assert compensation.round_trip_samples("a > b", 48_000) is None
    compensation.remember("a > b", RoundTrip(48_000, 8, 1234.4, 1.0))
    compensation.remember("c > d", RoundTrip(48_000, 8, 77.0, 1.0))
    assert compensation.round_trip_samples("a > b", 48_000) == 1234
    assert compensation.round_trip_samples("a > b", 44_100) is None
    compensation.settings_file().write_text("{broken")
    assert compensation.round_trip_samples("a > b", 48_000) is None
    compensation.settings_file().unlink()
    compensation.settings_file().mkdir()
    with pytest.raises(compensation.SettingsError, match="cannot store the round trip"):
        compensation.remember("a > b", RoundTrip(48_000, 8, 1234.4, 1.0))


needs_jack = pytest.mark.skipif(
    shutil.which("jackd") is None or importlib.util.find_spec("jack") is None,
    reason="jackd or JACK-Client is not installed (apt install jackd2; pip install 'segue[jack]')",
)
LOOP = """
import sys, jack, numpy as np
client = jack.Client("loop", no_start_server=True)
into, out = client.inports.register("in_1"), client.outports.register("out_1")
line = np.zeros(int(sys.argv[1]), np.float32)
def process(n):
    global line
    line = np.concatenate([line, into.get_array()])
    out.get_array()[:] = line[:n]
    line = line[n:]
client.set_process_callback(process)
client.activate()
print("ready", flush=True)
sys.stdin.read()
client.deactivate()
client.close()
"""
BLOCK = 256


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    name = f"segue-loop-test-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    command = ["jackd", "-n", name, "-r", "-S", "-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    running.send_signal(signal.SIGTERM)
    try:
        running.wait(10)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def looped(delay: int) -> subprocess.Popen[str]:
    """A JACK client that gives back what it takes, so many samples later; the server may still be starting."""
    until = time.monotonic() + 20
    while True:
        loop = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert loop.stdout is not None
        if loop.stdout.readline():
            return loop
        _, said = loop.communicate()
        assert time.monotonic() < until, said
        time.sleep(0.2)


@needs_jack
def test_doctor_measures_a_loop_through_jack_and_stores_it(server: None, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "SEGUE_CONFIG": str(tmp_path)}
    devices = ("--in", "jack:loop", "--sound-device", "jack:loop")
    command = [sys.executable, "-m", "plugin_host.cli", "doctor", "--audio", *devices]
    read = (
        "from plugin_host.jam.listening.loop_device import known_round_trip\n"
        f"print(known_round_trip('jack:loop', 'jack:loop', {RATE}))"
    )
    silent = [*command[:-4], "--in", "jack:system", "--sound-device", "jack:system"]
    loop = looped(777)
    beside = subprocess.Popen(silent, stdout=subprocess.PIPE, text=True, env=environment)  # nothing comes back there
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    said, _ = beside.communicate(timeout=60)
    known = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, env=environment)
    loop.communicate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{BURSTS} of {BURSTS} bursts" in done.stdout
    assert "segue jam" in done.stdout
    assert int(known.stdout) - 777 in (0, BLOCK, 2 * BLOCK), "JACK adds whole blocks, where its graph goes round"
    assert beside.returncode == 5
    assert "connect an output to an input" in said
