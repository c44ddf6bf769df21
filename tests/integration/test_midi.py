"""`segue midi` as the player runs it: a controller at a real JACK port, a running engine, learning by OSC."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import pytest
from engine_rig import Engine, wait_for

from bridge.control import midi_rows as rows
from bridge.control.arguments import Message
from bridge.control.packet import Packet, parse
from plugin_host.client.client import EngineClient
from plugin_host.midi.map_file import read_map
from plugin_host.sync.jack_midi import JackMidi
from plugin_host.sync.reading import SourceError

pytestmark = [
    pytest.mark.skipif(shutil.which("jackd") is None, reason="jackd is not installed (apt install jackd2)"),
    pytest.mark.skipif(importlib.util.find_spec("jack") is None, reason="JACK-Client is not installed"),
]
SURFACE = "surface"


@pytest.fixture
def jack_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    name = f"segue-midi-test-{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    command = ["jackd", "-n", name, "-r", "-S", "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(answers)
    yield
    server.terminate()
    server.wait(10)


def answers() -> bool:
    try:
        JackMidi()
    except SourceError:
        return False
    return True


class Surface:
    """A controller with lights: what it is told stands in `lights`, by the number of the control."""

    def __init__(self) -> None:
        self.lights: dict[int, int] = {}  # of this time that it is plugged in
        self.knobs: Any = JackMidi().open_output(SURFACE, virtual=True)
        self.leds: Any = JackMidi().open_input(SURFACE, self._light, virtual=True)

    def _light(self, message: Any, seconds: float) -> None:
        if message.type == "control_change":
            self.lights[message.control] = message.value

    def turn(self, control: int, *values: int) -> None:
        """Send values, as fast as a hand does."""
        for value in values:
            self.knobs.send(mido.Message("control_change", control=control, value=value))
            time.sleep(0.03)

    def unplug(self) -> None:
        self.knobs.close()
        self.leds.close()


class Panel:
    """A program that listens to the map's own port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(30)

    def ask(self, row: Message, *values: object) -> Packet:
        self.socket.send(row.pack(*values))
        return self.until(rows.MIDI_OK, rows.MIDI_ERROR)

    def until(self, *wanted: Message) -> Packet:
        """The next message of one of these rows."""
        while True:
            for packet in parse(self.socket.recv(65535)):
                if packet.address in {row.address for row in wanted}:
                    return packet


@pytest.fixture
def map_program(engine: Engine, jack_server: None, tmp_path: Path) -> Iterator[tuple[Surface, int, Path]]:
    surface, path = Surface(), tmp_path / "map.toml"
    command = [sys.executable, "-m", "plugin_host.cli", "midi", SURFACE, "--map", str(path), "--osc-port", "0"]
    program = subprocess.Popen(
        [*command, "--port", str(engine.port)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert program.stdout is not None
    said = ""
    for line in program.stdout:
        said += line
        if "learning by OSC on port" in line:
            break
    assert "learning by OSC on port" in said, said
    yield surface, int(said.split()[-1]), path
    program.terminate()
    assert program.wait(20) == 143
    program.stdout.close()
    surface.unplug()


def test_a_knob_is_learned_picks_up_and_shows_what_others_set(
    map_program: tuple[Surface, int, Path], client: EngineClient
) -> None:
    surface, port, path = map_program
    panel, (lane, _) = Panel(port), client.open_lane(0)[:2]
    value = lambda: client.get(lane, "temperature").value  # noqa: E731
    panel.ask(rows.MIDI_LISTEN)

    refused = panel.ask(rows.MIDI_LEARN, "temprature")
    assert refused.values[1] == "midi_map"
    assert "temperature" in str(refused.values[2])
    panel.ask(rows.MIDI_LEARN, "top_k")
    panel.ask(rows.MIDI_CANCEL)  # as Escape does
    surface.turn(30, 100)
    panel.ask(rows.MIDI_LEARN, "temperature")
    surface.turn(30, 5, 6, 7)
    assert panel.until(rows.MIDI_LEARNED).values == ("ch 1 cc 30", "temperature")
    assert any(each.control.name == "ch 1 cc 30" for each in read_map(path).bindings)
    wait_for(lambda: surface.lights.get(30) == round(127 / 4))  # 1.0 of 0 to 4

    surface.turn(30, 8, 20)
    moved = panel.until(rows.MIDI_MOVED)
    while moved.values[0] != "ch 1 cc 30" or moved.values[2] < 0.6:
        moved = panel.until(rows.MIDI_MOVED)
    assert moved.values[3] == 0  # not caught
    assert value() == 1.0
    surface.turn(30, 40)  # past it
    wait_for(lambda: value() == pytest.approx(4 * 40 / 127, abs=1e-5))

    client.set(lane, "temperature", 3.0)  # another client
    wait_for(lambda: surface.lights[30] == round(127 * 3 / 4))

    surface.unplug()
    assert panel.until(rows.MIDI_DEVICE).values[1] == 0
    surface.__init__()  # type: ignore[misc]
    assert panel.until(rows.MIDI_DEVICE).values[1] == 1
    wait_for(lambda: surface.lights.get(30) == round(127 * 3 / 4))  # also the lights
    for _ in range(50):
        surface.knobs.send(mido.Message("sysex", data=[1] * 200))
    surface.turn(30, 90, 96, 20)
    wait_for(lambda: value() == pytest.approx(4 * 20 / 127, abs=1e-5))
    client.close_lane(lane)
