"""Pieces of one length, made together: the work of `MusicGen.generate`.

asks --conditions, each piece alone--> lanes in lock step --> codes, a few frames at a time --> audio
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import torch
from torch import Tensor

from engine.codec.base import Codec
from engine.codec.beside import DecodeThread
from engine.core.guidance import Guidance
from engine.lm import Conditions
from engine.model import Ask, LoadedModel
from engine.stream import LaneBatch, StreamSettings, TokenStream
from engine.stream.tokens import WindowConditions

FRAMES_AT_A_TIME = 8
Report = Callable[[int, int], None]


def conditions_of(model: LoadedModel, ask: Ask, guidance: Guidance) -> WindowConditions:
    """The conditions of one piece, independent of others.  [generate]"""

    def at(offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        with torch.no_grad():
            return model.conditioner([ask], guidance, offset_frames, window_frames)[0]

    return at


def frames_together(
    model: LoadedModel,
    asks: Sequence[Ask],
    prompt: Tensor | None,
    settings: StreamSettings,
    seed: int,
    report: Report | None = None,
) -> Iterator[Tensor]:
    """Codes [B, K, n] of one piece per ask as they are complete, prompt codes [B, K, P] first.

    Piece b draws from `seed` + b, so it is what it would be alone.  `settings.total_frames` must be given; `report`
    gets (frames done, frames in all).  [generate]
    """
    device, lanes = model.lm.out_norm.weight.device, LaneBatch()
    for index, ask in enumerate(asks):
        codes = None if prompt is None else prompt[index]
        conditions = conditions_of(model, ask, settings.guidance)
        lanes.add(index, TokenStream.begin(model.executor, conditions, codes, settings, seed + index))
    streams = [lanes.streams[index] for index in range(len(asks))]
    if prompt is not None:
        yield prompt
    while not all(stream.finished for stream in streams):
        new = lanes.advance(FRAMES_AT_A_TIME)
        for frames in new.values():
            if frames.error is not None:
                raise frames.error
        if report is not None:
            report(streams[0].n_frames, settings.total_frames or 0)
        yield torch.stack([new[index].codes for index in range(len(asks))]).to(device)


def run_together(
    model: LoadedModel,
    asks: Sequence[Ask],
    prompt: Tensor | None,
    settings: StreamSettings,
    seed: int,
    report: Report | None = None,
) -> Tensor:
    """All of `frames_together`: codes [B, K, T].  [generate]"""
    return torch.cat(list(frames_together(model, asks, prompt, settings, seed, report)), dim=-1)


def decoded_as_made(
    codec: Codec, frames: Iterator[Tensor], device: torch.device | str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Codes [B, K, n] piece by piece to (audio [B, C, m], the same codes); decoded while the next piece is made.

    Audio comes four frames (of EnCodec) after its codes; the rest comes last, without codes.  Joined it is the audio
    of `codec.decode`.  [generate]
    """
    states: list[Any] = []
    begun: tuple[Future[Tensor], Tensor] | None = None
    with DecodeThread(device) as thread:
        for codes in frames:
            states = states or [codec.init_decoder() for _ in codes]
            before, begun = begun, (thread.start(partial(_decode, codec, codes, states, last=False)), codes)
            if before is not None:
                yield before[0].result(), before[1]
        if begun is not None:
            yield begun[0].result(), begun[1]
            none = begun[1][..., :0]
            yield _decode(codec, none, states, last=True), none


def _decode(codec: Codec, codes: Tensor, states: list[Any], last: bool) -> Tensor:
    """Audio [B, C, m] that is final now; `states` move on."""
    parts = []
    with torch.no_grad():
        for row in range(len(states)):
            audio, states[row] = codec.decode_step(codes[row : row + 1], states[row], last)
            parts.append(audio)
    return torch.cat(parts)


def print_progress(done: int, total: int) -> None:
    """Frames done and in all, on one line of the screen.  [any]"""
    sys.stderr.write(f"\r{done:6d} / {total:6d}" + ("\n" if done >= total else ""))
    sys.stderr.flush()
