"""MIDI clock out: plans the messages with which others follow the host.

24 ticks a quarter note, also while the host stands. It starts on the next sixteenth, given by song position; a jump is
stop, song position, continue. Before beat 0 it waits for beat 0, which is a start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bridge.time.units import SECONDS_PER_MINUTE
from plugin_host.sync.clock_pattern import TICKS_PER_BEAT
from plugin_host.sync.host_time import HostTime
from plugin_host.sync.midi_clock import SIXTEENTHS_PER_BEAT

TICKS_PER_SIXTEENTH = TICKS_PER_BEAT // SIXTEENTHS_PER_BEAT
SONG_POSITION_MAX = 2**14 - 1
JUST_PASSED = 0.15  # of a sixteenth: less than a tick ago, so it is still in time
JUMP_BEATS = 0.1
CATCH_UP_TICKS = 6  # late ticks that are still sent; more are a jump


@dataclass(frozen=True, slots=True)
class ClockMessage:
    """A message by mido's name, and its time; `value` is the song position in sixteenths."""

    seconds: float
    kind: str
    value: int = 0


class ClockOut:
    """Plans the messages; the owner of the port sends them."""

    def __init__(self) -> None:
        self._running = False
        self._next_tick = 0
        self._free_seconds: float | None = None
        self._until = (0.0, 0.0)  # time and beat up to which messages are planned

    def plan(self, now_seconds: float, until_seconds: float, host: HostTime) -> list[ClockMessage]:
        """New messages due before `until_seconds`, in order.  [main]"""
        if not host.transport.playing:
            return self._standing(now_seconds, until_seconds, host)
        due: list[ClockMessage] = []
        if self._running and self._jumped(now_seconds, host):
            due.append(ClockMessage(now_seconds, "stop"))
            self._running = False
        if not self._running:
            due += self._begin(now_seconds, host)
        while (seconds := host.seconds_at(self._next_tick / TICKS_PER_BEAT)) < until_seconds:
            due.append(ClockMessage(max(seconds, now_seconds), "clock"))
            self._next_tick += 1
        self._until = (until_seconds, host.beats_at(until_seconds))
        return due

    def _standing(self, now_seconds: float, until_seconds: float, host: HostTime) -> list[ClockMessage]:
        due: list[ClockMessage] = []
        if self._running:
            due.append(ClockMessage(now_seconds, "stop"))
            self._running = False
            self._free_seconds = None
        step = SECONDS_PER_MINUTE / (host.transport.tempo_bpm * TICKS_PER_BEAT)
        seconds = now_seconds + step if self._free_seconds is None else self._free_seconds
        while seconds < until_seconds:
            due.append(ClockMessage(max(seconds, now_seconds), "clock"))
            seconds += step
        self._free_seconds = seconds
        return due

    def _jumped(self, now_seconds: float, host: HostTime) -> bool:
        seconds, beats = self._until
        late = host.beats_at(now_seconds) * TICKS_PER_BEAT - self._next_tick
        return abs(host.beats_at(seconds) - beats) > JUMP_BEATS or late > CATCH_UP_TICKS

    def _begin(self, now_seconds: float, host: HostTime) -> list[ClockMessage]:
        sixteenth = max(0, math.ceil(host.beats_at(now_seconds) * SIXTEENTHS_PER_BEAT - JUST_PASSED))
        self._running, self._free_seconds = True, None
        self._next_tick = sixteenth * TICKS_PER_SIXTEENTH
        if sixteenth == 0:
            return [ClockMessage(now_seconds, "start")]
        place = min(sixteenth, SONG_POSITION_MAX)
        return [ClockMessage(now_seconds, "songpos", place), ClockMessage(now_seconds, "continue")]
