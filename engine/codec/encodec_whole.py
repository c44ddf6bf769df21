"""EnCodec's encoder over a signal of any length, piece by piece.

    audio    |--------- piece ---------|--------- piece ---------|---- ...
    convs      each piece with 1 frame of the true audio to each side, which is what they can see
    LSTM       state carried from piece to piece
    last conv  over all frames at once

So memory does not grow with what the convolutions make of the signal, and nothing differs from the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.codec.layers import PaddedConv, Past, Residual, SkipLSTM, advance, through

if TYPE_CHECKING:
    from engine.codec.encodec import Encodec

PIECE_FRAMES = {"cpu": 100, "cuda": 500}


def piece_frames(device: torch.device) -> int:
    """Frames to do at once on a device: few where caches are small.  [any]"""
    return PIECE_FRAMES.get(device.type, 100)


def encoder_reach_frames(layers: list[nn.Module], frame_samples: int) -> int:
    """Frames of audio to each side that a frame before the LSTM depends on (1 for the published sizes).

    Follows the first and last sample that frame 0 sees backwards through the convolutions.  [any]
    """
    first = last = 0
    for layer in reversed(layers[:-1]):
        for part in reversed(list(layer.block if isinstance(layer, Residual) else [layer])):
            if isinstance(part, PaddedConv):
                first = first * part.stride[0] - part.pad_left
                last = last * part.stride[0] - part.pad_left + part.kernel_size[0] - 1
    return max(-(first // frame_samples), last // frame_samples)


def latent_of(codec: Encodec, audio: Tensor) -> Tensor:
    """See `Encodec.latent`.  [generate]"""
    layers = list(codec.encoder.layers)
    frame, reach, piece = codec.frame_samples, codec.encoder_reach_frames, piece_frames(audio.device)
    n_frames = -(-audio.shape[-1] // frame)
    if n_frames <= piece + 2 * reach:
        return through(layers, audio)
    convs = [layer for layer in layers[:-2] if not isinstance(layer, SkipLSTM)]
    lstm = [layer for layer in layers if isinstance(layer, SkipLSTM)]
    features: list[Tensor] = []
    past: Past | None = None
    for start in range(0, n_frames, piece):
        end = min(start + piece, n_frames)
        before, after = max(start - reach, 0), (end + reach) * frame
        heard = audio[..., before * frame : after]
        if past is not None and after <= audio.shape[-1]:
            y, past = codec.runtime.encode(heard, past)
        else:
            y, past = advance(lstm, through(convs, heard)[..., start - before : end - before], past)
        features.append(y)
    return through(layers[-2:], torch.cat(features, dim=-1))
