"""EnCodec's decoder as a stream, equal to the whole decode however the codes are cut.

The decoder is not causal and has an LSTM. Its memory to the left never ends, so it is carried, not
recomputed:

    codes     . . . . . . . . . . . .        first conv: sees 3 frames to each side
    conv      . . . . . . . . . +--3--+
    LSTM      state carried from frame to frame
    h         . . . . . . . . .
    rest      recomputed over the new frames and 1 frame of h to each side
    audio     . . . . . . . .  +----4----+   final 4 frames behind the newest codes

The ends of the signal are padded as the whole decode pads them; inner cuts never are. State is a value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from engine.codec.encodec import Encodec


@dataclass(frozen=True)
class DecoderState:
    """Where one streamed decode stands; frames are counted from the first one of the prompt.

    latents [1, D, .] of frames from `latent_start`, hidden [1, C, .] of frames from `hidden_start`;
    `n_latents` and `n_hidden` are the frames known of each, `n_out` the frames whose audio was given out.
    """

    latents: Tensor
    hidden: Tensor
    lstm: tuple[Tensor, Tensor] | None = None
    latent_start: int = 0
    hidden_start: int = 0
    n_out: int = 0
    finished: bool = False

    @property
    def n_latents(self) -> int:
        """Frames of codes taken in.  [any]"""
        return self.latent_start + self.latents.shape[-1]

    @property
    def n_hidden(self) -> int:
        """Frames that have passed the LSTM.  [any]"""
        return self.hidden_start + self.hidden.shape[-1]


def reach_frames(codec: Encodec) -> tuple[int, int]:
    """Frames of h to each side that a frame's audio depends on (1 and 1 for the published sizes).

    Follows the first and last sample of frame 0 backwards through the layers.  [any]
    """
    first, last = 0, codec.frame_samples - 1
    for layer in reversed(list(codec.decoder.layers)[2:]):
        for part in reversed(list(getattr(layer, "block", [layer]))):
            if hasattr(part, "cut_left"):
                ratio = part.stride[0]
                first = -((2 * ratio - 1 - first - part.cut_left) // ratio)
                last = (last + part.cut_left) // ratio
            elif hasattr(part, "pad_left"):
                first, last = first - part.pad_left, last + part.pad_right
    return -first, last


def init_state(codec: Encodec, prompt_codes: Tensor | None) -> DecoderState:
    """The state before any code, or after `prompt_codes` [1, K, Tp] whose audio is not wanted.  [generate]"""
    config = codec.config
    like = codec.quantizer.get_buffer("tables")
    width = config.n_filters * 2 ** len(config.ratios)
    state = DecoderState(like.new_zeros(1, config.dim, 0), like.new_zeros(1, width, 0))
    if prompt_codes is None or prompt_codes.shape[-1] == 0:
        return state
    state = _take_codes(codec, prompt_codes, state, last=False)
    return _forget(codec, replace(state, n_out=prompt_codes.shape[-1]))


def decode_step(
    codec: Encodec, codes: Tensor, state: DecoderState, last: bool
) -> tuple[Tensor, DecoderState]:
    """See `Codec.decode_step`. ValueError after the last step or for more than one stream.  [generate]"""
    if state.finished:
        raise ValueError("this stream's last codes were already decoded; begin again with init_decoder()")
    if codes.dim() != 3 or codes.shape[0] != 1:
        raise ValueError(f"codes have shape {tuple(codes.shape)}, a stream takes [1, {codec.n_codebooks}, t]")
    state = _take_codes(codec, codes, state, last)
    ready = state.n_hidden if last else state.n_hidden - codec.reach_right_frames
    audio = state.hidden.new_zeros(1, codec.channels, 0)
    if ready > state.n_out:
        audio = _upsample(codec, state, ready)
        state = replace(state, n_out=ready)
    return audio, replace(_forget(codec, state), finished=last)


def _take_codes(codec: Encodec, codes: Tensor, state: DecoderState, last: bool) -> DecoderState:
    """Codes in, through the first convolution and the LSTM as far as their right context is known."""
    latents = torch.cat([state.latents, codec.quantizer.decode(codes)], dim=-1)
    state = replace(state, latents=latents)
    conv: Any = codec.decoder.layers[0]
    lstm: Any = codec.decoder.layers[1]
    ready = state.n_latents if last else state.n_latents - conv.pad_right
    if ready <= state.n_hidden:
        return state
    y = conv(latents)  # pads both ends; only frames whose context was really there, or a true end, are kept
    y = y[..., state.n_hidden - state.latent_start : ready - state.latent_start]
    y, carried = lstm.advance(y, state.lstm)
    return replace(state, hidden=torch.cat([state.hidden, y], dim=-1), lstm=carried)


def _upsample(codec: Encodec, state: DecoderState, ready: int) -> Tensor:
    """Audio of frames n_out..ready from h and its context, inside which padding at inner cuts stays."""
    start = max(state.n_out - codec.reach_left_frames, 0)
    x = state.hidden[..., start - state.hidden_start :]
    for layer in list(codec.decoder.layers)[2:]:
        x = layer(x)
    frame = codec.frame_samples
    return x[..., (state.n_out - start) * frame : (ready - start) * frame]


def _forget(codec: Encodec, state: DecoderState) -> DecoderState:
    """Drop latents and h that no later frame looks at."""
    conv: Any = codec.decoder.layers[0]
    latent_start = max(state.latent_start, state.n_hidden - conv.pad_left, 0)
    hidden_start = max(state.hidden_start, min(state.n_hidden, state.n_out - codec.reach_left_frames), 0)
    return replace(
        state,
        latents=state.latents[..., latent_start - state.latent_start :],
        hidden=state.hidden[..., hidden_start - state.hidden_start :],
        latent_start=latent_start,
        hidden_start=hidden_start,
    )
