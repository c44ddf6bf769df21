"""Audio that does not clip in files of whole numbers."""

from __future__ import annotations

import math

import numpy as np

from bridge.ring.form import Audio

FULL_SCALE = 1.0 - 2.0**-23  # of 24 bits


def within_full_scale(audio: Audio) -> tuple[Audio, str]:
    """Audio [n, channels] scaled below full scale, and a text with the change.  [main]"""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak <= FULL_SCALE:
        return audio, ""
    note = f"it would peak at {20 * math.log10(peak):+.1f} dBFS: written quieter by so much, so that nothing is clipped"
    return np.clip(audio * np.float32(FULL_SCALE / peak), -FULL_SCALE, FULL_SCALE), note
