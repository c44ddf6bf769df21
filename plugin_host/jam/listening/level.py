"""One level for the model, however the player's gain is set: loudness (ITU-R BS.1770), and one gain for a stretch.

One gain, not a compressor: what was soft in the player's bars stays softer than what was loud. [any]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.ring.form import Audio

TARGET_LUFS = -18.0
_GAIN_MOST_DB = 30.0  # upwards: more would lift the room's noise
_PEAK = 10 ** (-1.0 / 20.0)
_BLOCK_SECONDS, _SHARE = 0.4, 4  # blocks begin a quarter of their length apart
_ABSOLUTE_LUFS, _RELATIVE_LU = -70.0, -10.0
_OFFSET = -0.691
# BS.1770's two filters at 48 kHz: (b, a); their response is taken at the frequency itself, whatever the rate
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGHPASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_FILTER_HZ = 48_000


@dataclass(frozen=True, eq=False)
class Levelled:
    """Audio at the target loudness, and the gain that was applied."""

    audio: Audio
    gain_db: float


def loudness_lufs(audio: Audio, sample_rate_hz: int) -> float | None:
    """Integrated loudness of audio [n, channels]; None for silence, and for less than a block of it."""
    size = round(_BLOCK_SECONDS * sample_rate_hz)
    if len(audio) < size:
        return None
    weight = _k_weight(np.fft.rfftfreq(size, 1.0 / sample_rate_hz))
    blocks = np.lib.stride_tricks.sliding_window_view(audio.astype(np.float64), size, axis=0)[:: size // _SHARE]
    spectra = np.square(np.abs(np.fft.rfft(blocks, axis=-1))) * weight
    power = (2.0 * spectra[..., 1:].sum(axis=-1) / size**2).sum(axis=-1)
    power = power[power > 10 ** ((_ABSOLUTE_LUFS - _OFFSET) / 10)]
    if not len(power):
        return None
    power = power[power > power.mean() * 10 ** (_RELATIVE_LU / 10)]
    return _OFFSET + 10.0 * float(np.log10(power.mean()))


def levelled(audio: Audio, sample_rate_hz: int, target_lufs: float = TARGET_LUFS) -> Levelled:
    """Audio [n, channels] with the one gain that takes it to a loudness, its peaks below -1 dBFS; silence unchanged."""
    found = loudness_lufs(audio, sample_rate_hz)
    peak = float(np.abs(audio).max()) if audio.size else 0.0
    if found is None or peak == 0:
        return Levelled(audio, 0.0)
    gain_db = min(target_lufs - found, _GAIN_MOST_DB, 20.0 * float(np.log10(_PEAK / peak)))
    return Levelled(np.asarray(audio * np.float32(10 ** (gain_db / 20)), np.float32), gain_db)


def _k_weight(freqs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Power response of both filters."""
    z = np.exp(-2j * np.pi * np.minimum(freqs, 0.49 * _FILTER_HZ) / _FILTER_HZ)
    power = np.ones(len(freqs))
    for above, below in (_SHELF, _HIGHPASS):
        power *= np.square(np.abs(np.polyval(above[::-1], z) / np.polyval(below[::-1], z)))
    return power
