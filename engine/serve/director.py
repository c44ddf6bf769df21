"""What one lane's stream does next: begin, go on, be made anew, end. All of it [generate].

    play ---> preparing --first block in the ring---> playing --end reached---> ended
                 |                                       |  prompt, reference, parameter, tempo: retake
                 +---- a fault: failed, this lane alone  |  jump: move, or begin again before the start
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import torch

from bridge.arguments import At
from bridge.errors import RegionTooShort
from bridge.ring import ENDLESS_SAMPLES, Plan
from bridge.transport import Grid, Transport
from bridge.units import SAMPLES_PER_FRAME
from engine.model import LoadedModel
from engine.serve.lane import ENDED, FAILED, IDLE, PLAYING, PREPARING, Lane, LaneView, Overtaken, Update
from engine.serve.pace import Pace
from engine.serve.place import Place
from engine.serve.player import Player, Prompt, lead_limit_seconds
from engine.serve.settings import HeardRegion

STOP_SECONDS = 0.06  # a stop "now" is heard after so much
RETAKE_SECONDS = 0.25  # changes that come faster are taken together
Report = Callable[[Lane, str, float, str], None]


@dataclass
class Order:
    """A play command with its place in beats; answered once: `begun` with its first block in the ring, or `failed`."""

    start_beats: Fraction
    end_beats: Fraction | None
    seed: int
    ordered_seconds: float
    begun: Callable[[float, int, int], None]
    failed: Callable[[Exception], None]
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
    """Drives one lane; the studio calls `tick` often and hands the frames of `stream` to `take`."""

    def __init__(self, lane: Lane, model: LoadedModel, report: Report) -> None:
        self.lane, self.model, self._report = lane, model, report
        self.player: Player | None = None
        self.pace = Pace()
        self._order: Order | None = None  # of the player
        self._next: Order | None = None  # begins where the player ends
        self._scheduled: list[tuple[Fraction, Update]] = []
        self._state, self._generation, self._seed = IDLE, 0, 0
        self._retaken_seconds = 0.0
        self._waiting_from: float | None = None  # since when a retake waits for its first block

    # -- commands -----------------------------------------------------------------------------------------

    def play(
        self, at: At, bars: int, begun: Callable[[float, int, int], None], failed: Callable[[Exception], None]
    ) -> None:
        """Begin a stream; a running one goes on up to the new one's start."""
        values, transport = self.lane.settings.values, self.lane.clock.or_standing()
        bars = int(values["bars"]) if bars < 0 else bars
        start = self._start_beats(at, transport)
        end = start + bars * transport.signature.beats_per_bar if bars else None
        order = Order(start, end, self.lane.take_seed(), time.monotonic(), begun, failed)
        if self.player is not None and self._state == PLAYING:
            start_samples = self.player.place.grid.sample_at(start)
            if self.player.place.zero_samples < start_samples < self.player.place.end_samples:
                if start_samples > self.player.made_end_samples:
                    self._drop(self._next)
                    self._next = order
                    self.player.place = replace(self.player.place, end_samples=start_samples)
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
        if end <= player.place.zero_samples:
            self._drop(order)
            self._end(IDLE, player.place.zero_samples)
        elif end < player.place.end_samples:
            order.end_beats = grid.beats_at(end)
            self._generation += 1
            player.end_at(end, self._generation)
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

    # -- every turn ---------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Follow host and settings, write what waits, and end what is at its end."""
        transport = self.lane.clock.or_standing()
        self._apply_scheduled(transport)
        player = self.player
        if player is not None:
            self._follow(player, transport)
            if player.write():
                self._wrote()
            self._maybe_end(player, transport)
        self._look(transport)

    def wants_frames(self) -> bool:
        """Whether the stream is to be advanced now."""
        player = self.player
        if player is None:
            return False
        lead = min(self.lane.settings.values["lead_seconds"], lead_limit_seconds(self.lane.ring))
        return player.wants(self.lane.clock.or_standing().position_samples, lead)

    def take(self, codes: torch.Tensor) -> None:
        """Frames that the stream gained."""
        if self.player is not None:
            before = self.player.written_end_samples
            self.player.take(codes)
            if self.player.written_end_samples > before:
                self._wrote()

    def fail(self, error: Exception) -> None:
        """Stop this lane's stream; what is in the ring still sounds."""
        for order in (self._order, self._next):
            if order is not None:
                order.fail(error)
        self._next = None
        end = self.player.written_end_samples if self.player else 0
        self._end(FAILED, end, f"{error}")

    # -- the stream's life ----------------------------------------------------------------------------------

    def _begin(self, order: Order, transport: Transport) -> None:
        self._drop(self._order)
        self._order, self._next = order, None
        settings = self.lane.settings
        try:
            place = self._place(order, transport.grid, transport.timeline)
            prompt = make_prompt(self.model, settings.continued)
            player = Player(self.model, self.lane.ring, settings, place, order.seed, prompt)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered and this lane alone fails
            self.fail(error)
            return
        self._generation += 1
        self._seed = order.seed
        self.player = player
        player.announce(place.zero_samples, self._generation)
        self._change_state(PREPARING, float(order.start_beats))
        self._waiting_from = time.monotonic()

    def _place(self, order: Order, grid: Grid, timeline: int) -> Place:
        ends = [beats for beats in (order.end_beats, self._next and self._next.start_beats) if beats is not None]
        end = grid.sample_at(min(ends)) if ends else ENDLESS_SAMPLES
        return Place(grid, grid.sample_at(order.start_beats), end, timeline)

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
        if self._next is not None and player.finished:
            self._begin(self._next, transport)
        elif player.finished and transport.position_samples >= player.place.end_samples:
            self._end(ENDED, player.place.end_samples)

    def _end(self, state: str, end_samples: int, text: str = "") -> None:
        grid, timeline = self.lane.clock.or_standing().grid, 0
        if self.player is not None:
            grid, timeline = self.player.place.grid, self.player.place.timeline
        self._generation += state == IDLE
        self.lane.ring.set_plan(
            Plan(self._generation, False, end_samples, end_samples, end_samples, timeline)
        )
        self.player = self._order = None
        self._change_state(state, float(grid.beats_at(end_samples)), text)

    @staticmethod
    def _drop(order: Order | None) -> None:
        """An order that is overtaken; nothing where it has begun already."""
        if order is not None:
            order.fail(Overtaken("another command took its place"))

    # -- following the host ---------------------------------------------------------------------------------

    def _apply_scheduled(self, transport: Transport) -> None:
        """Settings whose beat has come; those of a running stream as soon as it is about to be made."""
        margin = int(self.pace.margin_seconds * transport.sample_rate_hz)
        while self._scheduled:
            beats, update = self._scheduled[0]
            due = transport.grid.sample_at(beats)
            if due > transport.position_samples + (margin if self.player is not None else 0):
                return
            self._scheduled.pop(0)
            self.lane.update(update)

    def _follow(self, player: Player, transport: Transport) -> None:
        if transport.timeline != player.place.timeline or _far_behind(player, transport):
            self._jump(player, transport)
        elif not same_grid(player.place.grid, transport.grid, transport.position_samples):
            self._retake(player, transport)
        elif player.settings is not self.lane.settings:
            if player.settings.heard() == self.lane.settings.heard():
                player.quiet_change(self.lane.settings)
            elif time.monotonic() - self._retaken_seconds >= RETAKE_SECONDS:
                self._retake(player, transport)

    def _retake(self, player: Player, transport: Transport) -> None:
        """Make the stream anew from as near to the host as can be done in time."""
        assert self._order is not None
        self._retaken_seconds = time.monotonic()
        self._generation += 1
        place = self._place(self._order, transport.grid, transport.timeline)
        cut = transport.position_samples + int(self.pace.margin_seconds * transport.sample_rate_hz)
        if player.made_end_samples <= player.place.zero_samples or cut <= place.zero_samples:
            player.restart(self.lane.settings, place, self._generation)
        else:
            place = replace(place, zero_samples=player.place.zero_samples)
            player.retake(cut, self.lane.settings, place, self._generation)
        self._waiting_from = self._retaken_seconds

    def _jump(self, player: Player, transport: Transport) -> None:
        """The host is elsewhere: begin again before the start, go on inside, end behind the end."""
        assert self._order is not None
        place = self._place(self._order, transport.grid, transport.timeline)
        margin = int(self.pace.margin_seconds * transport.sample_rate_hz) if transport.playing else 0
        to = transport.position_samples + margin
        self._generation += 1
        self._retaken_seconds = time.monotonic()
        if to <= place.zero_samples:
            player.restart(self.lane.settings, place, self._generation)
        elif to >= place.end_samples:
            self._end(ENDED, place.end_samples)
            return
        else:
            player.move(self._heard_samples(player), to, place, self._generation)
        self._waiting_from = self._retaken_seconds

    def _heard_samples(self, player: Player) -> int:
        """The last host position known of the stretch that the stream was on."""
        return self._position_before if self._position_before is not None else player.written_end_samples

    _position_before: int | None = None

    # -- how it is --------------------------------------------------------------------------------------------

    def _look(self, transport: Transport) -> None:
        player = self.player
        fill = 0.0
        written = self.lane.view.written_beats
        if player is not None:
            if transport.timeline == player.place.timeline:
                self._position_before = transport.position_samples
            ahead = player.written_end_samples - max(transport.position_samples, player.place.zero_samples)
            fill = max(0, ahead) / transport.sample_rate_hz
            written = float(player.place.grid.beats_at(player.written_end_samples))
            if self._state == PLAYING and not player.finished and transport.playing:
                self.pace.saw_fill(fill, transport.position_samples >= player.place.zero_samples)
        pace = self.pace
        self.lane.view = LaneView(
            self._state, written, self._generation, self._seed, fill, pace.fill_low_seconds,
            pace.first_sound_seconds, pace.realtime_ratio, player.window_rolls if player else self.lane.view.rolls,
        )  # fmt: skip

    def _change_state(self, state: str, beats: float, text: str = "") -> None:
        if state != self._state or text:
            self._state = state
            self._report(self.lane, state, beats, text)


def _far_behind(player: Player, transport: Transport) -> bool:
    """Whether the host has left the stream more than a lead behind, so that catching up makes no sense."""
    behind = transport.position_samples - player.made_end_samples
    return transport.playing and behind > 2 * transport.sample_rate_hz and not player.stream.finished


def same_grid(one: Grid, other: Grid, position_samples: int) -> bool:
    """Whether two grids say the same of a position and of what follows it.  [any]"""
    if one is other or one == other:
        return True
    same_line = one.tempo_bpm == other.tempo_bpm and one.signature == other.signature
    return same_line and abs(one.beats_at(position_samples) - other.beats_at(position_samples)) < Fraction(1, 10_000)


def make_prompt(model: LoadedModel, region: HeardRegion | None) -> Prompt | None:
    """The end of a region as codes, in whole frames counted back from its end; None for none.

    Raises RegionTooShort when it holds less than a frame.  [generate]
    """
    if region is None:
        return None
    most = model.window_frames - model.stride_frames
    frames = min(region.audio.shape[-1] // SAMPLES_PER_FRAME, most)
    if frames < 1:
        raise RegionTooShort("the region to go on from is shorter than 20 ms")
    audio = region.audio[:, -frames * SAMPLES_PER_FRAME :]
    audio = audio.expand(model.codec.channels, -1)
    with torch.no_grad():
        codes = model.codec.encode(audio[None].to(model.lm.out_norm.weight.device))[0]
    return Prompt(codes, audio)
