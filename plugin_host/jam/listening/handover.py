"""What the model is given of the player's bars before it answers: at one level, and ended before the bar line.

    player   ...|....|....|....|...*|      * a note played a little early: it belongs to the next bar
    given    ...|....|....|....|..\\ |      a quarter of a beat, faded out

A player who hands over plays into the bar line: an early downbeat, a chord that is still being struck. The model would
go on with just that, an instant late. Without it the answer begins its own phrase on the bar line.
"""

from __future__ import annotations

import numpy as np

from bridge.ring.form import Audio
from plugin_host.jam.listening.level import TARGET_LUFS, Levelled, levelled

FADED_BEATS = 0.25
_LEAST_SECONDS, _MOST_SECONDS = 0.06, 0.2


def given_to_model(audio: Audio, sample_rate_hz: int, bpm: float, target_lufs: float = TARGET_LUFS) -> Levelled:
    """Whole bars of the player [n, channels], of the same length: levelled, the last quarter of a beat faded.  [any]"""
    found = levelled(audio, sample_rate_hz, target_lufs)
    seconds = min(max(FADED_BEATS * 60.0 / bpm, _LEAST_SECONDS), _MOST_SECONDS)
    n = min(round(seconds * sample_rate_hz), len(audio))
    out = found.audio.copy()
    out[len(out) - n :] *= _fade(n)[:, None]
    return Levelled(out, found.gain_db)


def _fade(n: int) -> np.ndarray:
    """Down to nothing in the first half of the fade, silence in the second."""
    at = np.arange(n, dtype=np.float64) / max(n / 2, 1.0)
    return np.where(at < 1.0, np.square(np.cos(0.5 * np.pi * at)), 0.0).astype(np.float32)
