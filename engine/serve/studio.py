"""The thread [generate]: owns the model, every lane's stream and every ring's write side.

    commands -> each lane's director: follow host and settings -> lanes that want frames advance together
             -> codec, resampler, ring -> how everything is, for answers

Nothing here waits for a lane: one that has its lead is left alone, one that fails stops alone.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from engine.lm import Conditions
from engine.model import TEXT, Ask, LoadedModel
from engine.sampling import Sampling
from engine.serve.director import Director, Report
from engine.serve.lane import Lane
from engine.serve.pace import Figures
from engine.stream import LaneBatch, StreamSettings, TokenStream, WindowSize

HOP_FRAMES = 10  # advanced at a time while rings are well filled
SHORT_HOP_FRAMES = 4  # while one is nearly empty: the first sound is not kept waiting for more
WELL_FILLED_SECONDS = 0.5
IDLE_SECONDS = 0.005  # between looks at the hosts when there is nothing to do
_log = logging.getLogger("segue.engine")


@dataclass(frozen=True)
class StudioFigures:
    """What was measured, for the stats answer.  [any]"""

    step_ms: float
    decode_ms: float
    realtime_ratio: float


class Studio:
    """Runs lanes on a loaded model until stopped; `post` is how other threads reach it."""

    def __init__(self, model: LoadedModel, report: Report) -> None:
        self.model = model
        self._report = report
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._directors: dict[int, Director] = {}
        self._batch = LaneBatch()
        self._figures = Figures()
        self._made_seconds = self._worked_seconds = 0.0
        self._stopping = threading.Event()

    # -- from other threads -----------------------------------------------------------------------------

    def post(self, command: Callable[[], None]) -> None:
        """Run a command on [generate], between two hops.  [any]"""
        self._commands.put(command)

    def stop(self) -> None:
        """Ask `run` to return soon.  [any]"""
        self._stopping.set()
        self._commands.put(lambda: None)

    def figures(self) -> StudioFigures:
        """What was measured lately.  [any]"""
        ratio = self._made_seconds / self._worked_seconds if self._worked_seconds else 0.0
        return StudioFigures(self._figures.median("step_ms"), self._figures.median("decode_ms"), ratio)

    # -- on [generate] ------------------------------------------------------------------------------------

    def warm_up(self, frames: int = 6) -> None:
        """Run every stage once, so that the first stream meets nothing cold.  [generate]"""
        model, device = self.model, self.model.lm.out_norm.weight.device
        sampling = Sampling(top_k=min(250, model.lm.config.card))
        settings = StreamSettings(sampling, size=WindowSize(model.window_frames, model.stride_frames))

        def conditions(offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
            ask = Ask(text="warm up" if TEXT in model.takes else None)
            return model.conditioner([ask], settings.guidance, offset_frames, window_frames)[0]

        audio = torch.zeros(1, model.codec.channels, 8 * model.codec.frame_samples, device=device)
        with torch.no_grad():
            prompt = model.codec.encode(audio)[0]
            stream = TokenStream.begin(model.lm, conditions, prompt, settings)
            state = model.codec.init_decoder(audio, prompt[None])
            model.codec.decode_step(stream.advance(frames)[None].to(device), state, True)

    def open(self, lane: Lane) -> None:
        """Take a lane in.  [generate]"""
        lane.director = self._directors[lane.number] = Director(lane, self.model, self._report)

    def close(self, lane: Lane) -> None:
        """Let a lane go and free its ring.  [generate]"""
        director = self._directors.pop(lane.number, None)
        self._batch.remove(lane.number)
        if director is not None:
            director.close()

    def run(self) -> None:
        """Work until `stop`; then every lane is closed.  [generate]"""
        while not self._stopping.is_set():
            try:
                if not self.turn():
                    self._idle()
            except Exception:
                _log.exception("a turn of the engine failed")
                time.sleep(IDLE_SECONDS)
        for director in list(self._directors.values()):
            self.close(director.lane)

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
        """Obey commands, follow hosts, advance who wants it by a hop; False when nobody did.  [generate]"""
        while True:
            try:
                self._obey(self._commands.get_nowait())
            except queue.Empty:
                break
        waiting: list[Director] = []
        for director in list(self._directors.values()):
            try:
                director.tick()
                if director.wants_frames():
                    waiting.append(director)
            except Exception as error:
                self._fail(director, error)
        if waiting:
            self._advance(waiting)
        return bool(waiting)

    def _advance(self, waiting: list[Director]) -> None:
        short = any(director.lane.view.fill_seconds < WELL_FILLED_SECONDS for director in waiting)
        hop = SHORT_HOP_FRAMES if short else HOP_FRAMES
        for director in waiting:
            if director.player is not None:
                self._batch.add(director.lane.number, director.player.stream)
        began = time.perf_counter()
        results = self._batch.advance(hop, [director.lane.number for director in waiting])
        stepped = time.perf_counter()
        n_frames = 0
        for director in waiting:
            frames = results[director.lane.number]
            n_frames += frames.codes.shape[1]
            try:
                director.take(frames.codes)
                if frames.error is not None:
                    raise frames.error
            except Exception as error:
                self._fail(director, error)
        self._measure(waiting, n_frames, stepped - began, time.perf_counter() - stepped)

    def _measure(self, waiting: list[Director], n_frames: int, step_seconds: float, decode_seconds: float) -> None:
        if not n_frames:
            return
        codec = self.model.codec
        made = n_frames * codec.frame_samples / codec.sample_rate
        worked = step_seconds + decode_seconds
        self._figures.add("step_ms", 1000 * step_seconds / n_frames)
        self._figures.add("decode_ms", 1000 * decode_seconds / n_frames)
        self._made_seconds = 0.99 * self._made_seconds + made
        self._worked_seconds = 0.99 * self._worked_seconds + worked
        for director in waiting:
            director.pace.worked(made / len(waiting), worked)

    def _fail(self, director: Director, error: Exception) -> None:
        if not isinstance(error, (ValueError, RuntimeError)):
            _log.exception("lane %d failed", director.lane.number, exc_info=error)
        self._batch.remove(director.lane.number)
        director.fail(error)
