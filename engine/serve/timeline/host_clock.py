"""The host's transport: from the shared block if the host writes one, else from OSC messages."""

from __future__ import annotations

import threading
from dataclasses import replace

from bridge.ring.writer import RingWriter
from bridge.system.clock import Clock
from bridge.time import units
from bridge.time.tap_tempo import Tapped, TapTempo
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature, shortest_float32
from engine.serve.timeline.due import loop_ahead
from engine.serve.timeline.samples import HostSample

SILENT_SECONDS = 1.0  # without a snapshot, after which a host that played stands for those who look at it
SAME_PLACE_BEATS = 0.25  # an OSC position this near to the expected one is no jump


class HostClock:
    """The newest transport of one lane's host; the shared block wins over messages."""

    def __init__(self, ring: RingWriter, clock: Clock) -> None:
        self._ring = ring
        self._clock = clock
        self._reported: tuple[Transport, float] | None = None
        self._lock = threading.Lock()
        self._last: Transport | None = None
        self._taps = TapTempo()

    def report(self, playing: bool, position_beats: float, bpm: float, signature: Signature) -> None:
        """Set the transport of a host without a shared block.  [control]"""
        now = self._clock.now_seconds()
        with self._lock:
            self._reported = self._follow(playing, position_beats, bpm, signature, now), now

    def _follow(self, playing: bool, beats: float, bpm: float, signature: Signature, now_seconds: float) -> Transport:
        """The new snapshot; it continues the old one if plausible, else the seek id grows."""
        rate = self._ring.form.sample_rate_hz
        if self._reported is None:
            grid = Grid(rate, bpm, signature)
            return Transport(playing, grid.sample_at(beats), grid)
        before = self._extrapolated(*self._reported, now_seconds)
        jumped = abs(before.position_beats - beats) > SAME_PLACE_BEATS
        grid = before.grid
        position = grid.sample_at(beats) if jumped or not playing else before.position_samples
        if bpm != grid.tempo_bpm:
            grid = grid.retuned(position, bpm)
        if signature != grid.signature:
            grid = grid.resigned(grid.bar_start(grid.bar_at(position)), signature)
        return Transport(playing, position, grid, None, before.seek_id + jumped)

    def tap(self, downbeat: bool) -> Tapped | None:
        """Take a tap now, the first of a bar if `downbeat`; None while the taps give no tempo yet.

        A host that sends its time by messages, or not at all, goes on at that tempo with the nearest beat (or bar
        line) on the tap; the time of a host with a shared block stays.  [control]
        """
        now = self._clock.now_seconds()
        found = self._taps.tap(now, downbeat)
        if found is None:
            return None
        bpm, late_seconds = shortest_float32(found.tempo_bpm), now - found.beat_seconds
        with self._lock:
            before = Transport(False, 0, Grid(self._ring.form.sample_rate_hz, bpm))
            if self._reported is not None:
                before = self._extrapolated(*self._reported, now)
            beats = before.position_beats - late_seconds * bpm / units.SECONDS_PER_MINUTE
            unit = float(before.signature.beats_per_bar) if downbeat else 1.0
            moved = round(beats / unit) * unit - beats if before.playing else 0.0
            grid = before.grid.retuned(before.position_samples, bpm)
            grid = grid.moved(before.position_samples, float(grid.beats_at(before.position_samples)) + moved)
            jumped = abs(moved) > SAME_PLACE_BEATS
            self._reported = replace(before, grid=grid, seek_id=before.seek_id + jumped), now
        return found

    @property
    def shared(self) -> bool:
        """Whether the host writes the shared block, so that messages are ignored.  [any]"""
        return self._ring.transport() is not None or self._last is not None

    def _extrapolated(self, reported: Transport, reported_seconds: float, now_seconds: float) -> Transport:
        passed = units.seconds_to_samples(max(0.0, now_seconds - reported_seconds), reported.sample_rate_hz)
        return reported.advanced(int(passed))

    def now(self) -> Transport | None:
        """The host's transport, None if it never sent one.  [generate]"""
        shared = self._ring.transport()
        if shared is not None:
            self._last = shared
            return shared
        if self._last is not None:  # the host was just writing
            return self._last
        with self._lock:
            reported = self._reported
        return None if reported is None else self._extrapolated(*reported, self._clock.now_seconds())

    def seen(self) -> Transport | None:
        """The host's transport at this moment, extrapolated from its newest snapshot; None if there is none.

        A host with a shared block that has fallen silent stands. Through the end of its loop the position goes on at
        the loop's start.  [any]
        """
        said, now = self._ring.transport_said(), self._clock.now_seconds()
        with self._lock:
            said = said or self._reported
            shared = self._last is not None or said is not self._reported
        if said is None:
            return None
        transport, since = said
        if shared and now - since > SILENT_SECONDS:
            return replace(transport, playing=False)
        return through_the_loop(transport, self._extrapolated(transport, since, now))

    def was_at_seconds(self, position_samples: HostSample) -> float:
        """When the host was, or will be, at a position of its present seek id, on the monotonic clock.

        [generate]
        """
        said = self._ring.transport_said()
        transport, seconds = (self.or_standing(), self._clock.now_seconds()) if said is None else said
        passed = transport.position_samples - position_samples
        return seconds - float(units.samples_to_seconds(passed, transport.sample_rate_hz))

    def or_standing(self) -> Transport:
        """The host's transport, or a host that stands at beat 0 of 120 bpm.  [generate]"""
        return self.now() or Transport(False, 0, Grid(self._ring.form.sample_rate_hz))


def through_the_loop(before: Transport, now: Transport) -> Transport:
    """A transport that went on from `before`, set back by the passes of its loop.  [any]"""
    loop = loop_ahead(before)
    if loop is None or now.position_samples < loop.end:
        return now
    passes, into = divmod(now.position_samples - loop.end, loop.length)
    return replace(now, position_samples=loop.start + into, seek_id=now.seek_id + passes + 1)
