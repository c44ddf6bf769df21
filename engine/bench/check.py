"""Before anything is timed: both sides give the same logits, on real tokens and conditions."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.bench.reference import ReferenceSide
from engine.bench.segue_side import ROWS, conditions_of
from engine.bench.shapes import Shape
from engine.lm import LanguageModel

STEPS, PREFILLED = 12, 8
# largest difference allowed over the logits' spread; in half precision the two round in different places
ALLOWED = {"float32": 1e-3, "bfloat16": 0.25, "float16": 0.05}


@torch.inference_mode()
def segue_logits(shape: Shape, lm: LanguageModel) -> tuple[Tensor, Tensor]:
    """Tokens [R, K, S] and the logits [R, K, card] of their last step: some prefilled, the rest stepped.  [generate]"""
    config, device = lm.config, lm.out_norm.weight.device
    tokens = torch.randint(0, config.card, (1, config.n_codebooks, STEPS), generator=torch.Generator().manual_seed(2))
    tokens = tokens.expand(ROWS, -1, -1).to(device)
    conditions = conditions_of(shape, str(device))
    state = lm.init_state(ROWS, STEPS, conditions)
    logits = lm.prefill(tokens[..., :PREFILLED], conditions, state)
    for step in range(PREFILLED, STEPS):
        logits = lm.step(tokens[..., step], state)
    return tokens, logits.float()


def difference(shape: Shape, lm: LanguageModel, reference: ReferenceSide) -> float:
    """Largest difference of the two sides' logits over the spread of Segue's.  [generate]"""
    tokens, ours = segue_logits(shape, lm)
    conditions = conditions_of(shape, str(tokens.device))
    theirs = reference.logits(tokens, conditions.prefix, conditions.memory)
    return float((ours - theirs).abs().max() / ours.std())
