"""The headless host's timeline: position, tempo, loop, playing or not.

The main thread requests a change, the audio thread makes it at the next block's first sample.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.time.course import Course
from bridge.time.transport import Grid, Transport
from bridge.time.units import Exact, Signature

Change = Callable[[Transport], Transport]
TimedChange = Callable[[Transport, int], Transport]


@dataclass(frozen=True, slots=True)
class BlockTime:
    """The time of a block: on the monotonic clock, and in samples rendered since the host began."""

    seconds: float
    rendered_samples: int
    transport: Transport


class Timeline:
    """Yields the snapshot of each block; float tempo, exact bars.

    With a `course`, tempo and signature follow its map: split at the sample of a change, on a ramp the tangent
    of each block. Setting the tempo, the signature or another grid leaves the map for good.
    """

    def __init__(
        self,
        grid: Grid,
        position_samples: int = 0,
        playing: bool = False,
        course: Course | None = None,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        if course is not None and course.sample_rate_hz != grid.sample_rate_hz:
            raise ValueError(f"the course is at {course.sample_rate_hz} Hz, the grid at {grid.sample_rate_hz}")
        self._now = Transport(playing, position_samples, grid, course.loop_beats if course else None)
        self._course = course
        self._now_seconds = now_seconds
        self._grid_span = (0, 0)  # positions where the present grid is the course's
        self._rendered_samples = 0
        self._stamp = BlockTime(self._now_seconds(), 0, self._now)
        self._changes: queue.SimpleQueue[TimedChange] = queue.SimpleQueue()
        self._steer()

    @property
    def now(self) -> Transport:
        """The newest snapshot.  [any]"""
        return self._now

    @property
    def stamp(self) -> BlockTime:
        """Time and position of the newest block.  [any]"""
        return self._stamp

    def change(self, change: TimedChange) -> None:
        """Request any change; it gets the snapshot and the samples rendered before its block.  [main]"""
        self._changes.put(change)

    def _put(self, change: Change) -> None:
        self._changes.put(lambda now, _: change(now))

    def play(self) -> None:
        """Run.  [main]"""
        self._put(lambda now: replace(now, playing=True))

    def stop(self) -> None:
        """Stop at the present position.  [main]"""
        self._put(lambda now: replace(now, playing=False))

    def locate(self, position_samples: int) -> None:
        """Jump.  [main]"""
        self._put(lambda now: replace(now, position_samples=position_samples))

    def set_tempo(self, tempo_bpm: float) -> None:
        """Change the tempo; the beat stays the same. ValueError for 0 and less.  [main]"""
        replace(self._now.grid, tempo_bpm=tempo_bpm)
        self._put(lambda now: replace(now, grid=now.grid.retuned(now.position_samples, tempo_bpm)))

    def set_signature(self, signature: Signature) -> None:
        """Change the signature; a bar begins here.  [main]"""
        self._put(lambda now: replace(now, grid=now.grid.resigned(now.position_samples, signature)))

    def set_loop(self, loop_beats: tuple[float, float] | None) -> None:
        """Loop between two beats, or not any more. ValueError if the loop ends before it starts.  [main]"""
        replace(self._now, loop_beats=loop_beats)
        self._put(lambda now: replace(now, loop_beats=loop_beats))

    def take_changes(self) -> None:
        """Make the requested changes; between two blocks.  [audio]"""
        while not self._changes.empty():
            before = self._now
            self._now = self._changes.get_nowait()(before, self._rendered_samples)
            if self._now.grid is not before.grid:
                self._course = None
        self._steer()
        self._stamp = BlockTime(self._now_seconds(), self._rendered_samples, self._now)

    def block(self, n_samples: int) -> tuple[Transport, int]:
        """The next block's snapshot and its length: no block crosses the loop's end or a step.  [audio]"""
        now = self._now
        if not now.playing:
            return now, n_samples
        ends = [self._next_step()]
        if now.loop_beats is not None:
            ends.append(self._sample_at(now.loop_beats[1]))
        left = [end - now.position_samples for end in ends if end is not None and end > now.position_samples]
        return now, min(n_samples, *left) if left else n_samples

    def advance(self, n_samples: int) -> None:
        """Advance by the played samples; at the loop's end back to its start.  [audio]"""
        self._rendered_samples += n_samples
        now = self._now.advanced(n_samples)
        if now.playing and now.loop_beats is not None:
            start, end = (self._sample_at(beats) for beats in now.loop_beats)
            if now.position_samples == end:
                now = replace(now, position_samples=start)
        self._now = now
        self._steer()

    def _sample_at(self, beats: Exact) -> int:
        return self._now.grid.sample_at(beats) if self._course is None else self._course.sample_at(beats)

    def _next_step(self) -> int | None:
        """The next change of the map's tempo or signature; a ramp is one stretch."""
        if self._course is None:
            return None
        course, position = self._course, self._now.position_samples
        end = course.grid_ends(position)
        if end != position + 1:
            return end
        beats, tempi = course.beats_at(position), course.tempo_map
        ends = (tempi.next_tempo_change(beats), tempi.next_signature_change(beats))
        return min((course.sample_at(each) for each in ends if each is not None), default=None)

    def _steer(self) -> None:
        """Take the course's grid if it differs from that of the previous block."""
        if self._course is None or self._grid_span[0] <= self._now.position_samples < self._grid_span[1]:
            return
        position = self._now.position_samples
        self._now = replace(self._now, grid=self._course.grid_at(position))
        end = self._course.grid_ends(position)
        self._grid_span = (position, 1 << 62 if end is None else end)
