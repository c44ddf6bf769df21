"""Following the host: when a stream is made anew, moved or begun again. All of it [generate].

other grid, prompt, reference, parameter     retake: from as near to the host as can be done in time
jump inside the music, or behind the host    move: the newest music whose place in the bar fits goes there
jump to before its start                     the same music from its start
the loop's end, expected                     nothing: the next pass is in the ring already
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from bridge import units
from bridge.transport import Grid, Transport
from engine.serve.lane import Lane
from engine.serve.pace import Pace
from engine.serve.place import Place
from engine.serve.player import Player

RETAKE_SECONDS = 0.25  # changes that come faster are taken together
CATCH_UP_SECONDS = 0.3  # what is to be ready when a late stream comes in again
SAME_BEATS = Fraction(1, 10_000)


class Follower:
    """Keeps one lane's stream where its host is; `place_on` gives a stream's place on a host's grid."""

    def __init__(
        self,
        lane: Lane,
        pace: Pace,
        place_on: Callable[[Transport], Place],
        next_generation: Callable[[], int],
    ) -> None:
        self._lane, self._pace = lane, pace
        self._place_on, self._next_generation = place_on, next_generation
        self._changed_seconds = 0.0
        self.heard_from = 0  # no change of settings is heard before this host position

    def follow(self, player: Player, transport: Transport) -> bool:
        """Do what the host's newest snapshot asks for; True when the stream is made anew.

        The stream may be over after that: the caller looks whether the host is behind its end.
        """
        loop = loop_samples(transport)
        if transport.timeline != player.place.timeline:
            if player.passed(transport):
                return False
            player.loop = loop
            self._jump(player, transport)
            return True
        if loop != player.loop:
            player.loop = loop
            self._retake(player, transport)
            return True
        if not same_grid(player.place.grid, transport.grid, transport.position_samples):
            self._retake(player, transport)
            return True
        if self._behind(player, transport):
            self._catch_up(player, transport)
            return True
        return self._follow_settings(player, transport)

    def _follow_settings(self, player: Player, transport: Transport) -> bool:
        settings = self._lane.settings
        if player.settings is settings:
            return False
        if player.settings.heard() == settings.heard():
            player.quiet_change(settings)
            return False
        if time.monotonic() - self._changed_seconds < RETAKE_SECONDS:
            return False
        self._retake(player, transport)
        ahead = player.place.zero_samples + player.chain.end_samples - transport.position_samples
        told = time.monotonic() - self._lane.changed_seconds
        self._pace.change_seconds = told + max(0, ahead) / transport.sample_rate_hz
        return True

    def _retake(self, player: Player, transport: Transport) -> None:
        """Make the stream anew from as near to the host as can be done in time."""
        self._changed_seconds = time.monotonic()
        generation, place = self._next_generation(), self._place_on(transport)
        cut, self.heard_from = max(self._ready_samples(transport), self.heard_from), 0
        if not player.made_own or cut <= place.zero_samples:
            player.loop = loop_samples(transport)
            player.restart(self._lane.settings, place, generation)
            return
        place = replace(place, zero_samples=player.place.zero_samples)
        player.retake(transport.position_samples, cut, self._lane.settings, place, generation)

    def _jump(self, player: Player, transport: Transport) -> None:
        """The host is elsewhere: the same again before the start, or what fits the bar inside."""
        self._changed_seconds = time.monotonic()
        generation, place = self._next_generation(), self._place_on(transport)
        to = self._ready_samples(transport)
        if to <= place.zero_samples or not player.made_own:
            player.restart(self._lane.settings, place, generation)
        elif to >= place.end_samples:
            player.place = place
        else:
            self._move(player, transport, to, place, generation)

    def _catch_up(self, player: Player, transport: Transport) -> None:
        """Too late: come in again on a bar line that can be met with something to spare."""
        self._changed_seconds = time.monotonic()
        grid = transport.grid
        spare = int(CATCH_UP_SECONDS * transport.sample_rate_hz)
        to = grid.bar_start(grid.next_bar(self._ready_samples(transport) + spare))
        place = self._place_on(transport)
        if to < place.end_samples:
            self._move(player, transport, to, place, self._next_generation())

    def _move(self, player: Player, transport: Transport, to: int, place: Place, generation: int) -> None:
        own = fitting_own(player, to, place.grid)
        player.move(transport.position_samples, own, to, place, generation)

    def _behind(self, player: Player, transport: Transport) -> bool:
        """Whether the host is waiting for music that would come too late."""
        if not transport.playing or player.stream.finished or not player.made_own:
            return False
        waited = time.monotonic() - self._changed_seconds
        late = -player.ahead_samples(transport.position_samples) > transport.sample_rate_hz // 50
        return late and waited > self._pace.margin_seconds + CATCH_UP_SECONDS

    def _ready_samples(self, transport: Transport) -> int:
        """The earliest position for which something new can be ready in time."""
        margin = self._pace.margin_seconds if transport.playing else 0.0
        return transport.position_samples + int(margin * transport.sample_rate_hz)


def fitting_own(player: Player, to_samples: int, grid: Grid) -> int:
    """The newest own sample that is made and whose place in the bar is that of `to_samples` on `grid`.

    The newest of all where a bar has not been made yet, or is not kept any more.  [generate]
    """
    made = player.made_own
    old = player.place.grid
    bar = grid.signature.beats_per_bar
    newest = old.beats_at(player.place.zero_samples + made) - units.exact(old.bar_origin_beats)
    wanted = grid.beats_at(to_samples) - units.exact(grid.bar_origin_beats)
    back = units.beats_to_samples((newest - wanted) % bar, old.tempo_bpm, old.sample_rate_hz)
    own = made - units.nearest(back)
    kept = player.chain.history.shape[1] * player.resampler.new // player.resampler.orig
    return own if own > 0 and made - own < kept - old.sample_rate_hz // 10 else made


def loop_samples(transport: Transport) -> tuple[int, int] | None:
    """First sample of the host's loop and the one behind its last; None where it does not loop.  [any]"""
    if transport.loop_beats is None:
        return None
    start, end = (transport.grid.sample_at(beats) for beats in transport.loop_beats)
    return (start, end) if end > start else None


def same_grid(one: Grid, other: Grid, position_samples: int) -> bool:
    """Whether two grids say the same of a position and of what follows it.  [any]"""
    if one is other or one == other:
        return True
    same_line = one.tempo_bpm == other.tempo_bpm and one.signature == other.signature
    return same_line and abs(one.beats_at(position_samples) - other.beats_at(position_samples)) < SAME_BEATS
