"""The headless host's timeline: where it is, at which tempo, and whether it loops or runs.

The main thread asks for a change, the audio thread makes it at the next block's first sample.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace

from bridge.transport import Grid, Transport
from bridge.units import Signature

Change = Callable[[Transport], Transport]


class Timeline:
    """Gives the snapshot of each block in turn; float tempo, exact bars."""

    def __init__(self, grid: Grid, position_samples: int = 0, playing: bool = False) -> None:
        self._now = Transport(playing, position_samples, grid)
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()

    @property
    def now(self) -> Transport:
        """The newest snapshot.  [any]"""
        return self._now

    def play(self) -> None:
        """Let it run.  [main]"""
        self._changes.put(lambda now: replace(now, playing=True))

    def stop(self) -> None:
        """Let it stand where it is.  [main]"""
        self._changes.put(lambda now: replace(now, playing=False))

    def locate(self, position_samples: int) -> None:
        """Jump.  [main]"""
        self._changes.put(lambda now: replace(now, position_samples=position_samples))

    def set_tempo(self, tempo_bpm: float) -> None:
        """Go on at another tempo; the beat stays what it is. ValueError for 0 and less.  [main]"""
        replace(self._now.grid, tempo_bpm=tempo_bpm)
        self._changes.put(lambda now: replace(now, grid=now.grid.retuned(now.position_samples, tempo_bpm)))

    def set_signature(self, signature: Signature) -> None:
        """Go on in another signature; a bar begins here.  [main]"""
        self._changes.put(lambda now: replace(now, grid=now.grid.resigned(now.position_samples, signature)))

    def set_loop(self, loop_beats: tuple[float, float] | None) -> None:
        """Loop between two beats, or no more. ValueError when it ends before it starts.  [main]"""
        replace(self._now, loop_beats=loop_beats)
        self._changes.put(lambda now: replace(now, loop_beats=loop_beats))

    def take_changes(self) -> None:
        """Make what was asked for; between two blocks.  [audio]"""
        while not self._changes.empty():
            self._now = self._changes.get_nowait()(self._now)

    def block(self, n_samples: int) -> tuple[Transport, int]:
        """The next block's snapshot and how long it may be: no block crosses the loop's end.  [audio]"""
        now = self._now
        if now.loop_beats is None or not now.playing:
            return now, n_samples
        left = now.grid.sample_at(now.loop_beats[1]) - now.position_samples
        return now, min(n_samples, left) if left > 0 else n_samples

    def advance(self, n_samples: int) -> None:
        """Move on by what was played; at the loop's end back to its start.  [audio]"""
        now = self._now.advanced(n_samples)
        if now.playing and now.loop_beats is not None:
            start, end = (now.grid.sample_at(beats) for beats in now.loop_beats)
            if now.position_samples == end:
                now = replace(now, position_samples=start)
        self._now = now
