"""Decodes codes in fixed pieces, however the codes arrive; in part on another thread, beside the steps.

codes       c c c c|c c c c|c c          whole pieces are decoded, the rest waits
beside      ->-----|                     begun on another thread before `decode` takes them
"""

from __future__ import annotations

import copy
from concurrent.futures import Future
from typing import Any

import torch
from torch import Tensor

from engine.codec.base import Codec
from engine.codec.beside import DecodeThread

PIECE_FRAMES = 4  # decoded at once, counted from the codec output's begin
CONTEXT_FRAMES = 64  # of codes and audio that a decoder is primed with


class PieceDecoder:
    """One stream's decoder state; all [generate]."""

    def __init__(
        self, codec: Codec, device: torch.device | str, before_audio: Tensor | None, before_codes: Tensor | None
    ) -> None:
        """Begin after audio [C, n] at the codec's rate and its codes [K, P], or from silence; runs on `device`."""
        self._codec, self._device = codec, device
        context, codes = None, None
        if before_audio is not None:
            context = before_audio[:, -CONTEXT_FRAMES * codec.frame_samples :].float().cpu()[None].to(device)
            codes = None if before_codes is None else before_codes[None, :, -CONTEXT_FRAMES:].to(device)
        self._state: Any = codec.init_decoder(context, codes)
        self._waiting: Tensor | None = None  # codes [K, n] of an incomplete piece
        self._begun: list[Future[Tensor]] = []  # begun on another thread, not yet taken by `decode`
        self.begun_frames = 0  # frames in them

    def decode_beside(self, codes: Tensor, thread: DecodeThread) -> None:
        """Begin to decode codes [K, t] on another thread: the first ones of the next `decode`, behind the
        `begun_frames` begun before.
        """
        self._begun.append(thread.start(lambda: self._decode(codes, False)))
        self.begun_frames += codes.shape[1]

    def decode(self, codes: Tensor, last: bool) -> Tensor:
        """Audio [C, n] of codes [K, t]; the first ones may be decoded, or in work, on the other thread."""
        begun, frames = self._begun, self.begun_frames
        self._begun, self.begun_frames = [], 0
        audio = [each.result() for each in begun]
        if frames < codes.shape[1] or last or not begun:
            audio.append(self._decode(codes[:, frames:], last))
        return torch.cat(audio, dim=1)

    def preview(self, codes: Tensor, last: bool = False) -> Tensor:
        """The audio [C, n] that these codes [K, t] would add; the state stays."""
        state = copy.deepcopy(self._state)
        known = self._with_waiting(codes)[None].to(self._device)
        return self._codec.decode_step(known, state, last)[0][0].float().cpu()

    def _decode(self, codes: Tensor, last: bool) -> Tensor:
        """Decode whole pieces, and with `last` the rest: EnCodec's last bit depends on how many frames it decodes at
        once, and frames arrive in varying numbers.
        """
        known = self._with_waiting(codes)
        end = known.shape[1] if last else known.shape[1] // PIECE_FRAMES * PIECE_FRAMES
        self._waiting = known[:, end:]
        pieces = known[:, :end].split(PIECE_FRAMES, dim=1)
        audio = [self._piece(each, False) for each in pieces[:-1]]
        return torch.cat([*audio, self._piece(pieces[-1], last)], dim=1)

    def _with_waiting(self, codes: Tensor) -> Tensor:
        return codes if self._waiting is None else torch.cat([self._waiting, codes], dim=1)

    def _piece(self, codes: Tensor, last: bool) -> Tensor:
        audio, self._state = self._codec.decode_step(codes[None].to(self._device), self._state, last)
        return audio[0].float().cpu()
