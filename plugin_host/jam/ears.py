"""What the session hears with: the player's music alone, and whether she plays. The only place that knows how."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bridge.ring.form import Audio

PLAYS_DB = -50.0  # RMS from which the player counts as playing


class Ears(Protocol):
    """Takes what was captured while something was played, block by block; returns the player's music alone."""

    def push(self, captured: Audio, played: Audio) -> Audio:
        """Clean one block.  [main]"""
        ...


class PlainEars:
    """Takes the input as it is: for files, and for lines that nothing leaks into."""

    def push(self, captured: Audio, played: Audio) -> Audio:
        """The block itself.  [main]"""
        return captured


def level_db(audio: Audio) -> float:
    """RMS in dBFS, -120 for silence.  [any]"""
    power = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return max(-120.0, 10 * float(np.log10(max(power, 1e-12))))


def plays(audio: Audio) -> bool:
    """Whether the player plays in this stretch.  [any]"""
    return level_db(audio) > PLAYS_DB


def make_ears(sample_rate_hz: int, channels: int, leaks: bool) -> Ears:
    """The ears of a jam; `leaks`: Segue's own music may come back into the input.  [main]"""
    return PlainEars()
