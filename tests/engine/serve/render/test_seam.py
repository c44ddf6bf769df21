"""Glides between levels: the same bits however the audio is cut."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from engine.serve.render.seam import GLIDE_SECONDS, GlidingLevel

RATE = 32_000


@pytest.mark.parametrize("seed", range(8))
def test_a_glide_has_the_same_bits_for_any_cut(seed):
    """The samples after a glide have exactly the new level, also where one piece holds the glide and more."""
    rng = random.Random(seed)
    before, target = rng.uniform(0.1, 3.0), rng.uniform(0.1, 3.0)
    audio = torch.randn(1, 3 * int(GLIDE_SECONDS * RATE), generator=torch.Generator().manual_seed(seed))

    def levelled(cuts: list[int]) -> torch.Tensor:
        level = GlidingLevel(RATE, before)
        level.glide_to(target)
        bounds = [0, *cuts, audio.shape[1]]
        pieces = [audio[:, begin:end] for begin, end in itertools.pairwise(bounds)]
        return torch.cat([level.levelled(piece) for piece in pieces], dim=1)

    whole = levelled([])
    assert torch.equal(whole[:, int(GLIDE_SECONDS * RATE) :], audio[:, int(GLIDE_SECONDS * RATE) :] * target)
    for _ in range(4):
        assert torch.equal(levelled(sorted(rng.randrange(audio.shape[1]) for _ in range(5))), whole)
