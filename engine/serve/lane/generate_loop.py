"""The thread [generate]: owns the model, every lane's stream and every ring's write side.

    commands -> each lane's controller: follow host and settings -> lanes that want frames advance together
             -> codec, resampler, ring -> views, for answers

Nothing waits for a lane: one with its lead full is skipped, one that fails stops alone.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from bridge.system.clock import Clock
from engine.codec.beside import DecodeThread
from engine.model import LoadedModel
from engine.serve.lane.controller import LaneController
from engine.serve.lane.lane import PLAYING, Lane
from engine.serve.lane.timing import Medians
from engine.serve.render.piece_decoder import PIECE_FRAMES
from engine.stream.lanes import LaneBatch, LaneFrames

HOP_FRAMES = 8  # advanced at a time while rings are well filled; whole pieces
QUICK_FRAMES = PIECE_FRAMES  # advanced at a time while a ring is nearly empty, so that its first sound comes soon
WELL_FILLED_SECONDS = 0.5
FIRST_SECONDS = 1.0  # in the ring of each playing lane, before lanes whose hosts wait get a turn
PRESSED_SECONDS = 0.1  # length of such a turn while others play
IDLE_SECONDS = 0.005  # between two turns when there is nothing to do
Answer = TypeVar("Answer")
_log = logging.getLogger("segue.engine")


@dataclass(frozen=True)
class LoopFigures:
    """Measured times for the stats answer; `decode_ms`: time that decoding adds to the steps.  [any]"""

    step_ms: float
    decode_ms: float
    realtime_ratio: float


class GenerateLoop:
    """Runs lanes on a loaded model until stopped; other threads reach it by `post`."""

    def __init__(self, model: LoadedModel | None, clock: Clock) -> None:
        self.model, self._change_seconds = model, 0.0
        self.clock = clock
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._controllers: dict[int, LaneController] = {}
        self._batch = LaneBatch()
        self._figures = Medians()
        self._made_seconds = self._worked_seconds = 0.0
        self._decoding = _decode_thread(model)
        self._stopping = threading.Event()

    # -- from other threads -----------------------------------------------------------------------------

    def post(self, command: Callable[[], None]) -> None:
        """Run a command on [generate], between two hops.  [any]"""
        self._commands.put(command)

    def stop(self) -> None:
        """Ask `run` to return soon.  [any]"""
        self._stopping.set()
        self._commands.put(lambda: None)

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Run a question on [generate], between two hops; returns or raises what it does.

        RuntimeError when the generate loop has stopped.  [load]
        """
        future: Future[Answer] = Future()

        def work() -> None:
            try:
                future.set_result(question())
            except Exception as error:
                future.set_exception(error)

        self.post(work)
        while True:
            try:
                return future.result(timeout=0.5)
            except TimeoutError:
                if future.done() or self._stopping.is_set():
                    raise RuntimeError("the engine ends") from None

    def fill_low_seconds(self) -> float:
        """The lowest fill of a ring whose host plays music still being made; infinity without one.  [any]"""
        fills = [controller.lane.view.fill_seconds for controller in self.controllers() if _hungry(controller)]
        return min(fills, default=float("inf"))

    def controllers(self) -> list[LaneController]:
        """The controllers of all open lanes.  [any]"""
        return list(self._controllers.values())

    def figures(self) -> LoopFigures:
        """Recent measurements.  [any]"""
        ratio = self._made_seconds / self._worked_seconds if self._worked_seconds else 0.0
        return LoopFigures(self._figures.median("step_ms"), self._figures.median("decode_ms"), ratio)

    # -- on [generate] ------------------------------------------------------------------------------------

    def open(self, lane: Lane) -> None:
        """Add a lane.  [generate]"""
        controller = self._controllers[lane.number] = LaneController(lane, self.model)
        controller.use(self.model, self._change_seconds)
        lane.driven_by(controller)

    def use(self, model: LoadedModel | None, change_seconds: float = 0.0) -> None:
        """Use another model for new streams, None for no model; `change_seconds`: measured time of a change to it.

        [generate]
        """
        self.model, self._change_seconds = model, change_seconds
        self._decoding.close()
        self._decoding = _decode_thread(model)
        self._figures = Medians()
        self._made_seconds = self._worked_seconds = 0.0
        for controller in self.controllers():
            controller.use(model, change_seconds)

    def forget(self, controller: LaneController) -> None:
        """Remove a lane's stream; it is re-added if the lane keeps playing.  [generate]"""
        self._batch.remove(controller.lane.number)

    def close(self, lane: Lane) -> None:
        """Close a lane and free its ring.  [generate]"""
        controller = self._controllers.pop(lane.number, None)
        self._batch.remove(lane.number)
        if controller is not None:
            controller.close()

    def run(self) -> None:
        """Run until `stop`, then close every lane.  [generate]"""
        while not self._stopping.is_set():
            try:
                if not self.turn():
                    self._idle()
            except Exception:
                _log.exception("a turn of the engine failed")
                self.clock.sleep(IDLE_SECONDS)
        for controller in list(self._controllers.values()):
            self.close(controller.lane)
        self._decoding.close()

    def _idle(self) -> None:
        try:
            command = self._commands.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return
        self._obey(command)

    def _obey(self, command: Callable[[], None]) -> None:
        try:
            command()
        except Exception:
            _log.exception("a command failed")

    def turn(self) -> bool:
        """Run commands, follow hosts, advance lanes that want frames by a hop; False when none did.  [generate]"""
        while True:
            try:
                self._obey(self._commands.get_nowait())
            except queue.Empty:
                break
        self.follow()
        waiting = self._first([controller for controller in self.controllers() if controller.wants_frames()])
        if waiting:
            self._advance(waiting)
        elif any(map(_hungry, self.controllers())):
            self._batch.keep_warm()  # so that the next hop is as fast
        return bool(waiting)

    def _first(self, waiting: list[LaneController]) -> list[LaneController]:
        """The lanes to advance first: while a playing lane has too little and wants more, none whose host waits."""
        playing = [controller for controller in waiting if not controller.lane.waits and _hungry(controller)]
        short = any(controller.lane.view.fill_seconds < FIRST_SECONDS for controller in playing)
        return [controller for controller in waiting if not controller.lane.waits] if short else waiting

    def _pressed(self, waiting: list[LaneController], began: float) -> bool:
        """Whether a turn for waiting hosts has lasted so long that playing lanes come next."""
        if self.clock.now_seconds() - began < PRESSED_SECONDS or not any(each.lane.waits for each in waiting):
            return False
        return any(not controller.lane.waits and _hungry(controller) for controller in self.controllers())

    def follow(self) -> None:
        """Let every lane follow its host and its commands.  [generate]"""
        for controller in self.controllers():
            try:
                controller.tick()
            except Exception as error:
                self._fail(controller, error)
            if controller.renderer is None:
                self._batch.remove(controller.lane.number)

    def _advance(self, waiting: list[LaneController]) -> None:
        hop = QUICK_FRAMES if any(map(_hurried, waiting)) else HOP_FRAMES
        names: list[Hashable] = []
        for controller in waiting:
            for index, stream in enumerate(controller.streams()):
                names.append((controller.lane.number, index) if index else controller.lane.number)
                self._batch.add(names[-1], stream)
            if controller.renderer is not None:
                hop = controller.candidates.hop(controller.renderer, hop)
        began = self.clock.now_seconds()
        try:
            results = self._made(hop, names, waiting, lambda: self._pressed(waiting, began))
        except Exception as error:  # a fault in the shared step
            for name in names:
                self._batch.remove(name)
            for controller in waiting:
                self._fail(controller, error)
            return
        stepped = self.clock.now_seconds()
        n_frames = sum(frames.codes.shape[1] for frames in results.values())
        for controller in waiting:
            try:
                self._hand_over(controller, results)
            except Exception as error:
                self._fail(controller, error)
        self._measure(waiting, n_frames, stepped - began, self.clock.now_seconds() - stepped)

    def _made(
        self, n_frames: int, names: list[Hashable], waiting: list[LaneController], enough: Callable[[], bool]
    ) -> dict[Hashable, LaneFrames]:
        """A hop of all named streams; all pieces but the last are decoded while the next one is drawn."""
        made: dict[Hashable, LaneFrames] = {}
        for begin in range(0, n_frames, PIECE_FRAMES):
            on = [name for name in names if name not in made or made[name].goes_on]
            for name, frames in self._batch.advance(min(PIECE_FRAMES, n_frames - begin), on, enough).items():
                made[name] = made[name].and_then(frames) if name in made else frames
            if enough():
                break
            if begin + PIECE_FRAMES < n_frames:
                for controller in waiting:
                    _begin_decoding(controller, self._decoding)
        return made

    def _hand_over(self, controller: LaneController, results: dict[Hashable, LaneFrames]) -> None:
        """Give a lane its new frames, once all its candidates are made; raises the first fault among them."""
        rivals = [name for name in results if isinstance(name, tuple) and name[0] == controller.lane.number]
        for name in rivals:
            self._batch.remove(name)
        codes = None if controller.renderer is None else controller.candidates.gather(controller.renderer)
        if codes is not None:
            controller.take(codes)
        for frames in (results.get(controller.lane.number), *(results[name] for name in rivals)):
            if frames is not None and frames.error is not None:
                raise frames.error

    def _measure(
        self, waiting: list[LaneController], n_frames: int, step_seconds: float, decode_seconds: float
    ) -> None:
        if not n_frames:
            return
        codec = waiting[0].renderer.model.codec if waiting[0].renderer else None
        if codec is None:
            return
        made = n_frames * codec.frame_samples / codec.sample_rate
        worked = step_seconds + decode_seconds
        self._figures.add("step_ms", 1000 * step_seconds / n_frames)
        self._figures.add("decode_ms", 1000 * decode_seconds / n_frames)
        self._made_seconds = 0.99 * self._made_seconds + made
        self._worked_seconds = 0.99 * self._worked_seconds + worked
        for controller in waiting:
            controller.timing.worked(made / len(waiting), worked)

    def _fail(self, controller: LaneController, error: Exception) -> None:
        if not isinstance(error, (ValueError, RuntimeError)):
            _log.exception("lane %d failed", controller.lane.number, exc_info=error)
        self._batch.remove(controller.lane.number)
        controller.fail(error)


def _decode_thread(model: LoadedModel | None) -> DecodeThread:
    return DecodeThread("cpu" if model is None else model.lm.out_norm.weight.device)


def _begin_decoding(controller: LaneController, thread: DecodeThread) -> None:
    """Begin to decode the new frames of a lane's stream, if it has no candidates."""
    renderer = controller.renderer
    if renderer is None or controller.candidates.running(renderer):
        return
    codes = renderer.stream.codes(renderer.taken_frames + renderer.codec_output.decoder.begun_frames)
    if codes.shape[1]:
        renderer.codec_output.decoder.decode_beside(codes, thread)


def _hurried(controller: LaneController) -> bool:
    """Whether a lane gets few frames at a time: little is ready, or its settings change constantly."""
    lane = controller.lane
    return lane.view.fill_seconds < WELL_FILLED_SECONDS or controller.renewal.turning


def _hungry(controller: LaneController) -> bool:
    renderer, lane = controller.renderer, controller.lane
    if renderer is None or renderer.stream.finished or lane.view.state != PLAYING:
        return False
    return lane.clock.or_standing().playing
