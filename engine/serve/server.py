"""The engine as a program: bind, load, warm up, play until told to stop, leave nothing behind.

[main]      options, signals, waiting               [generate]  loads the model, then runs the studio
[control]   the endpoint's thread: handlers         [regions]   reads files
[pulse]     a sign of life in every ring; frees lanes whose host has died; tells of late blocks
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import TYPE_CHECKING

from bridge import messages, shm
from bridge.endpoint import Endpoint
from bridge.errors import EndpointError, SegueError
from engine.errors import EngineError
from engine.serve.desk import Desk
from engine.serve.lane import Lane
from engine.serve.options import EXIT_MODEL, EXIT_OK, EXIT_PORT, Options, parse
from engine.serve.pace import resident_mb
from engine.serve.state import FAILED, READY, STOPPING, EngineState

if TYPE_CHECKING:
    from engine.serve.studio import Studio

PULSE_SECONDS = 0.05
LOOK_SECONDS = 0.25  # between looks whether hosts are alive
STOP_SECONDS = 10.0  # to let a running hop end
_log = logging.getLogger("segue.engine")


def say(text: str) -> None:
    """One line of progress on the screen.  [any]"""
    sys.stdout.write(f"segue engine: {text}\n")
    sys.stdout.flush()


class Server:
    """One engine; `run` returns its exit code."""

    def __init__(self, options: Options) -> None:
        """Bind the port; raises EndpointError before anything slow happens.  [main]"""
        self.options = options
        self.state = EngineState(text="loading the model", device=options.device)
        self._quit = threading.Event()
        self._exit_code = EXIT_OK
        self.desk = Desk(options, self.state, self._quit.set)
        self.endpoint = Endpoint(
            options.port,
            self.desk.handlers(),
            host=options.host,
            engine=f"segue {program_version()}",
            secret=options.secret,
            allow_network=options.allow_network,
            on_gone=self.desk.gone,
        )
        self.desk.counts = self._counts
        self._generate = threading.Thread(target=self._load_and_play, name="segue-generate", daemon=True)
        self._pulse = threading.Thread(target=self._beat, name="segue-pulse", daemon=True)

    def run(self) -> int:
        """Serve until quit, SIGINT, SIGTERM or a fault of the model.  [main]"""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._on_signal)
        for name in shm.remove_stale():
            say(f"removed {name}, left by an engine that died")
        self.endpoint.start()
        say(f"listening on {self.options.host}:{self.endpoint.port}, pid {os.getpid()}")
        self.desk.regions.start()
        self._generate.start()
        self._pulse.start()
        parent = self.options.parent
        while not self._quit.wait(0.5):
            if parent and not shm.pid_alive(parent):
                say(f"process {parent}, which started it, has ended")
                break
        return self._stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._quit.set()

    def _stop(self) -> int:
        """Tell clients, let the running hop end, free every ring."""
        failed = self.state.name == FAILED
        if not failed:
            self._change(STOPPING, "the engine ends")
        studio = self.state.studio
        if studio is not None:
            studio.stop()
            self._generate.join(STOP_SECONDS)
        self.desk.regions.close()
        self.endpoint.close()
        for lane in self.desk.lanes.values():  # those that a hanging hop has left
            lane.ring.segment.unlink()
        say("ended")
        if self._generate.is_alive():  # inside a load or a hop: the interpreter would wait or crash
            sys.stderr.flush()
            os._exit(self._exit_code)
        return self._exit_code

    # -- [generate] -------------------------------------------------------------------------------------

    def _load_and_play(self) -> None:
        """Load and warm up; then the studio runs until it is stopped."""
        try:
            studio = self._load()
        except (EngineError, SegueError) as fault:
            self._fail(f"{fault}")
            return
        except Exception as fault:
            _log.exception("the model cannot be loaded")
            self._fail(f"{type(fault).__name__}: {fault}")
            return
        self.state.studio = studio
        self._change(READY, "")
        say("ready")
        studio.run()

    def _load(self) -> Studio:
        began = time.monotonic()
        say(f"loading model {self.options.model}")
        import torch

        from engine.load import load_model
        from engine.serve.studio import Studio

        torch.set_num_threads(self.options.threads)
        torch.set_flush_denormal(True)
        device = pick_device(self.options.device)
        self.state.device = device
        model = load_model(self.options.model, device, t5=self.options.t5)
        millions = sum(parameter.numel() for parameter in model.lm.parameters()) / 1e6
        took = time.monotonic() - began
        say(f"loaded in {took:.1f} s: {millions:.1f} M parameters on {device}, {self.options.threads} threads")
        say(f"follows {', '.join(sorted(model.takes))}")
        studio = Studio(model, self._report)
        warm_from = time.monotonic()
        studio.warm_up()
        say(f"warm in {time.monotonic() - warm_from:.1f} s, {resident_mb():.0f} MB resident")
        return studio

    def _fail(self, text: str) -> None:
        self._exit_code = EXIT_MODEL
        sys.stderr.write(f"segue engine: the model cannot be used: {text}\n")
        self._change(FAILED, text)
        self._quit.set()

    def _report(self, lane: Lane, state: str, beats: float, text: str) -> None:
        self.endpoint.notify(messages.EVENT_LANE, lane.number, state, beats, text[:400])

    def _change(self, state: str, text: str) -> None:
        self.state.name, self.state.text = state, text
        self.endpoint.notify(messages.EVENT_ENGINE, state, text[:400])

    def _counts(self) -> tuple[int, int]:
        counts = self.endpoint.counts
        return counts.received, counts.refused + counts.shed

    # -- [pulse] ----------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Show every host that the engine lives, and look whether the hosts do."""
        looked = told = time.monotonic()
        late: dict[int, int] = {}
        while True:
            time.sleep(PULSE_SECONDS)
            now = time.monotonic()
            look, tell = now - looked >= LOOK_SECONDS, now - told >= 1.0
            looked, told = now if look else looked, now if tell else told
            for lane in self.desk.lanes.values():
                try:
                    lane.ring.beat()
                    if look and (lane.ring.host_gone() or (lane.orphaned and not lane.host_plays())):
                        self._free(lane)
                    if tell:
                        self._tell_late(lane, late)
                except (ValueError, OSError):  # the ring is being closed
                    continue

    def _free(self, lane: Lane) -> None:
        if not lane.freeing:
            lane.freeing = True
            say(f"lane {lane.number}: its host (pid {lane.ring.host_pid}) has ended, the lane is freed")
            self._report(lane, "idle", lane.view.written_beats, "the host has ended, the lane is freed")
            self.desk.free(lane)

    def _tell_late(self, lane: Lane, known: dict[int, int]) -> None:
        blocks = lane.late_blocks()
        new = blocks - known.get(lane.number, 0)
        known[lane.number] = blocks
        if new > 0:
            text = "the engine falls behind; less load or a longer lead_seconds helps"
            self.endpoint.notify(messages.EVENT_LATE, lane.number, new, text)


def pick_device(name: str) -> str:
    """A device that is there; `auto` takes a GPU. EngineError names what there is.  [generate]"""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = ["cpu"] + [f"cuda:{n}" for n in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        there.append("mps")
    if name not in there and not (name == "cuda" and len(there) > 1):
        raise EngineError(f"there is no device {name!r}; there is: {', '.join(there)}")
    return name


def program_version() -> str:
    """Version of the installed package.  [any]"""
    try:
        return version("segue")
    except PackageNotFoundError:
        return "0"


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m engine`; the exit code says how it ended.  [main]"""
    logging.basicConfig(level=logging.WARNING, format="segue engine: %(levelname)s %(message)s")
    options = parse(arguments)
    try:
        server = Server(options)
    except EndpointError as fault:
        sys.stderr.write(f"segue engine: {fault}\n")
        return EXIT_PORT
    return server.run()
