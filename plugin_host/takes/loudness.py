"""Loudness of a take (ITU-R BS.1770 and EBU R128, by libebur128), and the gain to a target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bridge.ring.form import Audio
from bridge.time.units import nearest, seconds_to_samples

OFF, PEAK = "off", "peak"
CEILING_DB = -1.0  # highest true peak after a change of level
LUFS_MIN, LUFS_MAX = -60.0, 0.0
_HOP_SECONDS = 0.1
_SILENCE_DB = -99.0


@dataclass(frozen=True)
class Loudness:
    """Integrated LUFS, range in LU, true peak in dBTP, loudest 0.4 s and 3 s in LUFS; -99 and less is silence."""

    lufs: float
    range_lu: float
    true_peak_db: float
    momentary: float
    short_term: float


def measure(audio: Audio, rate_hz: int) -> Loudness | None:
    """Loudness of float32 [n, channels]; None if libebur128 does not load.  [any]"""
    try:
        import pyebur128 as ebu
    except Exception:  # missing, or built for another system
        return None

    mode = ebu.MeasurementMode
    state = ebu.R128State(
        audio.shape[1], rate_hz,
        mode.MODE_I | mode.MODE_LRA | mode.MODE_TRUE_PEAK | mode.MODE_M | mode.MODE_S,
    )  # fmt: skip
    hop = nearest(seconds_to_samples(_HOP_SECONDS, rate_hz))
    momentary = short_term = -math.inf
    for begin in range(0, len(audio), hop):
        block = np.ascontiguousarray(audio[begin : begin + hop], np.float32)
        state.add_frames(block.reshape(-1), len(block))
        done = begin + len(block)
        if done >= 4 * hop:
            momentary = max(momentary, ebu.get_loudness_momentary(state))
        if done >= 30 * hop:
            short_term = max(short_term, ebu.get_loudness_shortterm(state))
    peak = max(ebu.get_true_peak(state, channel) for channel in range(audio.shape[1]))
    found = ebu.get_loudness_global(state), ebu.get_loudness_range(state), _db(peak), momentary, short_term
    return Loudness(*(value if math.isfinite(value) else _SILENCE_DB for value in found))


def _db(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def gain_db(request: str, found: Loudness | None) -> tuple[float, str]:
    """Gain in dB for "off", "peak" or a number of LUFS, and a message if it is less than requested.

    The gain keeps the true peak below -1 dB, and is 0 for silence. ValueError for any other target.  [any]
    """
    if request == OFF:
        return 0.0, ""
    if found is None:
        return 0.0, "its level is left alone: `segue doctor` says why it cannot be measured"
    room = CEILING_DB - found.true_peak_db
    if found.true_peak_db <= _SILENCE_DB:
        return 0.0, "it is silent: its level is left alone"
    if request == PEAK:
        return room, ""
    target = float(request)
    if not LUFS_MIN <= target <= LUFS_MAX:
        raise ValueError(f"loudness is {request}, must be off, peak or {LUFS_MIN:.0f} to {LUFS_MAX:.0f} (LUFS)")
    if found.lufs <= _SILENCE_DB:
        return 0.0, "too short or too quiet for a loudness: its level is left alone"
    wanted = target - found.lufs
    if wanted > room:
        return room, f"{target:g} LUFS would go over {CEILING_DB:g} dB peak: it has {found.lufs + room:.1f} LUFS"
    return wanted, ""


def check_request(request: str) -> str:
    """A loudness target for `gain_db`, checked; ValueError if it is invalid.  [any]"""
    gain_db(request, Loudness(-20, 0, -10, -20, -20))
    return request
