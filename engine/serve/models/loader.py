"""The thread [load]: loads and unloads models while the engine plays.

    load      memory? --no: streams fade, old model freed--> read --> warm up --> lanes change over --> old model freed
    unload    streams fade, the model is freed

One request at a time; a newer one cancels the one in progress, which stops at its next progress report. The thread
yields to [generate]: one torch thread, and a pause whenever a ring runs low.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING

from bridge.control.status_text import loading_text
from bridge.errors import LoadOvertaken, ModelError, NotReady, SegueError
from bridge.system.clock import Clock
from bridge.system.dependencies import broken_library
from bridge.system.turns import run_turns
from engine.errors import EngineError
from engine.serve.models.events import ModelEvents
from engine.serve.models.progress import STEPS, Job, Progress, progress_text
from engine.serve.state import EMPTY, LOADING, READY, EngineState, Hot, Wanted
from engine.system.out_of_memory import memory_may_run_out

if TYPE_CHECKING:
    from engine.serve.lane.generate_loop import GenerateLoop

SWITCH_SECONDS = 0.0005  # between Python's threads while a model is loaded, so that [generate] waits less
_log = logging.getLogger("segue.engine")


class Loader:
    """Loads and unloads models on its own thread, and reports to `events`."""

    def __init__(
        self, state: EngineState, threads: int, t5: str | None, limit_mb: float, events: ModelEvents, clock: Clock
    ) -> None:
        self.clock = clock
        self._state, self._threads, self._t5, self._limit_mb, self._events = state, threads, t5, limit_mb, events
        self._change = threading.Condition()
        self._waiting: Job | None = None
        self._running: Job | None = None
        self._closed = False
        self.thread = threading.Thread(target=self._run, name="segue-load", daemon=True)

    # -- from other threads -----------------------------------------------------------------------------

    def put(self, job: Job) -> None:
        """Add a request; unfinished ones before it are cancelled.  [any]"""
        what = f"{job.wanted.name} was asked for instead" if job.wanted else "the model is to be unloaded"
        with self._change:
            self._give_up(what)
            job.taken_in(self.clock.now_seconds())
            self._waiting = job
            self._change.notify()

    def cancel(self) -> None:
        """Cancel the present request and those that wait.  [any]"""
        with self._change:
            self._give_up("it was cancelled")

    def close(self) -> None:
        """Cancel, and end the thread as soon as possible.  [main]"""
        with self._change:
            self._closed = True
            self._give_up("the engine ends")
            self._change.notify()

    def _give_up(self, why: str) -> None:
        for job in (self._waiting, self._running):
            if job is not None and job.wanted is not None and not job.given_up:
                job.give_up(why)
        self._waiting = None

    # -- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        run_turns(self._next, "the loader", _log)

    def _next(self) -> bool:
        with self._change:
            self._running = None
            while self._waiting is None and not self._closed:
                self._change.wait()
            if self._closed:
                return False
            self._running, self._waiting = self._waiting, None
            job = self._running
        assert job is not None
        self._do(job)
        return True

    def _do(self, job: Job) -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            with memory_may_run_out():
                if job.wanted is None:
                    self._unload(job)
                else:
                    self._load(job, job.wanted)
        except Exception as error:
            self._failed(job, _as_model_error(error))
        finally:
            sys.setswitchinterval(before)

    def _load(self, job: Job, wanted: Wanted) -> None:
        hot = self._state.now.hot
        if hot is not None and hot.wanted == wanted:
            self._answer(job, hot)
            return
        del hot  # no reference may stay: it may have to be freed first
        from engine.serve.models.load import load_hot

        self._say_state(loading_text(wanted.name))
        progress = Progress(self, job, wanted)
        loaded = load_hot(wanted, self._t5, self._threads, progress, self.clock)
        job.check()
        self._take_over(job, loaded)
        self._answer(job, loaded)

    def _take_over(self, job: Job, loaded: Hot) -> None:
        from engine.serve.models.change_over import change_over

        generate_loop = self.generate_loop()
        if self._state.now.hot is None:
            generate_loop.ask(lambda: generate_loop.use(loaded.model, loaded.change_seconds))
        else:
            self._events.model_changed("loading", loaded.wanted.name, "waits for its bar line")
            change_over(generate_loop, loaded, job.check)
        self._state.plays(loaded)
        self._events.engine_changed(READY, "")
        self._free()

    def make_room(self, wanted: Wanted, need_mb: float) -> None:
        """Free the old model first if both do not fit; ModelError if the new one alone does not.  [load]"""
        from engine.serve.models import memory
        from engine.serve.models.device_choice import device_of

        device = device_of(wanted)
        free_mb, hot = memory.free_mb(device, self._limit_mb), self._state.now.hot
        if need_mb <= free_mb:
            return
        if hot is not None and need_mb <= free_mb + memory.need_mb(hot.wanted.name, hot.bytes_per_weight, self._t5):
            name = hot.wanted.name
            text = f"{wanted.name} needs {need_mb:.0f} MB, {max(free_mb, 0):.0f} MB are free: {name} goes first"
            self._events.model_changed("note", wanted.name, text)
            del hot
            self._drop(LOADING, text)
            self._events.model_changed("unloaded", name, "")
            free_mb = memory.free_mb(device, self._limit_mb)
        if need_mb > free_mb:
            free = memory.free_text(free_mb, self._limit_mb, device)
            raise ModelError(f"{wanted.name} needs {need_mb:.0f} MB of memory, {free}")

    def _unload(self, job: Job) -> None:
        from engine.serve.lane.timing import resident_mb

        hot = self._state.now.hot
        name = hot.wanted.name if hot is not None else ""
        del hot  # no reference may stay
        if name:
            self._drop(EMPTY, "no model is loaded")
            self._events.model_changed("unloaded", name, "")
        if job.responder is not None:
            job.responder.ok(resident_mb())

    def _drop(self, state: str, text: str) -> None:
        """Fade the streams, drop the model and free its memory."""
        from engine.serve.models.change_over import stop_all

        self._events.engine_changed(state, text)
        stop_all(self.generate_loop())
        self._state.plays(None)
        self._free()

    @staticmethod
    def _free() -> None:
        from engine.serve.models.memory import give_back

        give_back()

    def generate_loop(self) -> GenerateLoop:
        """The generate loop; NotReady until [generate] has made it.  [load]"""
        deadline = self.clock.now_seconds() + 120.0
        while (found := self._state.generate_loop) is None:
            if self.clock.now_seconds() >= deadline or self._closed:
                raise NotReady("the engine did not start")
            self.clock.sleep(0.01)
        return found

    # -- progress -----------------------------------------------------------------------------------------

    def _answer(self, job: Job, hot: Hot) -> None:
        self._say_state("")
        seconds = self.clock.now_seconds() - job.began_seconds
        self._events.model_changed("ready", hot.wanted.name, f"on {hot.device}, {hot.precision}, after {seconds:.1f} s")
        for note in hot.notes:
            self._events.model_changed("note", hot.wanted.name, note)
        if job.responder is not None:
            job.responder.ok(hot.wanted.name, seconds, hot.notes_text[:500])

    def _failed(self, job: Job, error: SegueError) -> None:
        name = job.wanted.name if job.wanted else ""
        if self._closed:
            return
        if self._state.now.hot is None:
            self._events.engine_changed(EMPTY, str(error)[:400])
        else:
            self._say_state("")
        if not isinstance(error, LoadOvertaken):
            self._events.model_changed("failed", name, str(error))
        if job.responder is not None:
            job.responder.error(error)
        elif not isinstance(error, LoadOvertaken):
            self._events.start_failed(str(error))

    def _say_state(self, text: str) -> None:
        if self._state.now.hot is None and text:
            self._events.engine_changed(LOADING, text)
        else:
            self._state.say(text)

    def report(self, job: Job, wanted: Wanted, stage: str, done: float, total: float) -> None:
        """Report progress to the client that asked and, in words, to all.  [load]"""
        text = progress_text(stage, done, total)
        self._state.say(loading_text(wanted.name, text))
        job.reached((round(STEPS * min(done / total, 1.0)) if total else 0, STEPS if total else 0, text))
        self._events.model_changed("loading", wanted.name, text)

    def progress(self) -> tuple[str, int, int, str] | None:
        """The model being loaded, and how far: done, total, in words; None while none is.  [any]"""
        job = self._running
        return None if job is None or job.wanted is None or job.given_up else (job.wanted.name, *job.step)

    def beat(self) -> None:
        """Repeat the last progress report: a long step must not look like silence.  [pulse]"""
        job = self._running
        if job is not None:
            job.say_step()


def _as_model_error(error: Exception) -> SegueError:
    if isinstance(error, SegueError):
        return error
    if isinstance(error, EngineError):
        return ModelError(str(error))
    broken = broken_library(error)
    if broken is not None:
        return ModelError(broken)
    _log.exception("a model cannot be loaded", exc_info=error)
    return ModelError(f"{type(error).__name__}: {error}")
