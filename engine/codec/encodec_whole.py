"""EnCodec's encoder over a signal of any length, piece by piece.

    audio    |--------- piece ---------|--------- piece ---------|---- ...
    convs      each piece with 1 frame of the true audio on each side, their reach
    LSTM       state carried from piece to piece
    last conv  over all frames at once

So memory does not grow with the convolutions' output, and the result equals that of the whole signal.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.codec.layers import PaddedConv, Past, Residual, SkipLSTM, advance, through

if TYPE_CHECKING:
    from engine.codec.encodec import Encodec

PIECE_FRAMES = {"cpu": 50, "cuda": 500}
FEW_FRAMES = 12  # encoded in one piece


def piece_frames(device: torch.device) -> int:
    """Frames to encode at once on a device: few if its caches are small.  [any]"""
    return PIECE_FRAMES.get(device.type, 100)


def encoder_reach_frames(layers: list[nn.Module], frame_samples: int) -> int:
    """Frames of audio to each side that a frame before the LSTM depends on (1 for the published sizes).

    Follows the first and last sample that frame 0 depends on backwards through the convolutions.  [any]
    """
    first = last = 0
    for layer in reversed(layers[:-1]):
        for part in reversed(list(layer.block if isinstance(layer, Residual) else [layer])):
            if isinstance(part, PaddedConv):
                first = first * part.stride[0] - part.pad_left
                last = last * part.stride[0] - part.pad_left + part.kernel_size[0] - 1
    return max(-(first // frame_samples), last // frame_samples)


def cuts(n_frames: int, n_whole: int, reach: int, piece: int) -> list[int]:
    """Bounds of the pieces: a short one at each true edge, the bulk between them.  [any]

    The signal fills `n_whole` frames; the bulk depends on `reach` of them on each side.
    """
    first, end = min(reach + 1, n_frames), n_whole - reach
    inside = range(first + piece, end, piece)
    return sorted({0, first, *inside, max(first, end), n_frames})


def latent_of(codec: Encodec, audio: Tensor) -> Tensor:
    """See `Encodec.latent`.  [generate]"""
    layers = list(codec.encoder.layers)
    frame, reach = codec.frame_samples, codec.encoder_reach_frames
    n_frames, n_whole = -(-audio.shape[-1] // frame), audio.shape[-1] // frame
    if n_frames <= FEW_FRAMES:
        return through(layers, audio)
    convs = [layer for layer in layers[:-2] if not isinstance(layer, SkipLSTM)]
    lstm = [layer for layer in layers if isinstance(layer, SkipLSTM)]
    features: list[Tensor] = []
    past: Past | None = None
    for start, end in itertools.pairwise(cuts(n_frames, n_whole, reach, piece_frames(audio.device))):
        before = max(start - reach, 0)
        heard = audio[..., before * frame : (end + reach) * frame]
        if past is not None and end + reach <= n_whole:
            y, past = codec.runtime.encode(heard, past)
        else:
            y, past = advance(lstm, through(convs, heard)[..., start - before : end - before], past)
        features.append(y)
    return through(layers[-2:], torch.cat(features, dim=-1))
