"""The check before the timing: both sides give the same logits, on real tokens and conditions."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.bench.reference import ReferenceSide
from engine.bench.segue_side import ROWS, conditions_of
from engine.bench.shapes import Shape
from engine.lm.executors.base import Executor
from engine.stream.lanes import step_windows
from engine.stream.window import Window

PROMPT_FRAMES, STEPS, FRAMES = 8, 4, 20
# largest allowed difference over the logits' spread; in half precision both round in different places
ALLOWED = {"float32": 1e-3, "bfloat16": 0.25, "float16": 0.05}


@torch.inference_mode()
def segue_logits(shape: Shape, executor: Executor) -> tuple[Tensor, Tensor]:
    """Tokens [R, K, S] and the logits [R, K, card] of their last step, in a window with a prompt and some steps.

    Taken like the timed steps: by the device executor if that takes them.  [generate]
    """
    config, device, numbers = executor.lm.config, str(executor.lm.device), torch.Generator().manual_seed(2)
    prompt = torch.randint(0, config.card, (config.n_codebooks, PROMPT_FRAMES), generator=numbers).to(device)
    window = Window(executor, (conditions_of(shape, device),), prompt, FRAMES)
    logits: Tensor | Exception = step_windows([window])[0]
    for _ in range(STEPS):
        window.write(torch.randint(0, config.card, (config.n_codebooks,), generator=numbers).to(device))
        logits = step_windows([window])[0]
    if isinstance(logits, Exception):
        raise logits
    return window.sequence[:, : window.next_step].expand(ROWS, -1, -1), logits.float()


def difference(shape: Shape, executor: Executor, reference: ReferenceSide) -> float:
    """Largest difference of the two sides' logits over the spread of Segue's.  [generate]"""
    tokens, ours = segue_logits(shape, executor)
    conditions = conditions_of(shape, str(tokens.device))
    theirs = reference.logits(tokens, conditions.prefix, conditions.memory)
    return float((ours - theirs).abs().max() / ours.std())
