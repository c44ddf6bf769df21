"""Whole regions at another tempo and the same pitch: Signalsmith Stretch by python-stretch, aligned at both ends.

Its beats are exact to within 3 ms at 0.6 to 1.5 times the speed. It cannot stream: see `bend`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.beat.onsets import RATE_HZ
from engine.system.optional_library import needed

SPEED_LEAST, SPEED_MOST = 0.5, 2.0
AROUND_SAMPLES = 6400  # of output before and after: more than the stretcher's window
SAME = 0.0005  # a speed this near to 1 changes nothing


def stretched(audio: NDArray[np.float32], speed: float) -> NDArray[np.float32]:
    """Audio [C, n] at 32 kHz played `speed` times as fast, at its pitch: [C, round(n / speed)].

    The audio is repeated before and after itself, since the stretcher fades both ends: a loop stays a loop, and an
    audio prompt keeps its last sample. Raises ValueError for speeds outside 0.5 to 2.  [regions]
    """
    if not SPEED_LEAST <= speed <= SPEED_MOST:
        raise ValueError(f"speed is {speed:g}, must be {SPEED_LEAST:g} to {SPEED_MOST:g}")
    if abs(speed - 1.0) < SAME:
        return audio
    with needed("changing the tempo of a region"):
        from python_stretch.Signalsmith import Stretch

    stretch = Stretch()
    stretch.preset(audio.shape[0], RATE_HZ)
    stretch.timeFactor = speed
    n_samples, reach = audio.shape[1], round(AROUND_SAMPLES * speed)
    led = audio[:, np.arange(-reach, n_samples + reach) % n_samples]
    out = np.asarray(stretch.process(np.ascontiguousarray(led, np.float32)), np.float32)
    out = out[:, AROUND_SAMPLES : AROUND_SAMPLES + round(n_samples / speed)]
    level = np.sqrt(np.mean(audio**2) / (np.mean(out**2) + 1e-12))
    return np.asarray(out * np.float32(min(level, 1.2)), np.float32)
