"""Aligns the host's timeline with the leader, and keeps it aligned.

    leader starts, stops, or is 80 ms and more away   jump: start or locate, exact at the next block
    off by 3 ms                                       bend: the tempo a little up or down until it is within 0.7 ms
    otherwise                                         no change: each change of tempo is work for the engine

The host's tempo is the leader's, averaged over a few seconds; a difference of half a per cent counts at once.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from bridge.time.tempo_map import TEMPO_MAX_BPM, TEMPO_MIN_BPM
from bridge.time.transport import Grid, Transport
from plugin_host.host.timeline import Timeline
from plugin_host.sync.host_time import HostTime
from plugin_host.sync.reading import Reading

JUMP_SECONDS = 0.08
BEND_FROM_SECONDS, BEND_TO_SECONDS = 0.003, 0.0007
PULL_SECONDS = 1.0  # over which an error is corrected
BEND_MAX = 0.04
OTHER_TEMPO = 0.005
STEADY_TEMPO = 0.0005  # a smaller difference is the same tempo
LEAST_CHANGE, LEAST_BEND = 0.0001, 0.002
AVERAGE_SECONDS = 8.0
CHANGES_APART_SECONDS = 0.25
STANDING_BEATS = 1e-3


class ClockFollower:
    """Controls one timeline. `error_seconds` is how far the leader was ahead at the last `step`."""

    def __init__(self, timeline: Timeline) -> None:
        self.error_seconds = 0.0
        self.jumps = self.tempo_changes = 0
        self._timeline = timeline
        self._tempo_bpm: float | None = None  # the leader's, without bend
        self._average_bpm, self._average_since = 0.0, 0.0
        self._bending = False
        self._looked_at = self._changed_at = -math.inf
        self._after_samples = -1  # blocks up to here were rendered before the last change

    def step(self, now_seconds: float, reading: Reading | None, host: HostTime) -> None:
        """Compare and correct; ten to a hundred times a second.  [main]"""
        if host.rendered_samples <= self._after_samples:
            return
        if reading is None:
            self._release(host)
            return
        self._average(now_seconds, reading.tempo_bpm)
        ours, theirs = host.transport, reading.beats_at(now_seconds)
        if theirs is None:
            self._set_tempo(now_seconds, host, 0.0)
        elif reading.playing != ours.playing:
            self._jump(reading, host)
        elif not reading.playing:
            away = abs(theirs - ours.position_beats) > STANDING_BEATS
            if away or abs(reading.tempo_bpm / ours.tempo_bpm - 1) > OTHER_TEMPO:
                self._jump(reading, host)
        else:
            self._keep(now_seconds, (theirs - host.beats_at(now_seconds)) / host.beats_per_second, reading, host)

    def _average(self, now_seconds: float, tempo_bpm: float) -> None:
        passed = now_seconds - self._looked_at
        self._looked_at = now_seconds
        if self._tempo_bpm is None or abs(tempo_bpm / self._average_bpm - 1) > OTHER_TEMPO:
            self._average_bpm = self._tempo_bpm = tempo_bpm
            self._average_since = now_seconds
            return
        age = now_seconds - self._average_since + passed
        self._average_bpm += (tempo_bpm - self._average_bpm) * min(1.0, max(passed / AVERAGE_SECONDS, 2 * passed / age))
        if abs(self._average_bpm / self._tempo_bpm - 1) > STEADY_TEMPO:
            self._tempo_bpm = round(self._average_bpm, 2)

    def _keep(self, now_seconds: float, error_seconds: float, reading: Reading, host: HostTime) -> None:
        self.error_seconds = error_seconds
        if abs(error_seconds) > JUMP_SECONDS or _other_meter(reading, host.transport):
            self._jump(reading, host)
            return
        self._bending = abs(error_seconds) > (BEND_TO_SECONDS if self._bending else BEND_FROM_SECONDS)
        bend = max(-BEND_MAX, min(BEND_MAX, error_seconds / PULL_SECONDS)) if self._bending else 0.0
        self._set_tempo(now_seconds, host, bend)

    def _set_tempo(self, now_seconds: float, host: HostTime, bend: float) -> None:
        if self._tempo_bpm is None:
            return
        wanted = round(self._tempo_bpm * (1 + bend) * host.slowness, 3)
        wanted = min(max(wanted, TEMPO_MIN_BPM), TEMPO_MAX_BPM)
        off = abs(wanted / host.transport.tempo_bpm - 1)
        soon = now_seconds - self._changed_at < CHANGES_APART_SECONDS and off < OTHER_TEMPO
        if off < (LEAST_BEND if bend else LEAST_CHANGE) or soon:
            return
        self._changed_at = now_seconds
        self._after_samples = host.rendered_samples
        self.tempo_changes += 1
        self._timeline.set_tempo(wanted)

    def _jump(self, reading: Reading, host: HostTime) -> None:
        """Jump to the leader's position at the time when the next block is heard."""
        self.jumps += 1
        self._bending = False
        self._after_samples = host.rendered_samples
        self._average_bpm = self._tempo_bpm = reading.tempo_bpm
        self._timeline.change(partial(_placed, reading, host))

    def _release(self, host: HostTime) -> None:
        """The leader is gone: continue at its tempo, without bend."""
        if self._bending and self._tempo_bpm is not None:
            self._bending = False
            self._after_samples = host.rendered_samples
            self._timeline.set_tempo(round(self._tempo_bpm * host.slowness, 3))


def _placed(reading: Reading, host: HostTime, now: Transport, rendered_samples: int) -> Transport:
    """The snapshot for a block that begins at `rendered_samples`, at the leader's position then.  [audio]"""
    beats = reading.beats_at(host.heard_at(rendered_samples)) or 0.0
    grid = Grid(now.sample_rate_hz, round(reading.tempo_bpm, 2), reading.signature or now.signature)
    position = grid.sample_at(beats)
    return replace(now, playing=reading.playing, position_samples=position, grid=grid)


def _other_meter(reading: Reading, ours: Transport) -> bool:
    return reading.signature is not None and reading.signature != ours.signature
