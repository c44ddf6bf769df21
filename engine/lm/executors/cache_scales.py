"""Scales of an 8-bit cache of keys and values, measured on a model before its first step."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.lm.conditions import Conditions
from engine.lm.model import LanguageModel
from engine.lm.precision import half_is_faster
from engine.lm.state import LMState

CALIBRATION_STEPS = 256
HEADROOM = 2.0  # range of the 8-bit cache over the largest calibration value


@torch.inference_mode()
def cache_scales(model: LanguageModel) -> Tensor:
    """Scales [L, 2, H, 1, D/H] of an 8-bit cache: twice the channels' peaks on random tokens.  [generate]

    Music stays below 1.7 times these peaks (embedded model, its training data), so nothing is clipped.
    """
    config = model.config
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, config.card, (2, config.n_codebooks, CALIBRATION_STEPS), generator=generator)
    shape = (config.n_layers, 2, 2, config.n_heads, CALIBRATION_STEPS, config.head_dim)
    state = LMState(torch.zeros(shape), None)
    with torch.autocast("cpu", torch.bfloat16, enabled=half_is_faster()):
        model.prefill(tokens, Conditions(), state)
    largest = state.cache.abs().amax(dim=(2, 4)).unsqueeze(3)
    return largest.clamp(min=1e-6) * (HEADROOM / 127.0)
