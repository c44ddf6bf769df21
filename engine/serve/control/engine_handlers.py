"""Handlers of messages about the engine and its model, [control]: answer, or pass on to [load]."""

from __future__ import annotations

from collections.abc import Callable

from bridge.control import messages, presets
from bridge.control.dispatch import Counts
from bridge.control.requests import LATER, Answer, Handler, Request
from bridge.errors import NotReady
from bridge.system.clock import Clock
from engine.serve.control.open_lanes import OpenLanes
from engine.serve.lane.timing import resident_mb
from engine.serve.models.loader import Loader
from engine.serve.models.progress import Job
from engine.serve.options import Options
from engine.serve.state import EMPTY, READY, EngineState, Hot, Wanted

NOTES_MAX = 500  # characters of notes in an answer, so that it fits one datagram


class EngineHandlers:
    """The handlers of messages about the engine as a whole."""

    def __init__(
        self,
        options: Options,
        state: EngineState,
        loader: Loader,
        lanes: OpenLanes,
        counts: Callable[[], Counts],
        quit_engine: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._options, self._state, self._loader, self._quit = options, state, loader, quit_engine
        self._lanes, self._counts = lanes, counts
        self._clock, self._started_seconds = clock, clock.now_seconds()

    def handlers(self) -> dict[str, Handler]:
        """The handlers by address.  [main]"""
        m = messages
        rows = {
            m.STATUS: self.status, m.STATS: self.stats, m.PRESETS: self.presets, m.QUIT: self.quit,
            m.MODEL: self.model, m.MODEL_LIST: self.model_list, m.MODEL_LOAD: self.model_load,
            m.MODEL_CANCEL: self.model_cancel, m.MODEL_UNLOAD: self.model_unload,
        }  # fmt: skip
        return {row.address: handler for row, handler in rows.items()}

    def hot(self) -> Hot:
        """The loaded model; NotReady while there is none.  [control]"""
        state = self._state.now
        if state.hot is None or state.name != READY:
            how = f"; load one: `segue load NAME`, or {messages.MODEL_LOAD.address}" if state.name == EMPTY else ""
            raise NotReady(f"the engine is {state.name}: {state.text or 'ask again'}{how}")
        return state.hot

    # -- the engine -----------------------------------------------------------------------------------

    def status(self, request: Request) -> Answer:
        """status.  [control]"""
        state, options = self._state.now, self._options
        name = state.hot.wanted.name if state.hot else ""
        return state.name, name, state.device, len(self._lanes), options.lanes, state.text

    def stats(self, request: Request) -> Answer:
        """stats.  [control]"""
        uptime = self._clock.now_seconds() - self._started_seconds
        generate_loop = self._state.generate_loop
        counts = self._counts()
        received, refused = counts.received, counts.refused + counts.shed
        if generate_loop is None:
            return uptime, resident_mb(), 0.0, 0.0, 0.0, received, refused
        f = generate_loop.figures()
        return uptime, resident_mb(), f.step_ms, f.decode_ms, f.realtime_ratio, received, refused

    def presets(self, request: Request) -> Answer:
        """presets.  [control]"""
        return (" ".join(presets.preset_names()),)

    def quit(self, request: Request) -> Answer:
        """quit.  [control]"""
        request.responder.ok()
        self._quit()
        return LATER

    # -- models ---------------------------------------------------------------------------------------

    def model(self, request: Request) -> Answer:
        """model.  [control]"""
        hot = self.hot()
        codec, model = hot.model.codec, hot.model
        seconds = model.window_frames * codec.frame_samples / codec.sample_rate
        abilities = " ".join(sorted(model.takes))
        return (
            hot.wanted.name, codec.sample_rate, codec.channels, seconds, abilities, hot.license, hot.precision,
            hot.notes_text[:NOTES_MAX],
        )  # fmt: skip

    def model_list(self, request: Request) -> Answer:
        """model/list.  [control]"""
        from engine.serve.models.model_names import known_names, names_here

        return " ".join(names_here()), " ".join(known_names())

    def model_load(self, request: Request) -> Answer:
        """model/load.  [control]"""
        device = request.text("device") or self._options.device
        wanted = Wanted(request.text("name"), device, request.text("precision"))
        self._loader.put(Job(wanted, request.responder))
        return LATER

    def model_cancel(self, request: Request) -> Answer:
        """model/cancel.  [control]"""
        self._loader.cancel()
        return ()

    def model_unload(self, request: Request) -> Answer:
        """model/unload.  [control]"""
        self._loader.put(Job(None, request.responder))
        return LATER
