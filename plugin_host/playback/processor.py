"""process(out, transport): the code of the audio thread, with held_bar.py, held_level.py and fade.py.

    ring --read by position--> [real]--+--> out --> held bar (one bar, by phase)
    held bar --in phase--> [held]------+             ^ the newest music at each phase of the bar
    silence ---------------------------+

    IDLE ----first sound----> PLAYING --too little: the last bar, or the part of it heard--> HOLDING
      ^                         ^  |                                                            |
      |                         |  +--not even half a beat was heard--> MUTED --at once--+      |
      +---end of the plan---    +----------------------------------at a bar line---------+------+

No lock, no allocation of arrays, no log, no wait. Counting replaces reporting: others read `counters`.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from bridge.ring.form import Audio
from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.ring.reader import RingCounters, RingReader
from bridge.time.transport import Grid, Transport
from bridge.time.units import beats_to_samples, nearest, seconds_to_samples
from plugin_host.playback.counters import BlockState, Counters
from plugin_host.playback.fade import Fade, Takeover
from plugin_host.playback.held_bar import HeldBar
from plugin_host.playback.held_level import HeldLevel
from plugin_host.playback.recent_music import RecentMusic

FADE_SECONDS = 0.005
REJOIN_SECONDS = 0.1  # ready music that ends a hold; with less it would begin again at once
HALF_BEAT = Fraction(1, 2)  # with less music heard there is nothing to hold
FAR_SAMPLES = 1 << 40
SOUNDING = (BlockState.PLAYING, BlockState.HOLDING)


class Processor:
    """One lane's output for a DAW, float32 [n, channels]. The audio thread calls `process`, the main thread `offer`.

    `state`, `fill_samples` and `counters` may be read from any thread.
    """

    def __init__(self, sample_rate_hz: int, channels: int = 2, fade_seconds: float = FADE_SECONDS) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self.counters = Counters()
        self.drops = RingCounters()  # of all consecutive rings
        self.state = BlockState.IDLE
        self.fill_samples = 0
        self.seek_id = 0
        self.recent = RecentMusic(sample_rate_hz, channels)
        self.hold_until_samples = -FAR_SAMPLES  # a held bar continues to here, whatever the ring's plan is
        self._reader: RingReader | None = None
        self._offered: RingReader | None = None
        self._rejoin_samples = nearest(seconds_to_samples(REJOIN_SECONDS, sample_rate_hz))
        self._grid: Grid | None = None
        self._expected = 0  # position of the next block without a jump
        self._takeover = Takeover()
        self._bar_start = self._bar_end = 0
        self._half_beat_samples = 0
        self._nothing: Audio = np.zeros((0, channels), np.float32)
        self._in_bar = True  # store fades in the held bar too: both sides are neighbours there
        fade = max(nearest(seconds_to_samples(fade_seconds, sample_rate_hz)), 1)
        self._fade = Fade(fade, channels)
        self._held = HeldBar(sample_rate_hz, channels, self._fade.fall)
        self._level = HeldLevel(fade)

    # -- main thread ----------------------------------------------------------------------------------

    def offer(self, reader: RingReader | None) -> None:
        """Set another ring, or none, from the next block on.

        Close the old one only when `in_use` is False for it. ValueError for a ring of another rate or number of
        channels.  [main]
        """
        own = (self.sample_rate_hz, self.channels)
        if reader is not None and (reader.form.sample_rate_hz, reader.form.channels) != own:
            raise ValueError(
                f"the ring has {reader.form.channels} channels at {reader.form.sample_rate_hz} Hz, "
                f"this host {self.channels} at {self.sample_rate_hz}"
            )
        self._offered = reader

    def in_use(self, reader: RingReader | None) -> bool:
        """Whether the audio thread may still use that ring.  [main]"""
        return reader is not None and (self._reader is reader or self._offered is reader)

    # -- audio thread ---------------------------------------------------------------------------------

    def process(self, out: Audio, transport: Transport) -> None:
        """Fill all of `out` with the audio for the transport's position.

        Ring audio if there is some; else the last bar in phase, until a bar line at which there is some again; else
        silence. Every change of source is faded, except the first sample of a phrase.  [audio]
        """
        n_samples, position = len(out), transport.position_samples
        reader = self._take_offered()
        self._follow(transport, n_samples)
        counters = self.counters
        if reader is not None:
            reader.publish(transport, self.seek_id, n_samples, counters.underruns, counters.missed_samples)
            reader.look()
        counters.blocks += 1  # once the engine can know where the host is: others wait for that
        counters.samples += n_samples
        self._level.follow(None if reader is None else reader.fader, self.seek_id)
        if transport.playing:
            self._play(out, position)
        else:
            self._rest(out)
        self.fill_samples = 0 if reader is None else reader.fill_samples(position + n_samples, self.seek_id)

    def _take_offered(self) -> RingReader | None:
        reader = self._offered
        if reader is not None and reader is not self._reader:
            reader.counters = self.drops
        self._reader = reader
        return reader

    def _follow(self, transport: Transport, n_samples: int) -> None:
        """Handle jumps and changes of tempo or signature."""
        grid, known = transport.grid, self._grid
        if grid is not known:
            if known is not None and (grid.tempo_bpm, grid.signature) != (known.tempo_bpm, known.signature):
                self.counters.tempo_changes += 1
                if self.state == BlockState.HOLDING:
                    self._fade.join()
                    self._in_bar = False
                self._settle()
                self._held.retime(known, grid)
            if known is None or grid.tempo_bpm != known.tempo_bpm:
                half = beats_to_samples(HALF_BEAT, grid.tempo_bpm, grid.sample_rate_hz)
                self._half_beat_samples = nearest(half)
            self._grid = grid
            self._bar_end = self._bar_start  # computed again
        if transport.position_samples != self._expected and known is not None:
            self.counters.jumps += 1
            self.seek_id += 1
            if not self._settle():
                self._held.forget()
            if self.state in SOUNDING:
                self._fade.join()
                self._in_bar = False
        self._expected = transport.position_samples + (n_samples if transport.playing else 0)

    def _settle(self) -> bool:
        """Complete a bar from the music heard so far; returns whether there is one.

        Called before a jump or a change of tempo, since later music cannot complete it.
        """
        if self.state != BlockState.PLAYING:
            return self._held.whole
        return self._held.complete(self._expected - self._bar_start, self._half_beat_samples, self._in_bar)

    def _find_bar(self, position: int) -> None:
        """Bounds of the bar around a position; exact fractions, so at most once a bar."""
        if self._grid is not None:
            bar = self._grid.bar_at(position)
            self._bar_start, self._bar_end = self._grid.bar_start(bar), self._grid.bar_start(bar + 1)
            self._held.measure(self._bar_end - self._bar_start)

    def _play(self, out: Audio, position: int) -> None:
        """Fill a block of a host that plays, in parts: up to bar lines, the plan's end, changes of the gain."""
        here, after, plan_end = position, position + len(out), ENDLESS_SAMPLES
        reader, level = self._reader, self._level
        if reader is not None:
            if self._takeover.late(reader.plan, position) and self.state == BlockState.PLAYING:
                self._fade.join()
            if reader.plan.seek_id == self.seek_id:
                plan_end = reader.plan.end_samples
        while here < after:
            if not self._bar_start <= here < self._bar_end:
                self._find_bar(here)
            if here >= level.next_change:
                level.move_to(here)
            over = here >= plan_end
            end = min(after, self._bar_end, level.next_change, after if over else plan_end)
            self._part(out if end - here == len(out) else out[here - position : end - position], here, over)
            here = end

    def _part(self, out: Audio, position: int, over: bool) -> None:
        """Fill a part of the block that lies in one bar and on one side of the plan's end: `over`, behind it."""
        reader = self._reader
        while len(out):
            begin, end = (0, 0) if reader is None else reader.take(position, out, self.seek_id)
            if end == 0 or over:
                self._missing(out, position)
                return
            if end - begin == len(out):
                self._real(out, position)
                return
            if begin:
                self._missing(out[:begin], position)
            self._real(out[begin:end], position + begin)
            out, position = out[end:], position + end

    def _due(self, position: int) -> bool:
        """Whether sound is due here; before the engine has a plan for this timeline, whether there was sound."""
        reader = self._reader
        if reader is None or not reader.planned or reader.plan.seek_id != self.seek_id:
            return self.state != BlockState.IDLE
        plan = reader.plan
        if self.state == BlockState.HOLDING and position < self.hold_until_samples:
            return True
        begun = position >= plan.start_samples or self.state in SOUNDING  # sound continues up to a new start
        return begun and plan.sounding and position < plan.end_samples

    def ready(self, n_samples: int, expecting: bool = False) -> bool:
        """Whether the next block is complete: for hosts that wait for the engine.

        `expecting`: a stream was requested, so audio is due even before the engine has a plan.  [audio]
        """
        reader = self._take_offered()
        if reader is None:
            return True
        plan, position = reader.look(), self._expected
        reader.take(position, self._nothing, self.seek_id)  # free outdated blocks: the engine needs the space
        if not reader.planned or plan.seek_id != self.seek_id:
            return self.state == BlockState.IDLE and not expecting
        end = min(position + n_samples, plan.end_samples)
        if not plan.sounding or end <= max(position, plan.start_samples):
            return True
        return reader.ahead_samples(position) >= end - position

    def _real(self, out: Audio, position: int) -> None:
        """`out` has ring audio: play it, or hold until a bar line."""
        if self.state == BlockState.IDLE:
            if self._reader is None or position != self._reader.plan.start_samples:
                self._fade.across()[:] = 0
            self.state = BlockState.PLAYING
        elif self.state != BlockState.PLAYING:
            waits = self.state == BlockState.HOLDING and position != self._bar_start
            if waits or self._reader is None or not self._reader.lasts(position, self._rejoin_samples):
                self.counters.skipped_samples += len(out)
                self._fill(out, position)
                return
            leaving = self._fade.across()
            if self.state == BlockState.HOLDING:
                self._held.play(leaving, 0)
                self._level.apply(leaving)
            else:
                leaving[:] = 0
            self.state = BlockState.PLAYING
            self.counters.rejoins += 1
        self.counters.played_samples += len(out)
        self._finish(out, position)

    def _missing(self, out: Audio, position: int) -> None:
        """No ring audio for `out`: hold, mute, or rest if nothing is due."""
        if not self._due(position):
            self._rest(out)
            return
        self.counters.missed_samples += len(out)
        if self.state in (BlockState.IDLE, BlockState.PLAYING):
            self.counters.underruns += 1
            if self._held.complete(position - self._bar_start, self._half_beat_samples, self._in_bar):
                self._fade.join()
                self._level.begin()
                self.state = BlockState.HOLDING
            else:
                self._fade.let_go()
                self._held.forget()
                self.state = BlockState.MUTED
        self._fill(out, position)

    def _fill(self, out: Audio, position: int) -> None:
        """Fill `out` with held or muted samples."""
        if self.state == BlockState.HOLDING:
            self._held.play(out, position - self._bar_start)
            self._level.apply(out)
            self.counters.held_samples += len(out)
        else:
            out[:] = 0
            self.counters.muted_samples += len(out)
        self._finish(out, position)

    def _rest(self, out: Audio) -> None:
        """Nothing is due: fade to silence."""
        if self.state in SOUNDING:
            self._fade.let_go()
        self.state = BlockState.IDLE
        self._held.forget()
        out[:] = 0
        self._finish(out, 0)

    def _finish(self, out: Audio, position: int) -> None:
        """Mix in the fading audio, keep the newest samples, and store the music."""
        fading = self._fade.running
        self._fade.apply(out)
        level, phase = self._level, position - self._bar_start
        if self.state == BlockState.PLAYING:
            self._in_bar = self._held.store(out, phase, self._half_beat_samples, level.gain == 0.0, self._in_bar)
            if level.gain != level.heard_gain:
                level.store()
            if self._grid is not None:
                self.recent.keep(out, position, self._grid)
        elif fading and self._in_bar and self.state == BlockState.HOLDING and level.whole:
            self._held.mend(out, phase)
