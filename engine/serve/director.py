"""What one lane's stream does next: begin, go on, end. All of it [generate].

play ---> preparing --first block in the ring---> playing --end reached---> ended
             |                                       |
             +---- a fault: failed, this lane alone  +-- follows host and settings, see follow.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch

from bridge.arguments import At
from bridge.errors import NotReady
from bridge.ring import ENDLESS_SAMPLES, Plan
from bridge.transport import Transport
from engine.model import LoadedModel
from engine.serve.follow import Follower, loop_samples
from engine.serve.lane import ENDED, FAILED, IDLE, PLAYING, PREPARING, Lane, LaneView, Overtaken, Update
from engine.serve.pace import Pace, lead_limit_seconds
from engine.serve.place import Place
from engine.serve.player import Player
from engine.serve.tuning import left_aside, own_values

STOP_SECONDS = 0.06  # a stop "now" is heard after so much
EARLY_SECONDS = 0.15  # before its time that a change for a beat is taken up
Report = Callable[[Lane, str, float, str], None]
Begun = Callable[[float, int, int], object]  # start_beats, generation, seed
Failed = Callable[[Exception], object]


@dataclass
class Order:
    """A play command with its place in beats.

    Answered once: `begun` with its first block in the ring, or `failed`.
    """

    start_beats: Fraction
    end_beats: Fraction | None
    seed: int
    ordered_seconds: float
    begun: Begun
    failed: Failed
    answered: bool = False

    def begin(self, generation: int) -> None:
        """Answer that it sounds."""
        if not self.answered:
            self.answered = True
            self.begun(float(self.start_beats), generation, self.seed)

    def fail(self, error: Exception) -> None:
        """Answer that it does not; nothing where it was answered."""
        if not self.answered:
            self.answered = True
            self.failed(error)


class Director:
    """Drives one lane; the studio calls `tick` often and hands the frames of its stream to `take`."""

    def __init__(self, lane: Lane, model: LoadedModel | None, report: Report) -> None:
        self.lane, self.model, self._report = lane, model, report
        self.player: Player | None = None
        self.lead_at_least_seconds = 0.0  # while another model gets ready to take over
        self.pace = Pace()
        self._follower = Follower(lane, self.pace, self._place_on, self._next_generation)
        self._order: Order | None = None  # of the player
        self._next: Order | None = None  # begins where the player ends
        self._scheduled: list[tuple[Fraction, Update]] = []
        self._state, self._generation, self._seed = IDLE, 0, 0
        self._waiting_from: float | None = None  # since when the first block of something new is awaited

    # -- commands -----------------------------------------------------------------------------------------

    def play(self, at: At, bars: int, begun: Begun, failed: Failed) -> None:
        """Begin a stream; a running one goes on up to the new one's start."""
        transport = self.lane.clock.or_standing()
        bars = int(self.lane.settings.values["bars"]) if bars < 0 else bars
        start = self._start_beats(at, transport)
        end = start + bars * transport.signature.beats_per_bar if bars else None
        order = Order(start, end, self.lane.take_seed(), time.monotonic(), begun, failed)
        player = self.player
        if player is not None and self._state == PLAYING and player.loop is None:
            own = player.place.line.sample_at(start) - player.place.zero_samples
            if player.made_own < own < player.end_own:
                self._drop(self._next)
                self._next = order
                player.end_before(player.place.zero_samples + own)
                order.begin(self._generation + 1)  # it may be long until it sounds
                return
        self._begin(order, transport)

    def _start_beats(self, at: At, transport: Transport) -> Fraction:
        """The beat to begin on: the one asked for, or the next of its kind that can still be met."""
        grid, position = transport.grid, transport.position_samples
        margin = int(self.pace.margin_seconds * grid.sample_rate_hz) if transport.playing else 0
        ready = position + margin
        wanted = at.resolve(grid, position)
        if grid.sample_at(wanted) >= ready:
            return wanted
        if at.word in ("beat", "bar"):
            return At(at.word).resolve(grid, ready)
        return grid.beats_at(ready)

    def stop(self, at: At) -> float:
        """End the stream at a beat; returns it. Nothing happens where none plays."""
        transport = self.lane.clock.or_standing()
        grid, position = transport.grid, transport.position_samples
        beats = at.resolve(grid, position)
        soon = position + int(STOP_SECONDS * grid.sample_rate_hz) if transport.playing else position
        end = max(grid.sample_at(beats), soon)
        self._drop(self._next)
        self._next = None
        player, order = self.player, self._order
        if player is None or order is None:
            return float(beats)
        if end <= player.place.start_samples:
            self._drop(order)
            self._end(IDLE, player.place.start_samples)
        elif end < player.place.end_samples:
            order.end_beats = grid.beats_at(end)
            player.end_at(end, self._next_generation())
        return float(grid.beats_at(end))

    def schedule(self, at: At, update: Update) -> None:
        """Change the settings when the host is at `at`; a running stream is made anew from there."""
        transport = self.lane.clock.or_standing()
        beats = at.resolve(transport.grid, transport.position_samples)
        self._scheduled.append((beats, update))
        self._scheduled.sort(key=lambda entry: entry[0])

    def close(self) -> None:
        """The lane goes: nobody waits for an answer any more, and its ring is freed."""
        self._drop(self._order)
        self._drop(self._next)
        self.player = None
        self.lane.ring.close()

    def take_over(self, player: Player, model: LoadedModel, text: str) -> None:
        """Another model's player goes on where this lane's one is; see `heir`."""
        transport = self.lane.clock.or_standing()
        self.model, self.player = model, player
        begins = player.score.beats_at(player.written_own)
        player.take_turn(transport.position_samples, self._next_generation())
        self._report(self.lane, self._state, begins, text)

    # -- every turn ---------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Follow host and settings, write what waits, and end what is at its end."""
        transport = self.lane.clock.or_standing()
        self._apply_scheduled(transport)
        player = self.player
        if player is not None:
            if self._follower.follow(player, transport):
                self._waiting_from = time.monotonic()
            if player.write():
                self._wrote()
            self._maybe_end(player, transport)
        self._look(transport)

    def _apply_scheduled(self, transport: Transport) -> None:
        """Settings whose beat comes; for a running stream early enough to have them heard on that beat."""
        early = 0.0 if self.player is None else self.pace.margin_seconds + EARLY_SECONDS
        soon = transport.position_samples + int(early * transport.sample_rate_hz)
        while self._scheduled and transport.grid.sample_at(self._scheduled[0][0]) <= soon:
            beats, update = self._scheduled.pop(0)
            self.lane.update(update)
            self._follower.heard_from = transport.grid.sample_at(beats)

    def wants_frames(self) -> bool:
        """Whether the stream is to be advanced now."""
        player = self.player
        if player is None:
            return False
        wanted = max(self.lane.settings.values["lead_seconds"], self.lead_at_least_seconds)
        lead = min(wanted, lead_limit_seconds(self.lane.ring))
        return player.wants(self.lane.clock.or_standing().position_samples, lead)

    def take(self, codes: torch.Tensor) -> None:
        """Frames that the stream gained."""
        if self.player is not None:
            before = self.player.written_own
            self.player.take(codes)
            if self.player.written_own > before:
                self._wrote()

    def fail(self, error: Exception) -> None:
        """Stop this lane's stream; what is in the ring still sounds."""
        for order in (self._order, self._next):
            if order is not None:
                order.fail(error)
        self._next = None
        end = self.player.place.zero_samples + self.player.written_own if self.player else 0
        self._end(FAILED, end, f"{error}")

    # -- the stream's life ----------------------------------------------------------------------------------

    def _begin(self, order: Order, transport: Transport) -> None:
        self._drop(self._order)
        self._order, self._next = order, None
        try:
            if self.model is None:
                raise NotReady("no model is loaded")
            settings, place = self.lane.adopt(own_values(self.model)), self._place_on(transport)
            player = Player(self.model, self.lane.ring, settings, place, order.seed, settings.continued)
        except Exception as error:  # whatever it is, it is answered and this lane alone fails
            self.fail(error)
            return
        self._seed = order.seed
        player.loop = loop_samples(transport)
        self.player = player
        player.announce(place.zero_samples, self._next_generation())
        self._change_state(PREPARING, float(order.start_beats), left_aside(player.model, settings))
        self._waiting_from = time.monotonic()

    def _next_generation(self) -> int:
        self._generation += 1
        return self._generation

    def _place_on(self, transport: Transport) -> Place:
        """Where the order's music lies on the host's grid; endless where a loop hides its end."""
        order, grid = self._order, self._follower.line(transport)
        assert order is not None
        start = grid.sample_at(order.start_beats)
        following = None if self._next is None else self._next.start_beats
        ends = [beats for beats in (order.end_beats, following) if beats is not None]
        end = grid.sample_at(min(ends)) if ends else ENDLESS_SAMPLES
        loop = loop_samples(transport)
        if loop is not None and start < loop[1] < end and transport.position_samples < loop[1]:
            end = ENDLESS_SAMPLES
        return Place(grid, start, end, transport.timeline)

    def _wrote(self) -> None:
        """Blocks went into the ring: the first ones answer the command and teach the pace."""
        now = time.monotonic()
        if self._waiting_from is not None:
            self.pace.ready_after(now - self._waiting_from)
            self._waiting_from = None
        if self._state == PREPARING and self._order is not None:
            self.pace.first_sound_seconds = now - self._order.ordered_seconds
            self.pace.restart()
            self._change_state(PLAYING, float(self._order.start_beats))
            self._order.begin(self._generation)

    def _maybe_end(self, player: Player, transport: Transport) -> None:
        if transport.timeline == player.place.timeline and transport.position_samples >= player.place.end_samples:
            self._end(ENDED, player.place.end_samples)
        elif player.finished and self._next is not None:
            self._begin(self._next, transport)

    def _end(self, state: str, end_samples: int, text: str = "") -> None:
        player = self.player
        grid, timeline = self.lane.clock.or_standing().grid, 0
        if player is not None:
            grid, timeline = player.place.grid, player.place.timeline
        generation = self._next_generation() if state == IDLE else self._generation
        self.lane.ring.set_plan(Plan(generation, False, end_samples, end_samples, end_samples, timeline))
        self.player = self._order = None
        self._change_state(state, float(grid.beats_at(end_samples)), text)

    @staticmethod
    def _drop(order: Order | None) -> None:
        """An order that is overtaken; nothing where it has begun already."""
        if order is not None:
            order.fail(Overtaken("another command took its place"))

    # -- how it is --------------------------------------------------------------------------------------

    def _look(self, transport: Transport) -> None:
        player, pace, before = self.player, self.pace, self.lane.view
        fill, written, rolls = 0.0, before.written_beats, before.rolls
        if player is not None:
            position = max(transport.position_samples, player.place.start_samples)
            fill = max(0, player.ahead_samples(position)) / transport.sample_rate_hz
            written = player.score.beats_at(player.written_own)
            rolls = max(0, player.windows - 1)
            self.lane.heard_excerpt(player.excerpt, player.model.codec.sample_rate)
            if self._state == PLAYING and not player.finished and transport.playing:
                pace.saw_fill(fill, transport.position_samples >= player.place.start_samples)
        self.lane.view = LaneView(
            self._state, written, self._generation, self._seed, fill,
            pace.fill_low_seconds, pace.first_sound_seconds, pace.realtime_ratio, rolls,
            pace.change_seconds,
        )  # fmt: skip

    def _change_state(self, state: str, beats: float, text: str = "") -> None:
        if state != self._state or text:
            self._state = state
            self._report(self.lane, state, beats, text)
