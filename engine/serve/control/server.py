"""The engine as a program: bind, load, warm up, serve until stopped, free everything.

[main]      options, signals, waiting               [generate]  runs the generate loop
[control]   the endpoint's thread: handlers         [load]      loads models, also while lanes play
[regions]   reads files
[pulse]     heartbeat in every ring; frees lanes whose host has died; reports late blocks
[feed]      sends subscribers the state of lanes
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from types import FrameType

from bridge.control.clients import Client
from bridge.control.endpoint import Endpoint
from bridge.control.status_text import is_loading, loading_text
from bridge.errors import EndpointError
from bridge.ring import shared_memory
from bridge.system.clock import MONOTONIC, Clock
from bridge.system.dependencies import broken_library
from bridge.system.turns import run_turns
from engine.serve.control.client_events import ClientEvents
from engine.serve.control.engine_handlers import EngineHandlers
from engine.serve.control.feed.collector import Collector
from engine.serve.control.feed.dump import Dump
from engine.serve.control.feed.feed import Feed
from engine.serve.control.feed.feed_handlers import FeedHandlers
from engine.serve.control.idle import IdleTime
from engine.serve.control.lane_handlers import LaneHandlers
from engine.serve.control.open_lanes import OpenLanes
from engine.serve.far.process import FarProcess
from engine.serve.lane.lane import Lane
from engine.serve.models.loader import Loader
from engine.serve.models.progress import Job
from engine.serve.options import EXIT_MODEL, EXIT_OK, EXIT_PORT, NO_MODEL, Options, parse
from engine.serve.screen import complain, log_plainly, say
from engine.serve.state import EMPTY, FAILED, LOADING, STOPPING, EngineState, Wanted

PULSE_SECONDS = 0.05
SWITCH_SECONDS = 0.001  # that a thread may hold the GIL while [generate] waits
LOOK_SECONDS = 0.25  # between checks whether hosts are alive
STOP_SECONDS = 10.0  # for a running hop to end
_log = logging.getLogger("segue.engine")


class Server:
    """One engine; `run` returns its exit code."""

    def __init__(self, options: Options, clock: Clock = MONOTONIC) -> None:
        """Bind the port; raises EndpointError before any slow work.  [main]"""
        self.options, self._clock = options, clock
        self.state = EngineState(text="starting", device=options.device)
        self._quit, self._exit_code = threading.Event(), EXIT_OK
        self.endpoint = Endpoint(
            options.port,
            {},
            host=options.host,
            engine=f"segue {program_version()}",
            secret=options.secret,
            allow_network=options.allow_network,
            plain_secret=options.plain_secret,
            on_gone=self._client_gone,
            on_refused=lambda address: self.feed_handlers.refused(address),
        )
        self.events = ClientEvents(self.endpoint, self.state, self._quit)
        self.loader = Loader(self.state, options.threads, options.t5, options.memory_mb, self.events, self._clock)
        lanes, endpoint = OpenLanes(), self.endpoint
        engine_handlers = EngineHandlers(
            options, self.state, self.loader, lanes, lambda: endpoint.counts, self._quit.set, self._clock
        )
        self.lane_handlers = LaneHandlers(
            options, self.state, engine_handlers, lanes, self.events, endpoint.later, self._clock
        )
        self.feed = Feed(Collector(self.state, lanes, self.loader), endpoint.send, self._clock)
        self.feed_handlers = FeedHandlers(self.feed, self.events, Dump(endpoint.send, self._clock), endpoint.watch)
        endpoint.handle(self.lane_handlers.handlers() | self.feed_handlers.handlers())
        self._far = FarProcess(options.listen, self.endpoint.port, options.far_secret, options.secret)
        self._generate = threading.Thread(target=self._play, name="segue-generate", daemon=True)
        self._pulse = threading.Thread(target=self._beat, name="segue-pulse", daemon=True)

    def run(self) -> int:
        """Serve until quit, SIGINT, SIGTERM or a fault of the model.  [main]"""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._on_signal)
        for name in shared_memory.remove_stale():
            say(f"removed {name}, left by an engine that died")
        self.endpoint.start()
        say(f"listening on {self.options.host}:{self.endpoint.port}, pid {os.getpid()}")
        self._far.start()
        self.lane_handlers.regions.start()
        self._generate.start()
        self._pulse.start()
        self.feed.start()
        self.loader.thread.start()
        self._begin()
        self._idle = IdleTime(self.options.idle_exit_minutes * 60, self._clock.now_seconds())
        run_turns(self._goes_on, "the engine's main thread", _log)
        return self._stop(self._exit_code)

    def _goes_on(self) -> bool:
        """Wait, and return whether the engine goes on."""
        parent = self.options.parent
        if self._quit.wait(0.5):
            return False
        if self._idle.over(self._in_use(), self._clock.now_seconds()):
            say(f"not used for {self.options.idle_exit_minutes:g} minutes: it ends (--idle-exit)")
            return False
        if parent and not shared_memory.pid_alive(parent):
            say(f"process {parent}, which started it, has ended")
            return False
        if not self._far.look():
            self._exit_code = EXIT_PORT
            return False
        return True

    def _client_gone(self, client: Client) -> None:
        self.lane_handlers.gone(client)
        self.feed_handlers.gone(client)

    def _in_use(self) -> bool:
        """Whether a lane is open, a client is connected, or a model is being loaded."""
        now = self.state.now
        loads = now.name == LOADING or is_loading(now.text)
        return loads or len(self.lane_handlers.lanes) > 0 or bool(self.endpoint.clients)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._quit.set()

    def _stop(self, exit_code: int = EXIT_OK) -> int:
        """Inform clients, let the running hop end, free every ring."""
        failed = self.state.now.name == FAILED
        exit_code = EXIT_MODEL if failed else exit_code
        if not failed:
            self.events.engine_changed(STOPPING, "the engine ends")
        self.loader.close()
        self._far.stop()
        generate_loop = self.state.generate_loop
        if generate_loop is not None:
            generate_loop.stop()
            self._generate.join(STOP_SECONDS)
        self.lane_handlers.regions.close()
        self.feed.close()
        self.endpoint.close()
        for lane in self.lane_handlers.lanes:  # those left by a hanging hop
            lane.ring.segment.unlink()
        say("ended")
        self.loader.thread.join(STOP_SECONDS / 5)
        if self._generate.is_alive() or self.loader.thread.is_alive():
            # inside a hop or a load: the interpreter would wait or crash
            sys.stderr.flush()
            os._exit(exit_code)
        return exit_code

    def _begin(self) -> None:
        """Load the start model, or report that there is none."""
        options = self.options
        if options.model == NO_MODEL:
            self.events.engine_changed(EMPTY, "no model is loaded")
            say("ready, no model: load one")
            return
        say(f"loading model {options.model}")
        self.events.engine_changed(LOADING, loading_text(options.model))
        self.loader.put(Job(Wanted(options.model, options.device, options.precision)))

    # -- [generate] -------------------------------------------------------------------------------------

    def _play(self) -> None:
        """Run the generate loop until it is stopped."""
        try:
            import torch

            from engine.serve.lane.generate_loop import GenerateLoop

            torch.set_num_threads(self.options.threads)
            torch.set_flush_denormal(True)
            generate_loop = GenerateLoop(None, self._clock)
        except Exception as fault:  # a broken installation
            broken = broken_library(fault)
            if broken is None:
                _log.exception("the engine cannot start")
            self.events.start_failed(broken or f"{type(fault).__name__}: {fault}")
            return
        self.state.runs(generate_loop)
        generate_loop.run()

    # -- [pulse] ----------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Send the heartbeat to every host, and check whether the hosts live."""
        looked = reported = self._clock.now_seconds()
        late: dict[int, int] = {}

        def beat() -> bool:
            nonlocal looked, reported
            self._clock.sleep(PULSE_SECONDS)
            now = self._clock.now_seconds()
            look, report = now - looked >= LOOK_SECONDS, now - reported >= 1.0
            looked, reported = now if look else looked, now if report else reported
            if report:
                self.loader.beat()
            self._look_after(look, late if report else None)
            return True

        run_turns(beat, "the pulse", _log)

    def _look_after(self, look: bool, late: dict[int, int] | None) -> None:
        """Check every lane once; `late` counts late blocks, None to report none."""
        for lane in self.lane_handlers.lanes:
            try:
                lane.ring.beat()
                if look and lane.ring.segment.cut:
                    self._free(lane, "its shared memory was cut short")
                elif look and (lane.ring.host_gone() or (lane.holder.left and not lane.host_plays())):
                    self._free(lane, f"its host (pid {lane.ring.host_pid}) has ended")
                if late is not None:
                    self._report_late(lane, late)
            except (ValueError, OSError):  # the ring is being closed
                continue

    def _free(self, lane: Lane, why: str) -> None:
        if lane.let_go():
            say(f"lane {lane.number}: {why}, the lane is freed")
            self.events.state_changed(lane, "idle", lane.view.written_beats, f"{why}, the lane is freed")
            self.lane_handlers.free(lane)

    def _report_late(self, lane: Lane, known: dict[int, int]) -> None:
        blocks = lane.late_blocks()
        new = blocks - known.get(lane.number, 0)
        known[lane.number] = blocks
        if new > 0:
            self.events.blocks_late(lane, new)


def program_version() -> str:
    """Version of the installed package.  [any]"""
    try:
        return version("segue")
    except PackageNotFoundError:
        return "0"


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m engine`; the exit code says how it ended.  [main]"""
    sys.setswitchinterval(SWITCH_SECONDS)
    log_plainly()
    options = parse(arguments)
    try:
        server = Server(options)
    except EndpointError as fault:
        complain(str(fault))
        return EXIT_PORT
    return server.run()
