"""Handlers of lane messages, [control]: check and answer, or post to [generate]."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.control import messages
from bridge.control.clients import Client
from bridge.control.parameters import parameter
from bridge.control.requests import LATER, Answer, Handler, Request
from bridge.errors import Busy, LaneInUse, NoSuchLane, NotReady, Unsupported
from bridge.region.region import Region
from bridge.ring.writer import RingWriter
from bridge.system.clock import Clock
from engine.serve.control.command_handlers import CommandHandlers
from engine.serve.control.command_intake import Later
from engine.serve.control.engine_handlers import EngineHandlers
from engine.serve.control.morph_handlers import MorphHandlers, weights_text
from engine.serve.control.open_lanes import OpenLanes
from engine.serve.control.region_handlers import RegionHandlers
from engine.serve.control.transport_handlers import TransportHandlers
from engine.serve.lane.command import Command
from engine.serve.lane.events import LaneEvents
from engine.serve.lane.lane import Lane
from engine.serve.lane_settings import LaneSettings, ReferenceAudio, ability_of
from engine.serve.options import Options
from engine.serve.screen import say
from engine.serve.state import EMPTY, LOADING, READY, EngineState

if TYPE_CHECKING:
    from engine.model import LoadedModel
    from engine.serve.lane.generate_loop import GenerateLoop

RING_SECONDS = 12.0  # at least; a power of two of blocks


class LaneHandlers:
    """Opens and closes lanes, which report to `events`; its methods are the handlers of the message table."""

    def __init__(
        self,
        options: Options,
        state: EngineState,
        engine_handlers: EngineHandlers,
        lanes: OpenLanes,
        events: LaneEvents,
        later: Later,
        clock: Clock,
    ) -> None:
        self._options, self._state, self.engine_handlers = options, state, engine_handlers
        self.lanes, self._events, self._clock = lanes, events, clock
        self.time = TransportHandlers(lanes.of)
        self.commands = CommandHandlers(state, lanes.of, self.must_take, self.generate_loop, self.model, later, clock)
        self.morphs = MorphHandlers(self.commands, lanes.of, self.must_take)
        self.regions = RegionHandlers(lanes.of, self.must_take, self._put_region, self.commands.command, clock)

    def handlers(self) -> dict[str, Handler]:
        """The handlers by address.  [main]"""
        m, regions = messages, self.regions
        rows = {
            m.LANE_OPEN: self.open, m.LANE_CLOSE: self.close, m.LANE_GET: self.get,
            m.LANE_STATUS: self.lane_status, m.LANE_STATS: self.lane_stats,
            m.LANE_TOKENS: self.lane_tokens, m.LANE_RING: self.lane_ring, m.REGION_FILE: regions.file,
            m.REGION_CAPTURE: regions.capture, m.REGION_BEGIN: regions.begin,
            m.REGION_CHUNK: regions.chunk, m.REGION_END: regions.end, m.REGION_LISTEN: regions.listen,
        }  # fmt: skip
        ours = {row.address: handler for row, handler in rows.items()}
        return (
            ours
            | self.commands.handlers()
            | self.morphs.handlers()
            | self.time.handlers()
            | self.engine_handlers.handlers()
        )

    # -- shared by handlers ---------------------------------------------------------------------------

    def generate_loop(self) -> GenerateLoop:
        """The generate loop; NotReady before it runs.  [control]"""
        generate_loop, state = self._state.generate_loop, self._state.now
        if generate_loop is None or state.name not in (READY, EMPTY, LOADING):
            raise NotReady(f"the engine is {state.name}: {state.text or 'ask again'}")
        return generate_loop

    def model(self) -> LoadedModel:
        """The loaded model; NotReady while there is none.  [control]"""
        return self.engine_handlers.hot().model

    def must_take(self, role: str) -> None:
        """Raise Unsupported for a reference role that the loaded model cannot follow.

        Without a model every role is accepted, for the one to come.  [control]
        """
        hot, role = self._state.now.hot, ability_of(role)
        if hot is not None and role not in hot.model.takes:
            able = ", ".join(sorted(hot.model.takes))
            why = f". {hot.notes_text[:400]}" if hot.notes else ""
            raise Unsupported(f"model {hot.wanted.name} cannot follow {role}; it can follow: {able}{why}")

    def _put_region(self, lane: Lane, region: Region, audio: ReferenceAudio, command: Command) -> tuple[object, ...]:
        """Give a lane a region; returns its due beat and whether that is late.  [regions]"""
        from engine.serve.timeline.placement import prepare

        hot = self._state.now.hot
        if hot is not None:  # on this thread, where it delays nothing
            prepare(hot.model, LaneSettings().with_region(region.role, audio))
        role = region.role  # only the role, as commands outlive the region read
        ready = command.doing(lambda settings: settings.with_region(role, audio))

        def place() -> tuple[object, ...]:
            if lane.controller is None:
                raise NoSuchLane(f"lane {lane.number} was closed")
            if ready.arrival is not None:
                ready.arrival.come()
            return lane.controller.change(ready)

        return self.generate_loop().ask(place)

    # -- lanes ----------------------------------------------------------------------------------------

    def open(self, request: Request) -> Answer:
        """lane/open.  [control]"""
        from engine.serve.render.stream_settings import own_values

        model, generate_loop, number = self.model(), self.generate_loop(), request.whole("lane")
        rate_hz, channels = request.whole("rate_hz"), request.whole("channels")
        known = self.lanes.get(number)
        if known is not None:
            form = known.ring.form
            if known.client == request.client and (form.sample_rate_hz, form.channels) == (rate_hz, channels):
                known.client_left(False)
                return number, known.ring.name
            who = "you" if known.client == request.client else known.client.name or "another client"
            raise LaneInUse(f"lane {number} is open for {who}, {form.sample_rate_hz} Hz, {form.channels} channels")
        if len(self.lanes) >= self._options.lanes:
            raise Busy(f"{self._options.lanes} lanes are open and there is room for no more")
        if number < 0:
            number = self.lanes.free_number()
        ring = self._ring(number, rate_hz, channels)
        lane = Lane(
            number, request.client, ring, own_values(model), self._events, self._clock, request.whole("waits") == 1
        )
        self.lanes.add(lane)
        generate_loop.post(lambda: generate_loop.open(lane))
        return number, ring.name

    def _ring(self, number: int, rate_hz: int, channels: int) -> RingWriter:
        """A lane's ring; recorded if the engine was started with a journal."""
        parent = self._options.journal
        if parent is None:
            return RingWriter.create(number, rate_hz, channels, RING_SECONDS)
        from engine.serve.journal.recorder import RecordedRing
        from engine.serve.journal.writer import JournalWriter, new_folder

        ring = RecordedRing.create(number, rate_hz, channels, RING_SECONDS)
        assert isinstance(ring, RecordedRing)
        try:
            ring.record_in(JournalWriter(new_folder(parent, f"lane-{number}")))
        except OSError as error:
            say(f"lane {number}: no journal is written: {error}")
        return ring

    def close(self, request: Request) -> Answer:
        """lane/close: by the client that opened it, or by anybody once that one has left.  [control]"""
        lane = self.lanes.of(request.whole("lane"))
        if lane.client != request.client and not lane.holder.left:
            who = lane.client.name or "another client"
            raise LaneInUse(f"lane {lane.number} is open for {who}: only that one may close it")
        self.free(lane, request.responder.ok)
        return LATER

    def free(self, lane: Lane, then: Callable[[], object] = lambda: None) -> None:
        """Stop a lane and free its ring and number; `then` is called when that is done.  [any]"""
        lane.let_go()  # no more reports by [pulse]
        generate_loop = self._state.generate_loop

        def work() -> None:
            if generate_loop is not None:
                generate_loop.close(lane)
            self.lanes.remove(lane)
            then()

        if generate_loop is not None:
            generate_loop.post(work)

    def gone(self, client: Client) -> None:
        """A client left or timed out: free its lanes, those that a host still plays once it stops.  [control]"""
        self.regions.forget(client)
        for lane in self.lanes:
            if lane.client == client:
                lane.client_left()
                if not lane.host_plays():
                    self.free(lane)

    def get(self, request: Request) -> Answer:
        """lane/get.  [control]"""
        lane, name = self.lanes.of(request.whole("lane")), parameter(request.text("name")).name
        return name, lane.value(name)

    def lane_status(self, request: Request) -> Answer:
        """lane/status.  [control]"""
        lane = self.lanes.of(request.whole("lane"))
        view = lane.view
        references = " ".join(sorted(lane.wanted.regions))
        wanted = lane.wanted.morph.weights, lane.wanted.style_morph.weights
        weights = map(weights_text, view.weights or wanted)
        place = view.state, view.written_beats, view.plan_revision, view.seed
        return *place, references, lane.listener(), view.fault, *weights

    def lane_ring(self, request: Request) -> Answer:
        """lane/ring.  [control]"""
        return (self.lanes.of(request.whole("lane")).ring.name,)

    def lane_stats(self, request: Request) -> Answer:
        """lane/stats.  [control]"""
        lane = self.lanes.of(request.whole("lane"))
        view = lane.view
        return (
            view.fill_seconds, view.fill_low_seconds, view.first_sound_seconds, view.realtime_ratio,
            lane.late_blocks(), view.rolls, view.change_seconds, view.heard, *view.guarded,
            view.beat[1], view.beat[2],
        )  # fmt: skip

    def lane_tokens(self, request: Request) -> Answer:
        """lane/tokens.  [control]"""
        lane, first = self.lanes.of(request.whole("lane")), request.whole("first")
        self.generate_loop().post(lambda: request.responder.answer_by(lambda: lane.codes().part(first)))
        return LATER
