"""The tones outside a prompt's key, as far as the key is sure: guidance leads away from them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.beat.key import find_key, pitch_classes, scale_of
from engine.beat.onsets import RATE_HZ
from engine.conditions.frames import N_CHROMA

KEY_SECONDS = 60  # at its end, in which the key is detected
SURE = 0.3  # a key this sure counts fully, a less sure one in proportion


def outside_scale(audio: Tensor) -> Tensor:
    """How far each pitch class [12] is outside the key of mono audio [N] at 32 kHz: 0 in its scale or unknown, up to 1.

    Only the last minute of long audio is analysed.  [any]
    """
    key, sure = find_key(pitch_classes(audio[-KEY_SECONDS * RATE_HZ :].numpy().astype(np.float64)))
    strange = torch.zeros(N_CHROMA)
    if key:
        strange[[each for each in range(N_CHROMA) if each not in scale_of(key)]] = min(1.0, sure / SURE)
    return strange
