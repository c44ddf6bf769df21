"""The last bar heard, kept by phase, so that it can be played on in time. Part of the audio thread's code.

    phase    0            u                bar
    stored   [ this bar  | the bar before ]        u: where the music stopped coming

What goes out goes in at its phase, fades included, so the joint at u is as smooth inside the store as it was
when it was first heard.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from bridge.ring import Audio
from bridge.transport import Grid
from bridge.units import beats_to_samples, nearest, seconds_to_samples

LONGEST_BAR_SECONDS = 16.0


class HeldBar:
    """One bar of float32 [n, channels]; a bar longer than 16 s is not held."""

    def __init__(self, sample_rate_hz: int, channels: int, fall: Audio) -> None:
        longest = nearest(seconds_to_samples(LONGEST_BAR_SECONDS, sample_rate_hz))
        self._store: Audio = np.zeros((longest + 1, channels), np.float32)
        self._spare: Audio = np.zeros((longest + 1, channels), np.float32)
        self._fall = fall
        self._bar_samples = 0
        self._stored = 0  # samples in a row that went in, at most a bar

    def measure(self, bar_samples: int) -> None:
        """Say how long the present bar is; bars of one tempo differ by a sample.  [audio]"""
        self._bar_samples = bar_samples

    @property
    def whole(self) -> bool:
        """Whether every phase of a bar holds music.  [audio]"""
        return 0 < self._bar_samples - 1 <= self._stored

    def forget(self) -> None:
        """Hold nothing any more.  [audio]"""
        self._stored = 0

    def forget_part(self) -> None:
        """After a jump: a bar that is not whole can no longer become so.  [audio]"""
        if not self.whole:
            self._stored = 0

    def keep(self, out: Audio, phase: int) -> None:
        """Take in what is heard at that phase.  [audio]"""
        after = phase + len(out)
        if after >= len(self._store):
            self._stored = 0
            return
        self._store[phase:after] = out
        if after == self._bar_samples:  # a bar that is one sample longer finds its last one too
            self._store[after] = out[-1]
        self._stored = min(self._stored + len(out), self._bar_samples)

    def play(self, out: Audio, phase: int) -> None:
        """What was heard at that phase.  [audio]"""
        out[:] = self._store[phase : phase + len(out)]

    def retime(self, old: Grid, new: Grid) -> None:
        """Lay the bar out for another tempo or signature, beat by beat: cut, or padded with silence.

        One copy of a bar. The beats stay on the beat, which is what a held bar is for.  [audio]
        """
        old_bar = _beat_start(old, old.signature.beats_per_bar)
        new_bar = _beat_start(new, new.signature.beats_per_bar)
        if self._stored < old_bar - 1 or new_bar >= len(self._store):
            self._stored = 0
            return
        self._spare[: new_bar + 1] = 0
        beat_samples, fade = _beat_start(old, 1), len(self._fall)
        old_beats = math.ceil(old.signature.beats_per_bar)
        for beat in range(math.ceil(new.signature.beats_per_bar)):
            source = _beat_start(old, beat % old_beats)
            target, after = _beat_start(new, beat), min(_beat_start(new, beat + 1), new_bar)
            n = min(beat_samples, after - target, old_bar - source)
            self._spare[target : target + n] = self._store[source : source + n]
            if n > fade:
                self._spare[target + n - fade : target + n] *= self._fall
        self._store, self._spare = self._spare, self._store
        self._stored = self._bar_samples = new_bar


def _beat_start(grid: Grid, beats: Fraction | int) -> int:
    """Samples from a bar's first to a beat in it."""
    return nearest(beats_to_samples(beats, grid.tempo_bpm, grid.sample_rate_hz))
