"""A stream's state as a value, from which it can continue later with exactly the same tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.lm.executors.base import Executor
from engine.stream.tokens import StreamSettings, TokenStream, WindowConditions
from engine.stream.window import Window


@dataclass(frozen=True)
class StreamSnapshot:
    """Everything needed to continue exactly: codes, the running window, and the generator's state.  [any]"""

    codes: Tensor  # [K, n] int16, everything so far, including the prompt
    window_offset: int
    window_frames: int
    window_prompt_frames: int
    sequence: Tensor  # [K, S] sequence of the running window
    next_step: int
    generator_state: Tensor
    settings: StreamSettings


def keep(stream: TokenStream) -> StreamSnapshot:
    """Everything needed to continue from here.  [generate]"""
    window = stream.open_window()
    return StreamSnapshot(
        codes=stream.codes().to(torch.int16),
        window_offset=stream.window_offset,
        window_frames=window.n_frames,
        window_prompt_frames=window.prompt_frames,
        sequence=window.sequence.clone(),
        next_step=window.next_step,
        generator_state=stream.generator.get_state(),
        settings=stream.settings,
    )


def resume(executor: Executor, conditions: WindowConditions, kept: StreamSnapshot) -> TokenStream:
    """Continue from a snapshot with exactly the tokens of the original.

    The running window is replayed step by step, so its cache is bit for bit the same.  [generate]
    """
    stream = TokenStream(executor, conditions, kept.settings, torch.Generator(device=executor.lm.device))
    stream.append(kept.codes.long())
    prompt = kept.codes[:, kept.window_offset :][:, : kept.window_prompt_frames].long()
    window = Window(executor, conditions(kept.window_offset, kept.window_frames), prompt, kept.window_frames)
    window.sequence.copy_(kept.sequence)
    while kept.next_step and not window.read_piece():
        pass
    while window.next_step < kept.next_step:
        window.logits()
        window.was_drawn()
    stream.go_on_in(window, kept.window_offset)
    stream.generator.set_state(kept.generator_state)
    return stream
