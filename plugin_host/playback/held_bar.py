"""The last bar heard, stored by phase, so that it can be repeated in time. Part of the audio thread's code.

    phase    0            u                bar
    stored   [ this bar  | the bar before ]        u: where the music stopped

Output is stored at its phase, including fades, so the joint at u is as smooth in the store as it was when first heard.
If less than a bar was heard, its last beats are repeated for the rest of the bar.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from bridge.time.units import beats_to_samples, nearest, seconds_to_samples

NEARLY = 100  # bars that differ by less than one part in this number count as equally long
LONGEST_BAR_SECONDS = 64.0  # memory is used only as far as bars need it


class HeldBar:
    """One bar of float32 [n, channels]; a bar longer than 64 s is not held."""

    def __init__(self, sample_rate_hz: int, channels: int, fall: Audio) -> None:
        longest = nearest(seconds_to_samples(LONGEST_BAR_SECONDS, sample_rate_hz))
        self._store: Audio = np.zeros((longest + 1, channels), np.float32)
        self._spare: Audio = np.zeros((longest + 1, channels), np.float32)
        self._fall = fall
        self._step: Audio = np.zeros(channels, np.float32)
        self._ramp: Audio = np.zeros(len(fall), np.float32)
        self._bar_samples = 0
        self._stored = 0  # consecutive stored samples, at most a bar
        self._heard_on: Grid | None = None  # grid of the bar as it was heard, which is in the spare store

    def measure(self, bar_samples: int) -> None:
        """Set the length of the present bar; bars of one tempo differ by a sample.  [audio]"""
        self._bar_samples = bar_samples

    @property
    def whole(self) -> bool:
        """Whether every phase of a bar has music.  [audio]"""
        return 0 < self._bar_samples - 1 <= self._stored

    def forget(self) -> None:
        """Drop the stored music.  [audio]"""
        self._stored = 0
        self._heard_on = None

    def complete(self, phase: int, unit_samples: int, breaks: bool) -> bool:
        """Complete a bar from the music heard up to `phase`, smooth where it `breaks` off; False with less than a unit.

        The last 1, 2, 4, 8 .. units are repeated over the rest, each at its phase. Copies one bar.  [audio]
        """
        if self.whole:
            if breaks:
                self.join(phase % self._bar_samples, len(self._fall))
            return True
        bar, stored = self._bar_samples, self._stored
        if bar < 2 or stored < max(unit_samples, 1):
            return False
        length = unit_samples
        while 2 * length <= stored:
            length *= 2
        done, wanted = 0, bar - stored
        while done < wanted:
            target, source = (phase + done) % bar, (phase - length + done % length) % bar
            n = min(wanted - done, bar - target, bar - source, length - done % length)
            self._store[target : target + n] = self._store[source : source + n]
            if done % length == 0:
                self.join(target, n)
            done += n
        self.join((phase - stored) % bar, stored)
        self._store[bar] = self._store[bar - 1]
        self._stored = bar
        return True

    def join(self, start: int, n_samples: int) -> None:
        """Fade only the step at a sample of the store from the one before it, over at most `n_samples`.  [audio]"""
        n = min(len(self._fall), n_samples)
        if n < 1 or not 0 <= start < self._bar_samples:
            return
        step, first = self._step, min(n, self._bar_samples - start)
        np.subtract(self._store[start - 1 if start else self._bar_samples - 1], self._store[start], out=step)
        for channel in range(self._store.shape[1]):
            np.multiply(self._fall[:n, 0], step[channel], out=self._ramp[:n])
            self._store[start : start + first, channel] += self._ramp[:first]
            self._store[: n - first, channel] += self._ramp[first:n]

    def store(self, out: Audio, phase: int, unit_samples: int, silent: bool, in_bar: bool) -> bool:
        """Store the output at that phase, but no silence of a muted lane: the music before it is held.

        `in_bar`: the output follows the stored samples before it; returns the same for the next output.  [audio]
        """
        if silent:
            if not self.complete(phase, unit_samples, in_bar):
                self.forget()
            return False
        self._heard_on = None
        self.mend(out, phase)
        if not in_bar:  # other music precedes it in the store
            self.join(phase, len(out))
        return True

    def mend(self, out: Audio, phase: int) -> None:
        """Store the output at that phase: the joint where the music stopped.  [audio]"""
        after = phase + len(out)
        if after >= len(self._store):
            self._stored = 0
            return
        self._store[phase:after] = out
        if after == self._bar_samples:  # a bar that is one sample longer has its last sample too
            self._store[after] = out[-1]
        self._stored = min(self._stored + len(out), self._bar_samples)

    def play(self, out: Audio, phase: int) -> None:
        """Fill `out` with the music heard at that phase.  [audio]"""
        if phase < 0 or phase + len(out) > len(self._store):  # a bar that is now longer than the store
            out[:] = 0
            return
        out[:] = self._store[phase : phase + len(out)]

    def retime(self, old: Grid, new: Grid) -> None:
        """Change the bar to another tempo or signature, beat by beat: cut, or its end played back and forth.

        Copies one bar, from the bar as it was heard, so that a ramp loses nothing. Beats stay on the beat, and no new
        silence appears.  [audio]
        """
        old_bar = _beat_start(old, old.signature.beats_per_bar)
        new_bar = _beat_start(new, new.signature.beats_per_bar)
        if self._stored < old_bar - 1 or new_bar >= len(self._store):
            if abs(new_bar - old_bar) * NEARLY > old_bar:  # on a ramp, less than a bar stays usable
                self._stored = 0
            return
        if old_bar == new_bar and _beat_start(old, 1) == _beat_start(new, 1):
            return
        if self._heard_on is None:
            self._heard_on = old
            self._store, self._spare = self._spare, self._store
        before = self._heard_on
        heard_bar = _beat_start(before, before.signature.beats_per_bar)
        for beat in range(math.ceil(new.signature.beats_per_bar)):
            source = _beat_start(before, beat % math.ceil(before.signature.beats_per_bar))
            n_source = min(_beat_start(before, 1), heard_bar - source)
            self._lay(source, n_source, _beat_start(new, beat), min(_beat_start(new, beat + 1), new_bar))
        self._stored = self._bar_samples = new_bar
        for beat in range(math.ceil(new.signature.beats_per_bar)):
            target = _beat_start(new, beat)
            self.join(target, min(_beat_start(new, beat + 1), new_bar) - target)
        self._store[new_bar] = self._store[new_bar - 1]

    def _lay(self, source: int, n_source: int, target: int, after: int) -> None:
        """Copy one beat from the spare store: from its start, then back and forth over its second half."""
        n = min(n_source, after - target)
        self._store[target : target + n] = self._spare[source : source + n]
        target, back, half = target + n, True, max(n_source // 2, 1)
        while target < after:
            n = min(half, after - target)
            end = source + n_source
            part = self._spare[end - n : end][::-1] if back else self._spare[end - half : end - half + n]
            self._store[target : target + n] = part
            target, back = target + n, not back


def _beat_start(grid: Grid, beats: Fraction | int) -> int:
    """Samples from a bar's start to a beat in it."""
    return nearest(beats_to_samples(beats, grid.tempo_bpm, grid.sample_rate_hz))
