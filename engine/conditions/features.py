"""Music features by HuBERT's architecture, in transformers' own classes, which are imported when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.system.optional_library import needed

HOW_TO_INSTALL = "pip install 'segue[style]'"


def hubert(settings: Mapping[str, Any]) -> nn.Module:
    """A HuBERT of these sizes with random weights; ValueError for sizes that do not fit together.

    Raises UnsupportedError if transformers is not installed.  [main]
    """
    with needed("hearing a style"):
        from transformers import HubertConfig, HubertModel
    try:
        # no masking: it belongs to training, and would want a tensor of its own
        return HubertModel(HubertConfig(**settings, apply_spec_augment=False, mask_time_prob=0.0, layerdrop=0.0))
    except Exception as fault:  # the library checks sizes with errors of its own
        raise ValueError(f"no model of these sizes: {fault}") from fault


class HubertFeatures:
    """The last layer's output for a waveform, not normalised, without a mask."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval()

    @torch.no_grad()
    def __call__(self, wav: Tensor) -> Tensor:
        """Wav [B, T] at 24 kHz to features [B, (T - 400) // 320 + 1, D].  [generate]"""
        features: Tensor = self.module(wav).last_hidden_state
        return features
