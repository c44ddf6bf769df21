"""The processes of `segue bench --far`: the engine on one side of the wire, relay and player on the other."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.control import messages
from bridge.errors import NoAnswer, SegueError
from bridge.far.frames import FAR_PORT
from plugin_host.bench.far.player import PROMPTS
from plugin_host.bench.far.wire import ADDRESSES, ENGINE_SIDE, MUSICIAN_SIDE, Wire

START_SECONDS = 120.0
OSC_PORT = 9600  # in each namespace its own


class FarBenchError(SegueError):
    """A process of the bench ended; the message has its last words."""

    code = "far_bench"


class Scenes:
    """All processes, on one wire."""

    def __init__(self, wire: Wire, out: Path, model: str) -> None:
        self._wire, self._out, self._model = wire, out, model
        self.secret = secrets.token_hex(16)
        self._secret_file = out / "secret.txt"
        self._secret_file.touch(0o600)
        self._secret_file.write_text(self.secret + "\n")

    def _command(self, module: str, *words: str) -> list[str]:
        return [sys.executable, "-m", module, *words]

    @contextmanager
    def _process(self, side: int, name: str, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        with (self._out / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(self._wire.inside(side, list(command)), stdout=log, stderr=log)  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def engine(self) -> Iterator[None]:
        """The engine, until its model is hot.  [main]"""
        words = ("--listen", ADDRESSES[ENGINE_SIDE], "--secret-file", str(self._secret_file), "--model", self._model)
        with self._process(ENGINE_SIDE, "engine", self._command("engine", *words)) as process:
            deadline = time.monotonic() + START_SECONDS
            while f"model {self._model}: ready" not in (self._out / "engine.log").read_text(errors="replace"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise FarBenchError((self._out / "engine.log").read_text(errors="replace")[-1000:])
                time.sleep(0.2)
            yield

    @contextmanager
    def relay(self) -> Iterator[None]:
        """A relay, on the musician's side.  [main]"""
        where = f"{ADDRESSES[ENGINE_SIDE]}:{FAR_PORT}"
        command = self._command("plugin_host.cli", "relay", where, "--secret-file", str(self._secret_file))
        log = self._out / "relay.log"
        before = log.stat().st_size if log.exists() else 0
        with self._process(MUSICIAN_SIDE, "relay", command) as process:
            deadline = time.monotonic() + START_SECONDS
            while "connected to" not in (said := log.read_text(errors="replace")[before:]):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise FarBenchError(said[-1000:])
                time.sleep(0.1)
            yield

    @contextmanager
    def player(self, side: int, seconds: float, steers: int) -> Iterator[subprocess.Popen[str]]:
        """A player; it has said "playing".  [main]"""
        words = self._command("plugin_host.bench.far.player", str(OSC_PORT), str(seconds), str(steers))
        command = self._wire.inside(side, words)
        with (self._out / "player.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603
        assert process.stdout is not None
        try:
            if process.stdout.readline().strip() != "playing":
                raise FarBenchError((self._out / "player.log").read_text(errors="replace")[-1000:])
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()

    def played(self, side: int, seconds: float, steers: int) -> dict[str, Any]:
        """What a player heard.  [main]"""
        with self.player(side, seconds, steers) as process:
            return result_of(process)

    def in_the_clear(self) -> dict[str, int]:
        """How often the wire had the secret, a prompt, an OSC address; and `seen`: a prompt that was sent in the clear.

        [main]
        """
        kept = bytes(self._wire.kept)
        words = {"secret": self.secret, "prompts": PROMPTS[0], "OSC addresses": messages.LANE_PROMPT.address}
        found = {name: kept.count(text.encode()) for name, text in words.items()}
        send = (
            f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            f"s.sendto({PROMPTS[0].encode()!r}, ({ADDRESSES[ENGINE_SIDE]!r}, 9))"
        )
        subprocess.run(self._wire.inside(MUSICIAN_SIDE, [sys.executable, "-c", send]), check=True)  # noqa: S603
        deadline = time.monotonic() + 5.0
        while not (seen := bytes(self._wire.kept[len(kept) :]).count(PROMPTS[0].encode())):
            if time.monotonic() > deadline:
                raise NoAnswer("the wire does not see what is sent in the clear")
            time.sleep(0.05)
        return {**found, "seen": seen, "bytes": len(kept)}


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """A player's result; FarBenchError.  [main]"""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise FarBenchError(f"the player ended with code {process.wait()}")
    found: dict[str, Any] = json.loads(line)
    return found
