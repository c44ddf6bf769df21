"""Processes for the tests of the built plugin: the counting engine, and hosts that load a bundle."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bridge.control import messages
from bridge.control.packet import encode, parse
from bridge.control.parameters import KNOBS
from bridge.control.rows import ROOT
from plugin_host import plugin
from plugin_host.client.engine_process import free_port
from tests.plugin_host.plugin.counting_engine import value_at
from tests.plugin_host.plugin.native_core import repository

PATIENCE_SECONDS = 60.0
HOSTS = Path(__file__).parent / "hosts"


def environment(port: int = 0, **more: str) -> dict[str, str]:
    """Environment of a child process: this repository, and the engine's port. No plugin starts an engine unless a
    test says so."""
    ours = {"PYTHONPATH": str(repository()), "OMP_NUM_THREADS": "1"}
    known = {"SEGUE_PLUGIN_ENGINE": "off", **os.environ, **ours, **more}
    return {**known, "SEGUE_ENGINE_PORT": str(port)} if port else known


class CountingProcess:
    """counting_engine.py in its own process; `lines` are its output."""

    def __init__(self, port: int = 0, protocol: int = messages.PROTOCOL) -> None:
        self.port, self.protocol = port or free_port(), protocol
        self.lines: list[dict] = []
        self.refused: dict[str, list[str]] = {}  # from its next start on: [code, text] by message
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        script = Path(__file__).parent / "counting_engine.py"
        command = [sys.executable, str(script), str(self.port), str(self.protocol), json.dumps(self.refused)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment())
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.wait(lambda line: line.get("ready") == self.port)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(json.loads(line))

    def wait(self, wanted: Callable[[dict], object], after: int = 0) -> dict:
        """Wait for the first matching line; fails after a long time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for line in self.lines[after:]:
                if wanted(line):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"waited in vain; it said {self.lines[-12:]}")

    def messages(self, name: str) -> list[list[str]]:
        """The values of all messages of that name."""
        return [line["values"] for line in self.lines if line.get("message") == name]

    def refuse(self, message: str, *why: str) -> None:
        """Refuse a message with a code and a text; without both accept it again."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([message, *why]) + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """Kill it, like a crash."""
        self.process.kill()
        self.process.wait()


class RealEngine:
    """`python -m engine` with the embedded model."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.start()

    def start(self) -> None:
        """Start it, or start it again, and wait until its model is hot."""
        self.log = ""
        command = [sys.executable, "-m", "engine", "--port", str(self.port)]
        out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process = subprocess.Popen(command, env=environment(PYTHONUNBUFFERED="1"), cwd=repository(), **out)
        threading.Thread(target=self._read, daemon=True).start()
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while "ready" not in self.log:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line

    def kill(self) -> None:
        """Kill it, like a crash."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it, like Ctrl-C."""
        self.process.terminate()
        self.process.wait(30)


def start_host(script: str, *words: object, port: int) -> subprocess.Popen[str]:
    """Start a script of hosts/ with its stdin and stdout open."""
    command = [sys.executable, str(HOSTS / script), *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment(port))


def finished(host: subprocess.Popen[str], seconds: float = PATIENCE_SECONDS) -> dict:
    """A host's last line, as JSON; fails with its whole output if the host failed."""
    out, err = host.communicate(timeout=seconds)
    assert host.returncode == 0, f"{out}\n{err}"
    return dict(json.loads(out.splitlines()[-1]))


def assert_all_there(audio: np.ndarray, first: int, position: int = 0) -> None:
    """`audio` [n] begins at host position `position`: silence up to `first`, then each sample at its position."""
    count = len(audio)
    assert not audio[: first - position].any()
    wanted = value_at(np.arange(first, position + count))
    wrong = np.flatnonzero(audio[first - position :] != wanted)
    assert not len(wrong), f"{len(wrong)} samples are not what they should be, the first {first + wrong[0]}"


class DrivenHost:
    """hosts/clap_driven.py: a CLAP host controlled by a test, with one plugin at a time."""

    def __init__(self, bundles: Path, port: int) -> None:
        self.process = start_host("clap_driven.py", bundles / "Segue.clap", port=port)
        header = (Path(plugin.__file__).parent / "src" / "params.hpp").read_text()
        rows = re.findall(r'^ +{(?:"(\w+)"|lane_parameter::(\w+)\.knob), "', header, re.MULTILINE)
        knobs = {name: knob for knob, name in KNOBS.items()}
        self.numbers = {symbol or knobs.get(name, name): number for number, (symbol, name) in enumerate(rows)}

    def do(self, what: str, **how: object) -> dict:
        """Send one order; returns its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        return dict(json.loads(line))

    def run(
        self, samples: int = 512, playing: bool = False, at: int | None = None, counted: bool = False,
        cycle: tuple[int, int] | None = None, told: bool = True, noise: bool = False, **turned: float,
    ) -> np.ndarray:  # fmt: skip
        """Run blocks of this many samples, with parameters set by name before them; returns one channel of the
        output. `cycle`: first sample and the one behind the last, which the host reports if `told`."""
        turned_by_number = self.by_number(**turned)
        answer = self.do("run", samples=samples, playing=playing, at=at, counted=counted, cycle=cycle, told=told,
                         noise=noise, set=turned_by_number)  # fmt: skip
        return np.frombuffer(bytes.fromhex(answer["audio"]), np.float32)

    def by_number(self, **turned: float) -> dict[int, float]:
        """Parameters as the host numbers them."""
        return {self.numbers[name]: value for name, value in turned.items()}

    def value(self, name: str) -> float:
        """A parameter's present value."""
        return float(self.do("value", number=self.numbers[name])["value"])

    def until(self, condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
        """Stand, block after block, until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; engine state {self.value('engine')}"
            self.run()
            time.sleep(0.01)

    def end(self) -> None:
        """End the host."""
        self.process.kill()
        self.process.wait()


def ask_plugin(port: int, name: str, *values: object) -> list[object]:
    """A plugin's answer to a message at its control port: "ok" or "error", then the values after its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(10)
        wire.sendto(encode(f"{ROOT}/plugin/{name}", list(values)), ("127.0.0.1", port))
        answer = parse(wire.recv(65535))[0]
    assert answer.values[0] == f"{ROOT}/plugin/{name}"
    if answer.address == messages.PLUGIN_OK.address:
        messages.TABLE[str(answer.values[0])].reply_values(answer.values[1:])  # number and types as in its row
    else:
        messages.PLUGIN_ERROR.check(answer.values)
    return [answer.address.rsplit("/", 1)[1], *answer.values[1:]]
