r"""Silence where the player does not play: a gate with hysteresis, one hop of foresight and a hold.

level   ____/----\__________     opens above `open_db`, closes after a hold below `close_db`
gate    ___/------------\___     opens one hop early, so that no attack is cut
"""

from __future__ import annotations

import numpy as np

from bridge.ring.form import Audio
from plugin_host.jam.state import SILENT_DB

OPEN_DB, CLOSE_DB = -50.0, -58.0  # RMS of a hop, in dB of full scale
HOLD_SECONDS = 0.25


def level_db(audio: Audio) -> float:
    """RMS level in dB of full scale, at least that of silence.  [any]"""
    power = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return max(10.0 * float(np.log10(power)), SILENT_DB) if power > 0 else SILENT_DB


class Gate:
    """Gates hops; each comes out when the next one is known. An open gate changes no sample.

    `mutes` False: it says when it is open, and mutes nothing.  [main]
    """

    def __init__(
        self, sample_rate_hz: int, hop: int, open_db: float = OPEN_DB, close_db: float = CLOSE_DB, mutes: bool = True
    ) -> None:
        if close_db > open_db:
            raise ValueError(f"the gate closes at {close_db} dB and opens at {open_db}: it must close at a lower level")
        self._open_db, self._close_db, self._mutes = open_db, close_db, mutes
        self._hold = round(HOLD_SECONDS * sample_rate_hz / hop)
        self._left = 0  # hops until it closes
        self._waiting: Audio | None = None
        self._gain = 0.0
        self._ramp = ((np.arange(hop, dtype=np.float32) + 1) / hop)[:, None]

    def push(self, hop: Audio) -> tuple[Audio | None, bool]:
        """Take a hop; returns the one before, gated, and whether the gate is open for it. None at first."""
        level = level_db(hop)
        if level >= self._open_db or (self._left and level >= self._close_db):
            self._left = self._hold
        elif self._left:
            self._left -= 1
        waiting, self._waiting = self._waiting, hop
        if waiting is None:
            return None, False
        return self._gated(waiting, 1.0 if self._left else 0.0)

    def _gated(self, hop: Audio, target: float) -> tuple[Audio, bool]:
        start, self._gain = self._gain, target
        if not self._mutes:
            return hop, bool(start or target)
        if start == target:
            return (hop if target else np.zeros_like(hop)), bool(target)
        gain = start + (target - start) * self._ramp
        return np.asarray(hop * gain, np.float32), True
