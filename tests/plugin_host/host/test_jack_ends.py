"""A real JACK server ends and returns while the host plays; sound and MIDI through it in one process."""

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

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.skipif(shutil.which("jackd") is None, reason="jackd is not installed (apt install jackd2)"),
    pytest.mark.skipif(
        importlib.util.find_spec("jack") is None, reason="JACK-Client is not installed (pip install 'segue[jack]')"
    ),
]
PATIENCE_SECONDS = 60

PLAY = """
import sys, time
from bridge.time.transport import Grid
from plugin_host.host.headless import Host
from plugin_host.host.jack_card import JackCard
from plugin_host.playback.processor import Processor
from plugin_host.host.soundcard import open_card
from plugin_host.host.timeline import Timeline

def started(said=lambda line: print(line, flush=True)):
    host = Host(Processor(48000), Timeline(Grid(48000, 120.0), playing=True))
    card = open_card(host, "system", said)
    assert isinstance(card, JackCard)
    card.start()
    return host, card
"""

ENDS = (
    PLAY
    + """
import signal, threading

def count():  # JACK's threads wait for Python's lock beside it, when the client is closed
    n = 0
    while True:
        n += 1

for _ in range(2):
    threading.Thread(target=count, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
host, card = started()
try:
    while card.running:
        before = host.processor.counters.blocks
        time.sleep(0.05)
        print("plays" if host.processor.counters.blocks > before else "stands", flush=True)
finally:
    card.stop()
    print("let go", flush=True)
"""
)

WITHOUT_CLIENT = (
    """
import sys, time
sys.modules["jack"] = None  # JACK-Client is not installed
"""
    + PLAY.replace("assert isinstance", "assert not isinstance")
    + """
from plugin_host.host.soundcard import SoundCardError
host, card = started()
while card.running:
    time.sleep(0.05)
    print("plays" if host.processor.counters.blocks else "begins", flush=True)
try:
    card.stop()
except SoundCardError as error:
    print(error, flush=True)
    sys.exit(5)
"""
)

TOGETHER = (
    PLAY
    + """
import jack, mido
from plugin_host.sync import midi_ports
from plugin_host.sync.jack_midi import JackMidi
midi_ports._rtmidi = lambda: midi_ports.JackMidi()  # as where ALSA has no sequencer
for n in range(4):
    host, card = started()
    heard = []
    close_in = midi_ports.open_input("virtual:in", lambda *message: heard.append(message))
    send, close_out = midi_ports.open_output("virtual:out")
    patch = jack.Client("patch", no_start_server=True)
    patch.connect("segue-midi-out:out", "segue-midi-in:in")
    began = time.monotonic()
    send("songpos", 300)
    for tick in range(48):
        time.sleep(max(0.0, began + tick / 48 - time.monotonic()))
        send("clock")
    until = time.monotonic() + 20
    while len(heard) < 49 and time.monotonic() < until:
        time.sleep(0.01)
    assert heard[0][:2] == ("songpos", 300), heard
    assert [kind for kind, _, _ in heard[1:]] == ["clock"] * 48, heard
    took = heard[-1][2] - heard[1][2]
    assert 0.9 < took * 48 / 47 < 1.5, took
    assert host.processor.counters.blocks > 0
    patch.close()
    close_out()
    close_in()
    card.stop()
    print("together", n, flush=True)
"""
)


class JackServer:
    """A JACK server with its own name and a dummy device, which can be ended and restarted."""

    def __init__(self) -> None:
        self.name = f"segue-ends-test-{os.getpid()}"
        self.environment = {
            **os.environ, "JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["jackd", "-n", self.name, "-r", "-S", "-d", "dummy", "-r", "48000", "-p", "256"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready = ["jack_wait", "-w", "-t", "20", "-s", self.name]
        if shutil.which("jack_wait"):
            subprocess.run(ready, capture_output=True, env=self.environment)
        else:
            time.sleep(2)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


@pytest.fixture
def server() -> Iterator[JackServer]:
    found = JackServer()
    found.start()
    yield found
    found.end()


class Lines:
    """The lines that a child process prints."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child, self.all = child, list[str]()

    def until(self, holds: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        assert self._child.stdout is not None
        while time.monotonic() < deadline and (line := self._child.stdout.readline()):
            self.all.append(line.strip())
            if holds(line):
                return line
        raise AssertionError(f"not said: {self.all[-20:]} {self._child.poll()}")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_is_waited_for_and_sigterm_ends_the_wait(server: JackServer, how: signal.Signals) -> None:
    child = subprocess.Popen([sys.executable, "-c", ENDS], stdout=subprocess.PIPE, text=True, env=server.environment)
    try:
        lines = Lines(child)
        lines.until(lambda line: line.startswith("plays"))
        server.end(how)
        lines.until(lambda line: "JACK has ended" in line)
        lines.until(lambda line: line.startswith("stands"))
        server.start()
        lines.until(lambda line: "JACK is back" in line)
        lines.until(lambda line: line.startswith("plays"))
        server.end(how)
        lines.until(lambda line: "JACK has ended" in line)
        child.send_signal(signal.SIGTERM)
        lines.until(lambda line: line.startswith("let go"))
        assert child.wait(PATIENCE_SECONDS) == 143
    finally:
        child.kill()
        child.wait()


def test_without_jacks_client_the_end_of_the_server_is_said_and_ends_the_host(server: JackServer) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_CLIENT], stdout=subprocess.PIPE, text=True, env=server.environment
    )
    try:
        lines = Lines(child)
        lines.until(lambda line: line.startswith("plays"))
        server.end()
        assert "pip install 'segue[jack]'" in lines.until(lambda line: "the sound card has gone" in line)
        assert child.wait(PATIENCE_SECONDS) == 5
    finally:
        child.kill()
        child.wait()


def test_sound_and_midi_go_through_one_server_in_one_process(server: JackServer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER], capture_output=True, text=True, env=server.environment, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("together")] == [
        f"together {n}" for n in range(4)
    ]
