"""EnCodec's decoder as a stream, equal to the whole decode for any cut of the codes.

The decoder is not causal and has an LSTM. Every layer stores its own past, so nothing is computed twice:

    codes      . . . . . . . . . . . .        first conv: reads 3 frames on each side
    LSTM       . . . . . . . . .              state carried from frame to frame
    the rest   . . . . . . . .                convs lag by 466 samples more, their last inputs are stored
    audio      |- whole frames -|             final 4 frames (2402 samples) after the newest codes

Only the ends of the signal are padded, as in the whole decode. State is a value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.codec.encodec_whole import piece_frames
from engine.codec.layers import CutConvTranspose, PaddedConv, Past, Residual, advance

if TYPE_CHECKING:
    from engine.codec.encodec import Encodec

FRONT = 2  # layers up to the LSTM; the others have a finite reach


@dataclass(frozen=True)
class Reach:
    """The decoder's reach.  [any]

    first_frames: the fewest it can begin with; rest_frames: the same of the layers after the LSTM; delay_samples:
    the lag of audio behind codes; context_frames: frames on each side that the layers after the LSTM read.
    """

    first_frames: int
    rest_frames: int
    delay_samples: int
    context_frames: int
    frame_samples: int

    @classmethod
    def of(cls, layers: list[nn.Module], frame_samples: int) -> Reach:
        """The reach of a decoder's layers.  [any]"""
        first = next(n for n in range(1, 1000) if _come_out(layers, n))
        rest = next(n for n in range(1, 1000) if _come_out(layers[FRONT:], n))
        delay = first * frame_samples - _come_out(layers, first)
        return cls(first, rest, delay, sum(reach_frames(layers, frame_samples)), frame_samples)

    @property
    def lookahead_frames(self) -> int:
        """Whole frames of codes that must follow a frame.  [any]"""
        return -(-self.delay_samples // self.frame_samples)


def _come_out(layers: list[nn.Module], n: int) -> int:
    """Output samples of the first `n` input samples; 0 if they are too few to begin with."""
    for layer in layers:
        conv = layer.convs[0] if isinstance(layer, Residual) else layer
        if isinstance(conv, PaddedConv):
            n = n - conv.pad_right if n > max(conv.pad_left, conv.pad_right) else 0
        elif isinstance(conv, CutConvTranspose):
            n = n * conv.stride[0] - conv.cut_left
        if n <= 0:
            return 0
    return n


def reach_frames(layers: list[nn.Module], frame_samples: int) -> tuple[int, int]:
    """Frames of h to each side that a frame's audio depends on (1 and 1 for the published sizes).

    Follows the first and last sample of frame 0 backwards through the layers after the LSTM.  [any]
    """
    first, last = 0, frame_samples - 1
    for layer in reversed(layers[FRONT:]):
        conv = layer.convs[0] if isinstance(layer, Residual) else layer
        if isinstance(conv, CutConvTranspose):
            ratio = conv.stride[0]
            first = -((2 * ratio - 1 - first - conv.cut_left) // ratio)
            last = (last + conv.cut_left) // ratio
        elif isinstance(conv, PaddedConv):
            first, last = first - conv.pad_left, last + conv.pad_right
    return -first, last


@dataclass(frozen=True)
class DecoderState:
    """The state of B streamed decodes that began together.

    waiting [B, D, .]: latents too few to begin with; past: the layers' pasts, None before they began; ready [B, C, .]:
    audio of an incomplete frame; skip_samples: coming audio that belongs to the prompt.
    """

    waiting: Tensor
    ready: Tensor
    past: Past | None = None
    skip_samples: int = 0
    finished: bool = False


def init_state(codec: Encodec, prompt_codes: Tensor | None) -> DecoderState:
    """The state before any code, or after `prompt_codes` [B, K, Tp], whose audio is dropped.  [generate]"""
    like, reach = codec.quantizer.get_buffer("tables"), codec.reach
    state = DecoderState(like.new_zeros(1, codec.config.dim, 0), like.new_zeros(1, codec.channels, 0))
    if prompt_codes is None or prompt_codes.shape[-1] == 0:
        return state
    latents = codec.quantizer.decode(prompt_codes)
    if latents.shape[-1] < reach.first_frames:
        return replace(state, waiting=latents, skip_samples=latents.shape[-1] * codec.frame_samples)
    layers = list(codec.decoder.layers)
    h, front = advance(layers[:FRONT], latents, None)
    seen = max(reach.context_frames + 1, reach.rest_frames)
    _, rest = advance(layers[FRONT:], h[..., -seen:], None)
    return replace(state, past=front + rest, skip_samples=reach.delay_samples)


def decode_step(codec: Encodec, codes: Tensor, state: DecoderState, last: bool) -> tuple[Tensor, DecoderState]:
    """See `Encodec.decode_step`. ValueError after the last step or for another number of streams.  [generate]"""
    if state.finished:
        raise ValueError("this stream's last codes were already decoded; begin again with init_decoder()")
    if codes.dim() != 3 or codes.shape[1] != codec.n_codebooks:
        raise ValueError(f"codes have shape {tuple(codes.shape)}, a stream takes [B, {codec.n_codebooks}, t]")
    known = state.past[0] if state.past is not None else state.waiting
    if (state.past is not None or known.shape[-1]) and known.shape[0] != codes.shape[0]:
        raise ValueError(f"got codes of {codes.shape[0]} streams, {known.shape[0]} are under way")
    audio, state = _audio(codec, codec.quantizer.decode(codes), state, last)
    dropped = min(state.skip_samples, audio.shape[-1])
    count = audio.shape[-1] - dropped
    whole = dropped + (count if last else count - count % codec.frame_samples)
    state = replace(state, ready=audio[..., whole:].clone(), skip_samples=state.skip_samples - dropped, finished=last)
    return audio[..., dropped:whole], state


def _audio(codec: Encodec, latents: Tensor, state: DecoderState, last: bool) -> tuple[Tensor, DecoderState]:
    """All audio that is final now, beginning with `ready`."""
    layers, past, waiting = list(codec.decoder.layers), state.past, state.waiting[..., :0]
    pieces = [state.ready.expand(latents.shape[0], -1, -1)]
    if past is None:
        known = torch.cat([state.waiting.expand(latents.shape[0], -1, -1), latents], dim=-1)
        first = codec.reach.first_frames
        if known.shape[-1] < first:
            if last and known.shape[-1]:
                pieces.append(codec.decoder(known))
            return torch.cat(pieces, dim=-1), replace(state, waiting=known)
        audio, past = advance(layers, known[..., :first], None)
        pieces, latents = [*pieces, audio], known[..., first:]
    if latents.shape[-1]:
        audio, past = codec.runtime.decode(latents, past)
        pieces.append(audio)
    if last:
        pieces.append(advance(layers, latents[..., :0], past, True)[0])
    return torch.cat(pieces, dim=-1), replace(state, waiting=waiting, past=past)


def decode_whole(codec: Encodec, codes: Tensor) -> Tensor:
    """See `Encodec.decode`: a stream in pieces that suit the device.  [generate]"""
    pieces = [torch.zeros(codes.shape[0], codec.channels, 0, device=codes.device)]
    state = init_state(codec, None)
    for some in codes.split(piece_frames(codes.device), dim=-1) if codes.shape[-1] else ():
        audio, state = decode_step(codec, some, state, False)
        pieces.append(audio)
    audio, _ = decode_step(codec, codes[..., :0], state, True)
    return torch.cat([*pieces, audio], dim=-1)
