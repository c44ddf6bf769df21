"""The gain of a held bar, from the lane's fader, which the engine publishes. Part of the audio thread's code.

fader    1 ------\\________/------     blocks of the ring have this gain already; a held bar does not
held     a  bar   ........   a  bar   never louder than it was heard: no limiter follows
"""

from __future__ import annotations

import numpy as np

from bridge.ring.fader_block import Fader
from bridge.ring.form import Audio
from bridge.ring.layout import ENDLESS_SAMPLES


class HeldLevel:
    """Gain of the held bar, which glides within `n_glide` samples; `follow` and `move_to` in the order of the blocks.

    `gain` is the lane's at the position, `heard_gain` that of the newest music heard, and from `next_change` on it is
    another. Positions of one seek_id only grow.
    """

    def __init__(self, n_glide: int) -> None:
        self._line: Audio = np.arange(1, n_glide + 1, dtype=np.float32)[:, None] / np.float32(n_glide)
        self._glide: Audio = np.ones_like(self._line)  # gains of the running glide
        self._done = n_glide
        self._target = 1.0
        self._newest: Fader | None = None
        self._fader: Fader | None = None  # the newest, if it is of this seek_id
        self._seek_id = -1
        self.gain = self.heard_gain = 1.0
        self.next_change = ENDLESS_SAMPLES

    def follow(self, fader: Fader | None, seek_id: int) -> None:
        """Use the engine's newest fader; if it is None or of another seek id, the gain stays.  [audio]"""
        if fader is self._newest and seek_id == self._seek_id:
            return
        self._newest, self._seek_id = fader, seek_id
        self._fader = fader if fader is not None and fader.seek_id == seek_id else None
        self.next_change = ENDLESS_SAMPLES if self._fader is None else -ENDLESS_SAMPLES

    def move_to(self, position_samples: int) -> None:
        """Set the position; only one at `next_change` or later makes a difference.  [audio]"""
        fader = self._fader
        if fader is not None:
            self.gain, self.next_change = fader.gain_at(position_samples), fader.next_change(position_samples)

    def store(self) -> None:
        """Store the gain with which the ring's music is heard at this position.  [audio]"""
        if self.gain > 0:
            self.heard_gain = self.gain

    @property
    def whole(self) -> bool:
        """Whether the held bar is as loud as it was heard.  [audio]"""
        return self._target == 1.0 and self._done == len(self._line)

    def begin(self) -> None:
        """Begin the held bar at this position, at its gain.  [audio]"""
        self._target, self._done = self._wanted(), len(self._line)

    def apply(self, out: Audio) -> None:
        """Apply this position's gain to samples of the held bar, with a short glide.  [audio]"""
        wanted, n_glide = self._wanted(), len(self._line)
        if wanted != self._target:
            before = float(self._glide[self._done - 1, 0]) if 0 < self._done < n_glide else self._target
            np.multiply(self._line, np.float32(wanted - before), out=self._glide)
            self._glide += np.float32(before)
            self._target, self._done = wanted, 0
        gliding = min(len(out), n_glide - self._done)
        if gliding:
            out[:gliding] *= self._glide[self._done : self._done + gliding]
            self._done += gliding
        if self._target != 1.0:
            out[gliding:] *= np.float32(self._target)

    def _wanted(self) -> float:
        return min(self.gain / self.heard_gain, 1.0)
