"""The sound-card host on JACK's dummy device, if jackd is installed; the messages without a sound card."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.time.transport import Grid
from plugin_host.host import soundcard
from plugin_host.host.clip import Clip
from plugin_host.host.headless import Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.processor import Processor

ROOT = Path(__file__).parents[3]
RATE = 48_000
needs_jack = pytest.mark.skipif(
    shutil.which("jackd") is None,
    reason="jackd is not installed (apt install jackd2): no device without hardware",
)


@pytest.fixture(scope="module")
def jack() -> Iterator[str]:
    """A JACK server with a dummy device and its own name."""
    name = f"segue-sound-test-{os.getpid()}"
    command = ["jackd", "-n", name, "-r", "-S", "-d", "dummy", "-r", str(RATE), "-p", "256"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield name
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


PLAY = """
import sys, time
import numpy as np
from bridge.time.transport import Grid
from plugin_host.host.clip import Clip
from plugin_host.host.headless import Host
from plugin_host.playback.processor import Processor
from plugin_host.host.soundcard import SoundCardHost, outputs
from plugin_host.host.timeline import Timeline
print(outputs())
ramp = (np.arange(24000, dtype=np.float32) / 24000)[:, None].repeat(2, axis=1)
host = Host(Processor(48000), Timeline(Grid(48000), playing=True), Clip(ramp, 0), record_samples=24000)
card = SoundCardHost(host, "system")
card.start()
deadline = time.monotonic() + 60
while not host.finished and time.monotonic() < deadline:
    time.sleep(0.01)
card.stop()
assert host.finished and np.array_equal(host.take().audio, ramp)
print("played", host.processor.counters.blocks)
"""


@needs_jack
def test_every_sample_goes_through_a_jack_device(jack: str) -> None:
    environment = {
        **os.environ,
        "JACK_DEFAULT_SERVER": jack,
        "PYTHONPATH": str(ROOT),
        "JACK_NO_START_SERVER": "1",
    }
    deadline = time.monotonic() + 60
    while True:  # the server takes a moment
        done = subprocess.run(
            [sys.executable, "-c", PLAY], capture_output=True, text=True, env=environment, timeout=100
        )
        if done.returncode == 0 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "JACK Audio Connection Kit" in done.stdout
    assert "played" in done.stdout


def make_host() -> Host:
    clip = Clip(np.zeros((10, 2), np.float32), 0)
    return Host(Processor(RATE), Timeline(Grid(RATE)), clip)


def test_device_that_is_not_there_is_named() -> None:
    soundcard.load()
    with pytest.raises(soundcard.SoundCardError, match="no such card"):
        soundcard.SoundCardHost(make_host(), "no such card")


@pytest.mark.parametrize(("fault", "advice"), [(ImportError, "pip install"), (OSError, "libportaudio2")])
def test_missing_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception], advice: str
) -> None:
    real = __import__

    def without(name: str, *rest: object) -> object:
        if name == "sounddevice":
            raise fault("PortAudio library not found")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("builtins.__import__", without)
    with pytest.raises(soundcard.SoundCardError, match=advice):
        soundcard.load()
