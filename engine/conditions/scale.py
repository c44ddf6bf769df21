"""Whether a prompt has tones, and which are outside its key, as far as it is sure: guidance leads away from those."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.beat.key import find_key, pitch_classes, scale_of
from engine.beat.onsets import RATE_HZ
from engine.conditions.frames import N_CHROMA

KEY_SECONDS = 60  # at its end, in which the key is detected
SURE = 0.3  # a key this sure counts fully, a less sure one in proportion
WINDOW_SAMPLES, HOP_SAMPLES = 4096, 1280
LOW_HZ, HIGH_HZ = 120.0, 4000.0
ALONG, ACROSS = 13, 25  # hops (half a second) and bins (200 Hz) over which medians are taken
TONAL_SHARE = 0.07  # of the energy that sustained tones have, in music that has tones


def outside_scale(audio: Tensor) -> Tensor:
    """How far each pitch class [12] is outside the key of mono audio [N] at 32 kHz: 0 in its scale or unknown, up to 1.

    Only the last minute of long audio is analysed.  [any]
    """
    key, sure = find_key(pitch_classes(audio[-KEY_SECONDS * RATE_HZ :].numpy().astype(np.float64)))
    strange = torch.zeros(N_CHROMA)
    if key:
        strange[[each for each in range(N_CHROMA) if each not in scale_of(key)]] = min(1.0, sure / SURE)
    return strange


def tonal_share(audio: Tensor) -> float:
    """Share of the energy of mono audio [N] at 32 kHz, between 120 and 4000 Hz, that lies in sustained tones: 0 to 1.

    A bin counts where its median over half a second is above the median over 200 Hz around it, by 6 dB (after
    Fitzgerald 2010). Silence has none.  [any]
    """
    window = torch.hann_window(WINDOW_SAMPLES)
    if audio.shape[-1] < WINDOW_SAMPLES:
        return 0.0
    spectrum = torch.stft(audio, WINDOW_SAMPLES, HOP_SAMPLES, window=window, center=False, return_complex=True).abs()
    hz = RATE_HZ / WINDOW_SAMPLES
    power = spectrum[int(LOW_HZ / hz) : int(HIGH_HZ / hz)] ** 2
    along = _medians(power, ALONG)
    across = _medians(power.T, ACROSS).T
    tonal = torch.minimum(along, power) * (along > 4.0 * across)
    return float(tonal.sum() / power.sum().clamp(min=1e-9))


def _medians(rows: Tensor, count: int) -> Tensor:
    """Median of `count` neighbours in each row [R, N], edges repeated."""
    padded = torch.nn.functional.pad(rows[None], (count // 2, count // 2), mode="replicate")[0]
    return padded.unfold(1, count, 1).median(dim=-1).values


def has_tones(audio: Tensor) -> bool:
    """Whether mono audio [N] at 32 kHz has tones that a key could be of; drums alone have none.  [any]"""
    return tonal_share(audio[-KEY_SECONDS * RATE_HZ :]) > TONAL_SHARE
