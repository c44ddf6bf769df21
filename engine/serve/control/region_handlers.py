"""Reads, checks and prepares regions on their own thread, [regions].

A long file takes seconds to read and convert; neither other answers nor the music wait for it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.control.arguments import NOW
from bridge.control.clients import Client
from bridge.control.messages import CHUNK_BYTES
from bridge.control.requests import LATER, Answer, Request, Responder
from bridge.errors import Busy
from bridge.region.capture import read_capture
from bridge.region.region import Region, make_region
from bridge.region.region_file import read_region
from bridge.region.transfer import Form, Transfers, format_numbers
from bridge.system.clock import Clock
from bridge.system.turns import run_turns
from bridge.time.units import CODEC_RATE_HZ, Signature
from engine.serve.control.background_analysis import BackgroundAnalysis
from engine.serve.control.region_analysis import RegionAnalysis, check_bpm, cleaned, found_values
from engine.serve.faults import wire_fault
from engine.serve.lane.command import Command
from engine.serve.lane.lane import Lane
from engine.serve.lane.meeting import Arrival
from engine.serve.lane_settings import CONTINUE, ReferenceAudio
from engine.system.freed_memory import trim
from engine.system.priority import lower_priority

if TYPE_CHECKING:
    from torch import Tensor

WAITING_MAX = 32
LONG_SECONDS = 60.0  # regions from this length on return their memory to the system
AHEAD_SAMPLES = 128  # extrapolated behind an audio prompt: more than a seam needs
_log = logging.getLogger("segue.engine")
Put = Callable[[Lane, Region, ReferenceAudio, Command], tuple[object, ...]]  # due beat, whether it is late


class RegionHandlers:
    """Handlers of the region messages and the thread behind them."""

    def __init__(
        self,
        lane_of: Callable[[int], Lane],
        must_take: Callable[[str], None],
        put: Put,
        command_of: Callable[[Request], Command],
        clock: Clock,
    ) -> None:
        self._lane_of, self._must_take, self._put, self._clock = lane_of, must_take, put, clock
        self._command_of = command_of
        self._analysis = RegionAnalysis()
        self._transfers = Transfers()
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(WAITING_MAX)
        self._was_long = False
        self._background = BackgroundAnalysis(clock)
        self._thread = threading.Thread(target=self._work, name="segue-regions", daemon=True)

    def start(self) -> None:
        """Start the threads.  [main]"""
        self._thread.start()
        self._background.start()

    def file(self, request: Request) -> Answer:
        """region/file.  [control]"""
        lane, role = self._lane_of(request.whole("lane")), request.text("role")
        self._must_take(role)
        path, command = request.text("path"), self._expected(request)
        bpm, start_beats = check_bpm(request.number("bpm")), request.number("start_beats")
        return self._later(
            request.responder,
            lambda: self._take(lane, read_region(path, role, bpm, start_beats), command, path),
            command,
        )

    def capture(self, request: Request) -> Answer:
        """region/capture: audio that a plugin recorded, copied from its shared memory.  [control]"""
        lane, role = self._lane_of(request.whole("lane")), request.text("role")
        self._must_take(role)
        name, command = request.text("name"), self._expected(request)

        def work() -> tuple[object, ...]:
            found = read_capture(name)
            region = make_region(found.audio, found.rate_hz, role, found.bpm, found.start_beats)
            return self._take(lane, region, command)

        return self._later(request.responder, work, command)

    def begin(self, request: Request) -> Answer:
        """region/begin.  [control]"""
        self._lane_of(request.whole("lane"))
        self._must_take(request.text("role"))
        form = Form(
            request.whole("lane"),
            request.text("role"),
            request.whole("samples"),
            request.whole("channels"),
            request.whole("rate_hz"),
            request.text("encoding"),
            check_bpm(request.number("bpm")),
            request.number("start_beats"),
        )
        transfer = self._transfers.begin(request.client, request.whole("transfer"), form, self._clock.now_seconds())
        return len(transfer.came), min(CHUNK_BYTES, form.size_bytes)

    def chunk(self, request: Request) -> Answer:
        """region/chunk.  [control]"""
        number, chunk = request.whole("transfer"), request.whole("chunk")
        self._transfers.chunk(request.client, number, chunk, request.text("data"), self._clock.now_seconds())
        return None

    def end(self, request: Request) -> Answer:
        """region/end.  [control]"""
        transfer = self._transfers.finish(request.client, request.whole("transfer"), request.text("crc32"))
        missing = transfer.missing()
        if missing:
            return len(missing), format_numbers(missing), 0.0, 1, 1, 0.0, "", 0.0, 0
        lane, command = self._lane_of(transfer.form.lane), self._expected(request)
        return self._later(request.responder, lambda: (0, "", *self._take(lane, transfer.region(), command)), command)

    def forget(self, client: Client) -> None:
        """Drop the unfinished regions of a client that is gone.  [control]"""
        self._transfers.forget(client)

    def listen(self, request: Request) -> Answer:
        """region/listen: analyse a file without using it.  [control]"""
        path, hint_bpm = request.text("path"), check_bpm(request.number("hint_bpm"))
        signature = Signature(request.whole("numerator"), request.whole("denominator"))

        def work() -> tuple[object, ...]:
            import torch

            from engine.audio.convert import at_model_rate

            region = read_region(path, CONTINUE, 0.0, 0.0)
            audio = at_model_rate(torch.from_numpy(region.audio.T.copy()), region.rate_hz, CODEC_RATE_HZ, 1)
            per_bar = float(signature.beats_per_bar)
            return found_values(self._analysis.analyse(audio, 0.0, per_bar, hurry=True, hint_bpm=hint_bpm))

        return self._later(request.responder, work)

    # -- the thread ---------------------------------------------------------------------------------------

    def _expected(self, request: Request) -> Command:
        """A region's command; scheduled commands sent with it wait until it is read."""
        command = self._command_of(request)
        return replace(command, arrival=Arrival(None if command.at == NOW else command.meeting))

    def _later(
        self, responder: Responder, job: Callable[[], tuple[object, ...]], command: Command | None = None
    ) -> Answer:
        arrival = command.arrival if command is not None and command.arrival is not None else Arrival(None)

        def work() -> None:
            try:
                responder.ok(*job())
            except Exception as fault:
                responder.error(wire_fault(fault))
            finally:
                arrival.come()  # if it failed before it had a due beat

        try:
            arrival.expect()
            self._jobs.put_nowait(work)
        except queue.Full:
            arrival.come()
            raise Busy(f"{WAITING_MAX} regions wait to be read and there is room for no more") from None
        return LATER

    def _take(self, lane: Lane, region: Region, command: Command, path: str = "") -> tuple[object, ...]:
        """Prepare a region for the model, give it to its lane, and answer with what was understood."""
        import torch

        from engine.audio.convert import at_model_rate

        audio = torch.from_numpy(region.audio).T
        goes_on = region.role == CONTINUE
        beyond = AHEAD_SAMPLES if goes_on else None
        sound = at_model_rate(audio, region.rate_hz, CODEC_RATE_HZ, audio.shape[0], beyond=beyond)
        sound, ahead = (sound[:, :-AHEAD_SAMPLES], sound[:, -AHEAD_SAMPLES:]) if goes_on else (sound, None)
        region, sound = cleaned(region, sound)
        signature = lane.clock.or_standing().signature
        region, fitted = self._analysis.fitted(lane, region, sound, CODEC_RATE_HZ, path)
        if fitted.audio is sound:
            fitted = replace(fitted, ahead=ahead)
        self._was_long = region.seconds > LONG_SECONDS
        understood, role, bpm = region.understood(signature), region.role, region.bpm
        region = replace(region, audio=region.audio[:0].copy())  # it may be large, and is no longer needed
        del audio
        placed = self._put(lane, region, fitted, command)
        self._background.put(lane, role, lambda lane: self._analyse(lane, role, bpm, sound))
        return *understood, *placed

    def _analyse(self, lane: Lane, role: str, bpm: float, audio: Tensor) -> None:
        """Analyse a region in use, and send the event."""
        try:
            per_bar = float(lane.clock.or_standing().signature.beats_per_bar)
            lane.events.region_found(lane, role, self._analysis.analyse(audio, bpm, per_bar))
        except Exception:  # the region is in use nevertheless
            _log.exception("a region could not be analysed")

    def _work(self) -> None:
        lower_priority()
        run_turns(self._next, "the regions", _log)

    def _next(self) -> bool:
        job = self._jobs.get()
        if job is None:
            return False
        job()
        del job  # it holds the region, which may be large
        if self._was_long:
            trim()
            self._was_long = False
        return True

    def close(self) -> None:
        """Stop after the region being read.  [main]"""
        self._jobs.put(None)
        self._background.close()
