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
    """Gain of the held bar, which glides within `n_glide` samples; `follow` and `at` every block in order."""

    def __init__(self, n_glide: int) -> None:
        self._line: Audio = np.arange(1, n_glide + 1, dtype=np.float32)[:, None] / np.float32(n_glide)
        self._glide: Audio = np.ones_like(self._line)  # gains of the running glide
        self._done = n_glide
        self._target = 1.0
        self._fader: Fader | None = None
        self._gain = self._heard_gain = 1.0

    def follow(self, fader: Fader | None, seek_id: int) -> None:
        """Use the engine's newest fader; if it is None or of another seek id, the gain stays.  [audio]"""
        self._fader = fader if fader is not None and fader.seek_id == seek_id else None

    def at(self, position_samples: int) -> int:
        """Set the position; returns the samples until the lane's gain changes next.  [audio]"""
        fader = self._fader
        if fader is None:
            return ENDLESS_SAMPLES
        self._gain = fader.gain_at(position_samples)
        return fader.next_change(position_samples) - position_samples

    def store(self) -> None:
        """Store the gain with which the ring's music is heard at this position.  [audio]"""
        if self._gain > 0:
            self._heard_gain = self._gain

    @property
    def silent(self) -> bool:
        """Whether the lane is mute at this position.  [audio]"""
        return self._gain == 0.0

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
        return min(self._gain / self._heard_gain, 1.0)
