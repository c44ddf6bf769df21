"""Sixteen musicians on four engines: one actor is killed, one engine drained at once and brought back, one queues.

`python -m plugin_host.bench.farm.stage --model FOLDER --t5 FOLDER --minutes 10` writes farm.json, and prints the table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bridge.errors import EndpointError
from bridge.far import frames
from bridge.far.frames import Kind
from plugin_host.client.engine_process import EngineProcessError
from plugin_host.console.screen import print_line
from plugin_host.farm import door
from plugin_host.relay.connection import FarConnection

START_SECONDS = 400.0
ASKS = 10
_UP = """
import sys
from plugin_host.farm.farm import FarmOptions
from plugin_host.farm.run import run_farm
secret, engines, cpus, port, *words = sys.argv[1:]
run_farm(FarmOptions(("127.0.0.1", int(port)), secret, int(engines), float(cpus), 0, "", tuple(words)),
         lambda text: print(text, flush=True))
"""


class Stage:
    """The farm's process, those of the musicians, and what happened when."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.out = options, Path(options.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.secret = secrets.token_hex(16)
        self.secret_file = self.out / "secret.txt"
        self.secret_file.touch(0o600)
        self.secret_file.write_text(self.secret + "\n")
        self.events: list[dict[str, Any]] = []
        self._processes: list[subprocess.Popen[str]] = []
        self.port = options.port

    def note(self, what: str, **more: Any) -> None:
        """Something happened.  [main]"""
        load = os.getloadavg()[0]
        self.events.append({"at": time.time(), "what": what, "load": load, **more})
        print_line(f"{what}{''.join(f', {name} {value}' for name, value in more.items())} (load {load:.1f})")

    def ask(self, **words: Any) -> dict[str, Any]:
        """Ask the door, again if this machine is too busy; EndpointError.  [main]"""
        for left in reversed(range(ASKS)):
            try:
                return asyncio.run(door.ask(("127.0.0.1", self.port), self.secret, **words))
            except EndpointError:
                if not left or self._processes[0].poll() is not None:
                    raise
        raise AssertionError

    def placement(self) -> dict[str, str]:
        """Each engine's lanes, or that it is not up.  [main]"""
        places = self.ask()["places"]
        return {each["name"]: f"{each['lanes']}/{each['lanes_max']}{' drained' if each['draining'] else ''}"
                if each["address"] else "not up" for each in places}  # fmt: skip

    def up(self) -> None:
        """Start the farm, until all engines are up; EngineProcessError.  [main]"""
        options = self.options
        words = ["--model", options.model, "--lanes", str(options.lanes), "--device", "cpu", "--threads", "1"]
        words += ["--t5", options.t5] if options.t5 else []
        command = [sys.executable, "-c", _UP, self.secret, str(options.engines), str(options.cpus), str(self.port)]
        self._log = (self.out / "farm.log").open("w")
        farm = subprocess.Popen([*command, *words], stdout=self._log, stderr=self._log, text=True)  # noqa: S603
        self._processes.append(farm)
        begun = time.monotonic()
        self.wait(lambda: self._count_up() == options.engines, "the farm is not up")
        self.note("up", seconds=round(time.monotonic() - begun, 1), placement=self.placement())

    def playing(self) -> int:
        """How many lanes are open.  [main]"""
        return sum(int(each["lanes"]) for each in self.ask()["places"])

    def rest(self, seconds: float) -> None:
        """Let them play, and note the load and the lanes every 15 seconds.  [main]"""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 15.0))
            self.events.append({"at": time.time(), "load": os.getloadavg()[0], "lanes": self.playing()})

    def _count_up(self) -> int:
        try:
            return sum(bool(each["address"]) for each in self.ask()["places"])
        except EndpointError:  # it is not there yet
            time.sleep(1.0)
            return 0

    def wait(self, done: Any, fault: str, seconds: float = START_SECONDS) -> None:
        """Until a condition holds; EngineProcessError.  [main]"""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline or self._processes[0].poll() is not None:
                raise EngineProcessError(f"{fault}\n{(self.out / 'farm.log').read_text()[-2000:]}")
            time.sleep(0.5)

    def musicians(self) -> list[subprocess.Popen[str]]:
        """Start all of them, four in a process.  [main]"""
        made = []
        for first in range(0, self.options.musicians, 4):
            count = min(4, self.options.musicians - first)
            words = [f"127.0.0.1:{self.port}", str(self.secret_file), str(first), str(count)]
            command = [sys.executable, "-m", "plugin_host.bench.farm.musicians", *words]
            with (self.out / f"musicians{first}.log").open("w") as log:
                made.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,  # noqa: S603
                                             stderr=log, text=True))  # fmt: skip
        self._processes += made
        return made

    def kill_actor(self, name: str) -> None:
        """Kill -9 the Ray worker of an engine, by the engine's far port.  [main]"""
        place = next(each for each in self.ask()["places"] if each["name"] == name)
        port = place["address"].rpartition(":")[2]
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if f"0.0.0.0:{port}".encode() in words and b"engine" in words:
                os.kill(int(parent), signal.SIGKILL)
                self.note(f"kill -9 of the actor of {name}", placement=self.placement())
                return
        raise EngineProcessError(f"no process listens at {port}")

    def fill_the_queue(self) -> str:
        """More relays than there is room for: what the first one that waits is told.  [main]"""

        async def knock() -> str:
            connection = await FarConnection.open("127.0.0.1", self.port, self.secret)
            connection.greet(secrets.token_hex(16), {})
            async for kind, payload in connection.incoming():
                connection.close()
                return str(frames.words_of(payload).get("text", "")) if kind is Kind.PLACE else kind.name
            return "closed"

        for _ in range(self.options.engines * self.options.lanes + 1):
            if text := asyncio.run(knock()):
                return text
        return "nobody had to wait"

    def close(self) -> None:
        """End all.  [main]"""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def run(options: argparse.Namespace) -> None:
    """The whole run.  [main]"""
    stage = Stage(options)
    try:
        stage.up()
        playing = stage.musicians()
        stage.wait(lambda: stage.playing() >= options.musicians, "not all play")
        stage.note("all play", placement=stage.placement())
        quarter = 60 * options.minutes / 4
        stage.rest(quarter)
        stage.kill_actor("engine-1")
        stage.rest(quarter)
        stage.note("a quarter later", placement=stage.placement())
        stage.ask(act="drain", place="engine-2", now=True)
        stage.note("drain --now engine-2", placement=stage.placement())
        stage.rest(quarter)
        stage.note("a quarter later", placement=stage.placement(), knocked=stage.fill_the_queue())
        stage.ask(act="undrain", place="engine-2")
        stage.rest(quarter)
        stage.note("the end", placement=stage.placement())
        found: list[dict[str, Any]] = []
        for each in playing:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        for each in playing:
            assert each.stdout is not None
            found += json.loads(each.stdout.readline() or "[]")
        (stage.out / "farm.json").write_text(json.dumps({"events": stage.events, "musicians": found}, indent=1) + "\n")
        times = os.times()
        stage.note("processor seconds of the musicians", seconds=round(times.children_user + times.children_system, 1))
        show(found)
        stage.ask(act="down")
        stage.wait(lambda: stage._processes[0].poll() is not None, "the farm does not go down", 60)
    finally:
        stage.close()


def show(found: list[dict[str, Any]]) -> None:
    """A line for each musician, and the sums.  [main]"""
    print_line("musician  holes  held bars  longest held s  on a bar line  losses  settings kept  seed kept  underruns")
    for each in found:
        held = each["held"]
        longest = max((seconds for _, seconds, _ in held), default=0.0)
        on_bar = f"{sum(on_bar for _, _, on_bar in held)} of {len(held)}"
        said = [each.get(name, "?") for name in ("losses", "temperature_kept", "seed_kept", "underruns", "fault")]
        print_line(f"{each['number']:>8} {each['holes']:>6} {len(held):>10} {longest:>14.2f} {on_bar:>14} "
                   f"{said[0]:>7} {said[1]!s:>14} {said[2]!s:>10} {said[3]:>10}  {said[4]}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--t5", default="")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--engines", type=int, default=4)
    parser.add_argument("--lanes", type=int, default=6)
    parser.add_argument("--musicians", type=int, default=16)
    parser.add_argument("--cpus", type=float, default=0.5)
    parser.add_argument("--port", type=int, default=19871)
    parser.add_argument("--out", default="segue-farm-bench")
    run(parser.parse_args())
