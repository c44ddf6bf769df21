"""Stems of a mix by Hybrid Transformer Demucs, through the package demucs, which is imported when first needed.

    mix -> shifted by a quarter of a second -> pieces of 7.8 s, a quarter shared with the next -> stems -> shifted back

The reference shifts by a random amount up to half a second, so its melodies differ from run to run; the middle of
that range is as good as any and repeatable.  Source: Rouard et al. 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.system.optional_library import needed

RATE_HZ = 44100
MAX_SHIFT_SAMPLES = RATE_HZ // 2
SHIFT_SAMPLES = RATE_HZ // 4
OVERLAP = 0.25
SOURCES = ("drums", "bass", "other", "vocals")
HOW_TO_INSTALL = "pip install 'segue[separation]'"


def installed() -> bool:
    """Whether the package demucs is installed; imports nothing.  [any]"""
    return find_spec("demucs") is not None


def htdemucs(settings: Mapping[str, Any]) -> nn.Module:
    """A network of these sizes with random weights.

    Raises UnsupportedError if demucs is not installed, ValueError for unknown settings.  [main]
    """
    with needed("stem separation"):
        from demucs.htdemucs import HTDemucs
    known = signature(HTDemucs.__init__).parameters  # older files have settings that mean nothing any more
    try:
        return HTDemucs(**{name: value for name, value in settings.items() if name in known})
    except Exception as fault:  # it checks sizes by asserting, or not at all
        raise ValueError(f"no network of these sizes: {fault!r}") from fault


class DemucsSeparator:
    """Separates mixes one after the other and in pieces: only one piece at a time is on the device."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self.module: Any = module.eval()
        self.device = device

    @torch.no_grad()
    def __call__(self, mix: Tensor) -> Tensor:
        """Mix [B, 2, N] at 44.1 kHz to stems [B, 4, 2, N] on the mix's device: drums, bass, other, vocals.

        The whole mix is held in memory, and four times as much of stems.  [generate]
        """
        return torch.cat([self._stems(row) for row in mix.split(1)])

    def _stems(self, mix: Tensor) -> Tensor:
        from demucs.apply import apply_model

        lead = MAX_SHIFT_SAMPLES - SHIFT_SAMPLES
        shifted = F.pad(mix.cpu(), (lead, 0))
        stems: Tensor = apply_model(self.module, shifted, shifts=0, split=True, overlap=OVERLAP, device=self.device)
        return stems[..., lead:].to(mix.device)
