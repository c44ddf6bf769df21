"""Controls one lane's stream: begin, go on, end. All of it [generate].

play ---> preparing --first block in the ring---> playing --end reached---> ended
             |                                       |
             +---- a fault: only this lane fails     +-- follows host and settings, see host_follower.py
"""

from __future__ import annotations

from fractions import Fraction

import torch

from bridge.control.arguments import NOW, At
from bridge.control.parameters import BARS, LEAD_SECONDS
from bridge.errors import NotReady
from bridge.ring.form import PlaybackPlan
from bridge.time.transport import Transport
from engine.model import LoadedModel
from engine.serve.faults import Overtaken
from engine.serve.lane.candidates import Candidates
from engine.serve.lane.catch_up import begin_behind, catch_up
from engine.serve.lane.command import Begun, Command, Failed, PlayOrder
from engine.serve.lane.filling import ready_noted, take_noted
from engine.serve.lane.findings import Findings
from engine.serve.lane.fitting import loop_samples, placement_of
from engine.serve.lane.guard_actions import GuardActions
from engine.serve.lane.host_follower import HostFollower
from engine.serve.lane.lane import ENDED, IDLE, PLAYING, PREPARING, Lane, LaneView
from engine.serve.lane.levels import SOON_SECONDS, Levels
from engine.serve.lane.made_codes import made_codes
from engine.serve.lane.renewal import Renewal
from engine.serve.lane.retries import Retries
from engine.serve.lane.scheduler import CommandScheduler
from engine.serve.lane.timing import LaneTiming, lead_limit_seconds
from engine.serve.lane_settings import LaneSettings
from engine.serve.render import bending
from engine.serve.render.stream_renderer import StreamRenderer
from engine.serve.render.stream_settings import left_aside, own_values
from engine.serve.timeline.due import Due
from engine.serve.timeline.phase_in import begin_after
from engine.serve.timeline.placement import ENDLESS, FIRST, StreamPlacement
from engine.serve.timeline.samples import HostSample, StreamSample, position_of
from engine.serve.weak_method import weakly
from engine.stream import TokenStream

OVERTAKEN = "another command took its place"


class LaneController:
    """Controls one lane; the generate loop calls `tick` each turn and passes the stream's frames to `take`."""

    def __init__(self, lane: Lane, model: LoadedModel | None) -> None:
        self.lane, self.model = lane, model
        self.renderer: StreamRenderer | None = None
        self.timing = LaneTiming()
        self._clock = lane.time
        self.renewal = Renewal(self._clock)
        number, ours = weakly(self._next_plan_revision), (lane, self.timing, self.renewal)
        acts = weakly(self._remake), weakly(self._begin_play), weakly(self._end_play)
        self.scheduler = CommandScheduler(*ours, Levels(number, self._clock), *acts)
        self.retries = Retries(lane, acts[1], weakly(self._end))
        self._follower = HostFollower(*ours, weakly(self._placement_on), number, self.scheduler)
        self.candidates, self._watch = Candidates(lane, self.timing), GuardActions(lane, self.timing, number)
        self._findings = Findings(lane)
        self._order: PlayOrder | None = None  # of the renderer
        self._state, self._plan_revision, self._seed = IDLE, 0, 0
        self._waiting_from: float | None = None  # since when the first block of new music is awaited

    # -- commands -----------------------------------------------------------------------------------------

    def change(self, command: Command) -> tuple[float, int]:
        """Add a change of settings; returns its due beat, and whether that is later than asked."""
        due = self.scheduler.add(command, self.lane.clock.or_standing())
        return float(due.beats), int(due.late)

    def play(self, at: At, bars: int, begun: Begun, failed: Failed, command: Command | None = None) -> Due:
        """Begin a stream; a stream already playing continues until the new one starts."""
        self.scheduler.take_pending()
        transport = self.lane.clock.or_standing()
        bars = self.lane.settings.get(BARS) if bars < 0 else bars
        command = command or Command(at, arrived_seconds=self._clock.now_seconds())
        end = bars * transport.signature.beats_per_bar if bars else None
        order = PlayOrder(Fraction(0), end, self.lane.take_seed(), command.arrived_seconds, begun, failed)
        command = command.playing(order)
        due = self.scheduler.add(command, transport)
        if self.renderer is None or self._state != PLAYING or (command.past and command.ahead is None):
            self._begin_play(self.scheduler.commands.take(command), transport)
        else:
            order.begin(self._plan_revision + 1)  # its sound may be far off
        return due

    def stop(self, at: At, command: Command | None = None) -> float:
        """End the stream at a beat; returns the beat. Does nothing without a stream."""
        transport = self.lane.clock.or_standing()
        command = command or Command(at, arrived_seconds=self._clock.now_seconds())
        due = self.scheduler.add(command, transport)
        self.scheduler.take_back_behind(command, Overtaken(OVERTAKEN))
        if self.renderer is None or at == NOW:
            self._end_play(self.scheduler.commands.take(command), transport)
        return float(due.beats)

    def cancel(self, which: int) -> int:
        """Cancel a scheduled command by its id, or all with 0; returns how many."""
        return self.scheduler.cancel(which, self.renderer, self.lane.clock.or_standing())

    def close(self) -> None:
        """Close the lane: open orders fail, and its ring is freed."""
        self._drop(self._order)
        self.scheduler.commands.take_back(list(self.scheduler.commands.waiting), Overtaken(OVERTAKEN))
        self.renderer = None
        self.lane.driven_by(None)
        self.lane.ring.close()

    def use(self, model: LoadedModel | None, expected_seconds: float) -> None:
        """Use another model for new streams; reading an audio prompt takes it `expected_seconds`."""
        self.model = model
        self.timing.model_changed(expected_seconds)

    def adopt(self, model: LoadedModel) -> LaneSettings:
        """Change to the model's own values where no client set others; returns the settings."""
        self.scheduler.take_pending()
        return self.scheduler.change_settings(lambda settings: settings.with_own(own_values(model)))

    def take_over(self, renderer: StreamRenderer, model: LoadedModel, text: str) -> None:
        """Another model's renderer takes over this lane; see `handover`."""
        transport = self.lane.clock.or_standing()
        self.model, self.renderer = model, renderer
        self.scheduler.handed_over()
        begins = renderer.output.beat_map.beats_at(renderer.output.stream_written)
        renderer.output.take_turn(position_of(transport), self._next_plan_revision())
        self.lane.events.state_changed(self.lane, self._state, begins, text)

    # -- every turn ---------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Follow host and settings, write pending audio, and end the stream at its end."""
        transport = self.lane.clock.or_standing()
        if self.scheduler.turn(self.renderer, transport) or self.retries.turn(self.renderer, transport, self.timing):
            self._waiting_from = self._clock.now_seconds()
        renderer = self.renderer
        if renderer is not None:
            renderer.output.held.hold(self._watch.held_samples())
            if self._follower.follow(renderer, transport):
                self._waiting_from = None if self._follower.quick else self._clock.now_seconds()
                self.scheduler.made_anew(renderer, max(renderer.output.stream_made, renderer.stream_settled))
            behind, seen = renderer.output.catch_up.stream_behind, catch_up(renderer, transport)
            if self._watch.look(renderer, seen):
                self._waiting_from = self._clock.now_seconds()
            self.scheduler.look_back(renderer)
            if renderer.output.write() or behind > renderer.output.catch_up.stream_behind == 0:
                self._wrote()
            self.scheduler.send_heard(renderer, transport)
            self._maybe_end(renderer, transport)
        self._look(transport)

    def wants_frames(self) -> bool:
        """Whether the stream must be advanced now."""
        renderer, position = self.renderer, position_of(self.lane.clock.or_standing())
        return renderer is not None and (
            renderer.wants(position, self._lead_seconds()) or self.candidates.running(renderer)
        )

    def _lead_seconds(self) -> float:
        """The lead: how far ahead music is made."""
        lead = self.renewal.lead_seconds(self.lane.settings.get(LEAD_SECONDS), self.timing.in_window_seconds)
        wanted = self._follower.lead_seconds(max(lead, self.timing.lead_at_least_seconds, self.scheduler.lead_seconds))
        return min(wanted, lead_limit_seconds(self.lane.ring))

    def streams(self) -> tuple[TokenStream, ...]:
        """The streams to advance: the renderer's and its candidates."""
        return () if self.renderer is None else self.candidates.streams(self.renderer, self.lane.view.fill_seconds)

    def take(self, codes: torch.Tensor) -> None:
        """Write the stream's new frames [K, n]."""
        noted = self.lane.clock, self.timing, self.renewal, self._lead_seconds()
        if self.renderer is not None:
            first = self.lane.waits and self._state == PREPARING  # what is held back has begun, too
            if take_noted(self.renderer, codes, *noted) or (first and self.renderer.output.stream_made > 0):
                self._wrote()

    def fail(self, error: Exception) -> None:
        """Stop this lane's stream; the ring's music still plays, and the stream may be retried: see `Retries`."""
        self._end(*self.retries.failed(self._order, self.renderer, error, self.scheduler))

    # -- the stream's life ----------------------------------------------------------------------------------

    def _begin_play(self, command: Command, transport: Transport) -> None:
        """Begin a command's order."""
        order, before = command.order, self.renderer
        assert order is not None
        self._drop(self._order)
        self._order, self._waiting_from = self.retries.begins(order), self._clock.now_seconds()
        try:
            if self.model is None:
                raise NotReady("no model is loaded")
            self.adopt(self.model)
            settings = self.scheduler.settings_for(command, before, transport)
            order.continue_from(begin_after(settings.continued, order.start_beats, transport.grid))
            placement = self._placement_on(transport)
            renderer = StreamRenderer(
                self.model, self.lane.ring, settings, placement, order.seed, order.beginning.region
            )
        except Exception as error:  # any fault is answered, and only this lane fails
            self.fail(error)
            return
        self._seed = order.seed
        renderer.output.loop_changed(loop_samples(transport, placement.curve))
        self.renderer = renderer
        self.scheduler.begins(command, renderer, before, transport)
        same = before is not None and before.placement.seek_id == placement.seek_id
        end = before.placement.end_samples if before is not None and same else ENDLESS
        begin = min(placement.start_samples, end)
        renderer.output.announce(begin, self._next_plan_revision(), host=position_of(transport))
        self._change_state(PREPARING, float(order.start_beats), left_aside(renderer.model, settings))
        begin_behind(renderer, command, transport, self._plan_revision)

    def _end_play(self, command: Command, transport: Transport) -> None:
        """End the music at a stop's due beat; that of a play, which begins later, before it is heard."""
        renderer, order = self.renderer, self._order
        if command.order is not None and renderer is not None:
            self._end(IDLE, renderer.placement.start_samples)
            return
        if renderer is None or order is None:
            if self.retries.given_up():
                self._end(IDLE, transport.position_samples)
            return
        soon = transport.position_samples + (int(SOON_SECONDS * transport.sample_rate_hz) if transport.playing else 0)
        stream_sample = self.scheduler.stream_sample(command, renderer, transport) or FIRST
        end = max(renderer.placement.host_of(stream_sample), HostSample(soon))
        if end <= renderer.placement.start_samples:
            self._drop(order)
            self._end(IDLE, renderer.placement.start_samples)
        elif end < renderer.placement.end_samples:
            order.end_at(renderer.placement.curve.beats_at(end))
            renderer.end_at(end, self._next_plan_revision())
            self.scheduler.commands.make([command], renderer.placement.stream_of(end))

    def _remake(
        self, renderer: StreamRenderer, transport: Transport, stream_sample: StreamSample, settings: LaneSettings
    ) -> None:
        """Regenerate the stream exactly from a stream sample on."""
        self._follower.remake(renderer, transport, stream_sample, settings)

    def _next_plan_revision(self) -> int:
        self._plan_revision += 1
        return self._plan_revision

    def _placement_on(self, transport: Transport) -> StreamPlacement:
        """The placement of the order's music on the host's grid."""
        assert self._order is not None
        return placement_of(self._order, self._follower.curve(transport), transport)

    def _wrote(self) -> None:
        """Blocks were written: the first ones answer the command and are timed."""
        now, order = self._clock.now_seconds(), self._order
        if self.renderer is not None and self.renderer.output.catch_up.stream_behind:
            self._waiting_from = None  # not a measure of how quickly new music comes
            if self._state == PLAYING:
                self._change_state(PREPARING, self.renderer.output.beat_map.beats_at(0))
            return
        if self._waiting_from is not None and self.renderer is not None:
            ready_noted(self.renderer, self.timing, now - self._waiting_from, self._state == PREPARING)
            self._waiting_from = None
        if self._state == PREPARING and order is not None and self.renderer is not None:
            self.timing.begun_after(now - order.ordered_seconds)
            self._change_state(PLAYING, float(order.start_beats), self.retries.came_back())
            rate = self.lane.ring.form.sample_rate_hz
            unheard, reads = self.renderer.placement.unheard_samples / rate, self.renderer.region is not None
            order.need(self.timing.begin_seconds(reads, unheard))
            order.begin(self._plan_revision)

    def _maybe_end(self, renderer: StreamRenderer, transport: Transport) -> None:
        if (
            transport.seek_id == renderer.placement.seek_id
            and transport.position_samples >= renderer.placement.end_samples
        ):
            self._end(ENDED, renderer.placement.end_samples)

    def _end(self, state: str, end_samples: int, text: str = "") -> None:
        renderer = self.renderer
        grid, seek_id = self.lane.clock.or_standing().grid, 0
        if renderer is not None:
            grid, seek_id = renderer.placement.grid, renderer.placement.seek_id
        plan_revision = self._next_plan_revision() if state == IDLE else self._plan_revision
        if renderer is not None:
            self.lane.music_ended(made_codes(renderer))
        if state != PREPARING:  # else it is retried, and the host holds its bar
            self.lane.ring.set_plan(PlaybackPlan(plan_revision, False, end_samples, end_samples, end_samples, seek_id))
        self.renderer = self._order = None
        for each in (self.candidates, self._watch, self._follower):
            each.forget()  # a renderer keeps a whole model alive
        self._change_state(state, float(grid.beats_at(end_samples)), text)

    @staticmethod
    def _drop(order: PlayOrder | None) -> None:
        """Fail an order that is replaced, unless it has begun."""
        if order is not None:
            order.fail(Overtaken(OVERTAKEN))

    # -- state --------------------------------------------------------------------------------------

    def _look(self, transport: Transport) -> None:
        renderer, timing, before = self.renderer, self.timing, self.lane.view
        fill, written, rolls, weights = 0.0, before.written_beats, before.rolls, None
        if renderer is not None:
            position = max(position_of(transport), renderer.placement.start_samples)
            fill = max(0, renderer.output.ahead_samples(position)) / transport.sample_rate_hz
            written = renderer.output.beat_map.beats_at(renderer.output.stream_written)
            rolls = max(0, renderer.conditioning.windows - 1)
            weights = renderer.conditioning.heard_at(position)
            self._findings.note_excerpt(renderer.conditioning.excerpt, renderer.model.codec.sample_rate)
            if renderer.codec_output.bend is not None and transport.playing and self._state == PLAYING:
                self._findings.note_beat(*bending.off_the_beat(renderer.codec_output.bend, renderer.output))
            if self._state == PLAYING and not renderer.output.finished and transport.playing:
                timing.saw_fill(fill, transport.position_samples >= renderer.placement.start_samples)
        self.lane.show(LaneView(
            self._state, written, self._plan_revision, self._seed, fill,
            timing.fill_low_seconds, timing.first_sound_seconds, timing.realtime_ratio, rolls,
            timing.change_seconds, self.scheduler.times.text,
            (self._watch.n_faults, self._watch.n_passed, self.candidates.chosen),
            (SOON_SECONDS, timing.in_window_seconds, timing.margin_seconds), self.retries.text,
            self._findings.excerpt_seconds, self._findings.beat, self.scheduler.commands.scheduled(), weights,
        ))  # fmt: skip
        self._findings.send_new()

    def _change_state(self, state: str, beats: float, text: str = "") -> None:
        if state != self._state or text:
            self._state = state
            self.lane.events.state_changed(self.lane, state, beats, text)
