"""Short fades between consecutive sources. Part of the audio thread's code.

No fade waits for samples: the fading audio is stored, played backwards, or is a single step.
"""

from __future__ import annotations

import numpy as np

from bridge.ring.form import Audio, PlaybackPlan


class Fade:
    """At most one fade of `n_fade` samples at a time; `apply` every block in order. float32 [n, channels]."""

    def __init__(self, n_fade: int, channels: int) -> None:
        ramp = np.arange(n_fade, dtype=np.float32)[:, None] * np.float32(np.pi / 2 / n_fade)
        self.fall: Audio = np.cos(ramp)  # from exactly 1: a joint begins at the last sample
        self._equal_power: Audio = np.sin(ramp)
        self._ones: Audio = np.ones_like(ramp)
        self._rise = self._ones
        self._tail: Audio = np.zeros((n_fade, channels), np.float32)  # audio that fades out
        self._mixed: Audio = np.zeros((n_fade, channels), np.float32)
        self._last: Audio = np.zeros((n_fade, channels), np.float32)  # newest output samples
        self._done = n_fade

    @property
    def running(self) -> bool:
        """Whether a fade is running.  [audio]"""
        return self._done < len(self._tail)

    def across(self) -> Audio:
        """Start an equal-power fade; the caller fills the returned array with the audio that fades out.  [audio]"""
        self._rise, self._done = self._equal_power, 0
        return self._tail

    def let_go(self) -> None:
        """Fade into silence: the newest samples are played backwards.  [audio]"""
        self.across()[:] = self._last[::-1]

    def join(self) -> None:
        """Continue with other music at full level; only the step between the two is faded.  [audio]"""
        self._rise, self._done = self._ones, 0

    def apply(self, out: Audio) -> None:
        """Fade `out` in place, if a fade is running, and store its end.  [audio]"""
        n_fade, begin = len(self._tail), self._done
        if begin < n_fade:
            if begin == 0 and self._rise is self._ones:
                np.subtract(self._last[-1:], out[:1], out=self._mixed[:1])
                self._tail[:] = self._mixed[:1]
            n = min(len(out), n_fade - begin)
            mixed = self._mixed[:n]
            np.multiply(self._tail[begin : begin + n], self.fall[begin : begin + n], out=mixed)
            np.multiply(out[:n], self._rise[begin : begin + n], out=out[:n])
            np.add(out[:n], mixed, out=out[:n])
            self._done = begin + n
        kept = n_fade - len(out)
        if kept > 0:
            self._last[:kept] = self._last[-kept:]
            self._last[kept:] = out
        else:
            self._last[:] = out[-kept:]


class Takeover:
    """Detects music whose takeover is late: its own fade is over, so the host fades the step to it."""

    def __init__(self) -> None:
        self._plan_revision = 0  # of the last plan

    def late(self, plan: PlaybackPlan, position: int) -> bool:
        """Whether a new plan took over before a position.  [audio]"""
        new = plan.plan_revision != self._plan_revision
        self._plan_revision = plan.plan_revision
        return new and plan.from_samples < position
