"""A stream's target loudness: that of its audio prompt, or a number. In the model's own loudness."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from bridge.control.parameters import LOUDNESS_LUFS, LOUDNESS_MATCH
from engine.conditions.cache import WhileItLives
from engine.listen.meter import integrated_lufs
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.render.stream_settings import in_channels

REGION_SECONDS = 30.0  # of the region's end, measured
_measured = WhileItLives()
DOUBLED_LU = 10.0 * math.log10(2.0)  # gain of mono on two channels


def target_lufs(
    settings: LaneSettings, region: ReferenceAudio | None, gain: float, codec_channels: int, ring_channels: int
) -> float | None:
    """Target of the codec's audio, which is `gain` times as loud as the output; None leaves it as it is.

    The lane's fader comes after it.  [generate]
    """
    asked = settings.get(LOUDNESS_LUFS)
    to_model = 20.0 * math.log10(gain)
    if asked < 0.0:
        doubled = DOUBLED_LU if codec_channels == 1 and ring_channels > 1 else 0.0
        return asked - doubled + to_model
    if region is None or not settings.get(LOUDNESS_MATCH):
        return None
    found = _region_lufs(region.audio, region.rate_hz, codec_channels)
    return found + to_model if math.isfinite(found) else None


def _region_lufs(audio: Tensor, rate_hz: int, channels: int) -> float:
    """Loudness of a region's end in the codec's channels; measured once."""
    return float(_measured(audio, (rate_hz, channels), lambda: _measure(audio, rate_hz, channels)))


def _measure(audio: Tensor, rate_hz: int, channels: int) -> float:
    samples = in_channels(audio[:, -int(REGION_SECONDS * rate_hz) :], channels).numpy()
    return integrated_lufs(np.ascontiguousarray(samples.T, np.float32), rate_hz)
