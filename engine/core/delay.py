"""The delay pattern: the step of each code of each frame.

Codebook k lags k steps (mono), so that a step holds codes of K different frames, and each codebook is predicted from
the previous ones of the same frame. `.` is the special token:

    step        0   1   2   3   4   5   6
    codebook 0  .   a0  a1  a2  .   .   .
    codebook 1  .   .   b0  b1  b2  .   .
    codebook 2  .   .   .   c0  c1  c2  .
    codebook 3  .   .   .   .   d0  d1  d2        T = 3 frames, S = 1 + 3 + 3 steps

Frame t is complete once step t + 1 + max(delays) is known. Source: MusicGen (Copet et al. 2023), section 2.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def delay(codes: Tensor, delays: Sequence[int], special: int) -> Tensor:
    """Codes [..., K, T] to the delayed sequence [..., K, S]; cells outside the pattern are `special`.  [any]"""
    n_frames = codes.shape[-1]
    steps = 1 + n_frames + max(delays)
    out = codes.new_full((*codes.shape[:-1], steps), special)
    for k, lag in enumerate(delays):
        out[..., k, 1 + lag : 1 + lag + n_frames] = codes[..., k, :]
    return out


def undelay(sequence: Tensor, delays: Sequence[int]) -> Tensor:
    """Delayed sequence [..., K, S] back to codes [..., K, T]; the inverse of `delay`.  [any]"""
    n_frames = max(0, sequence.shape[-1] - 1 - max(delays))
    rows = [sequence[..., k, 1 + lag : 1 + lag + n_frames] for k, lag in enumerate(delays)]
    return torch.stack(rows, dim=-2)


def valid_mask(n_frames: int, delays: Sequence[int]) -> Tensor:
    """Bool [K, S]: True where a step of an `n_frames` sequence holds a code.  [any]"""
    step = torch.arange(1 + n_frames + max(delays))
    lag = torch.tensor(list(delays)).unsqueeze(1)
    return (step >= 1 + lag) & (step < 1 + lag + n_frames)
