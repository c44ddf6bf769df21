"""The model's sample rate to the host's, streaming: any cut of the input gives the same bits as the whole.

Windowed sinc with a Hann window (torchaudio's `sinc_interp_hann` kernel), zero phase: output sample 0 lies on
input sample 0. Output n is a weighted sum of the `2 * reach + 1` inputs around n * orig / new:

    input    . . . . . . . . . . . .        orig per second
                 [---- taps ----]
    output     .    .    .    .    .        new per second

A stream's sums are computed tap by tap, each product and each sum rounded: the same bits for any cut, on any machine.
A library's convolution (`by_tap` False) is up to ten times as fast for long input, but it sums the last few outputs of
a call in another order, and a short call in another order than a long one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ZEROS = 24  # zero crossings of the sinc on each side
ROLLOFF = 0.945  # cut-off as a share of the smaller Nyquist frequency
MAX_RATE_HZ = 384_000
_OUTPUTS_AT_ONCE = 1 << 13  # gathered tap by tap, so that they stay in a processor's cache
_FEW_PHASES = 8  # this many are processed one after the other, each for all its outputs
_GROUP_MAX = 1 << 18  # of orig * new, reduced: above it outputs are gathered one by one

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ResampleState:
    """Carried context: `tail` [C, m], the index of its first sample, the next output's index.  [any]"""

    tail: Tensor
    tail_start_samples: int
    next_output_samples: int


class StreamResampler:
    """Resamples [C, n] float32 from `orig_hz` to `new_hz` (any whole numbers); holds no stream state itself.

    `by_tap` False is for audio that is always cut the same way, see above.

    Raises ValueError for rates outside 1 to 384,000 Hz.  [generate]
    """

    def __init__(
        self, orig_hz: int, new_hz: int, zeros: int = ZEROS, rolloff: float = ROLLOFF, by_tap: bool = True
    ) -> None:
        for name, rate in (("orig_hz", orig_hz), ("new_hz", new_hz)):
            if not 1 <= rate <= MAX_RATE_HZ:
                raise ValueError(f"{name} is {rate}, must be 1 to {MAX_RATE_HZ}")
        divisor = math.gcd(orig_hz, new_hz)
        self.orig, self.new = orig_hz // divisor, new_hz // divisor
        cutoff = min(self.orig, self.new) * rolloff
        self.reach = math.ceil(zeros * self.orig / cutoff)
        self._kernel = _phase_kernels(self.orig, self.new, self.reach, zeros, cutoff)
        self._groups = None if by_tap else _group_kernel(self._kernel, self.orig, self.new)
        self._taps: Floats = np.ascontiguousarray(self._kernel.numpy().T)  # [taps, new]

    @property
    def lookahead_samples(self) -> int:
        """How many input samples after its own position an output needs.  [any]"""
        return 0 if self.orig == self.new else self.reach

    def init(self, channels: int = 1) -> ResampleState:
        """State before the first sample; silence is assumed to the left of it.  [generate]"""
        reach = self.lookahead_samples
        return ResampleState(torch.zeros(channels, reach), -reach, 0)

    def step(self, audio: Tensor, state: ResampleState, last: bool = False) -> tuple[Tensor, ResampleState]:
        """Take [C, n] more input; return the outputs that are final and the next state.

        With `last` also the tail: ceil(total * new / orig) outputs in all, and the state is spent.
        Raises ValueError when the channel count differs from the state's.  [generate]
        """
        if audio.dim() != 2 or audio.shape[0] != state.tail.shape[0]:
            raise ValueError(f"audio has shape {tuple(audio.shape)}, must be [{state.tail.shape[0]}, n]")
        if self.orig == self.new:
            return audio, ResampleState(state.tail, 0, state.next_output_samples + audio.shape[1])
        known = torch.cat([state.tail, audio.float()], dim=1)
        end = state.tail_start_samples + known.shape[1]  # stream index after the last input sample
        if last:
            stop = -(-end * self.new // self.orig)
            known = torch.cat([known, known.new_zeros(known.shape[0], self.reach + 1)], dim=1)
        else:
            # the last output whose rightmost tap, floor(n * orig / new) + reach, is known
            stop = max(state.next_output_samples, -(-(end - self.reach) * self.new // self.orig))
        out = self._outputs(known, state.tail_start_samples, state.next_output_samples, stop)
        keep_from = stop * self.orig // self.new - self.reach
        tail = known[:, max(keep_from - state.tail_start_samples, 0) :].clone()
        return out, ResampleState(tail, max(keep_from, state.tail_start_samples), stop)

    def whole(self, audio: Tensor) -> Tensor:
        """[C, n] in one go -> [C, ceil(n * new / orig)].  [any]"""
        return self.step(audio, self.init(audio.shape[0]), last=True)[0]

    def _outputs(self, known: Tensor, known_start: int, start: int, stop: int) -> Tensor:
        """Outputs start..stop from inputs `known` [C, m], whose first has stream index `known_start`."""
        if stop <= start:
            return known.new_zeros(known.shape[0], 0)
        if self._groups is None:
            make = self._by_phase if self.new <= _FEW_PHASES else self._by_output
            return torch.from_numpy(make(known.numpy(), known_start + self.reach, start, stop))
        first, last = start // self.new, -(-stop // self.new)  # groups of `new` outputs on `orig` inputs
        left = first * self.orig - self.reach - known_start
        needed = (last - first - 1) * self.orig + self._groups.shape[2]
        right = left + needed - known.shape[1]
        window = torch.nn.functional.pad(known[:, max(left, 0) :], (max(-left, 0), right))
        out = torch.nn.functional.conv1d(window[:, None], self._groups, stride=self.orig)  # [C, new, groups]
        begin = start - first * self.new
        return out.transpose(1, 2).reshape(known.shape[0], -1)[:, begin : begin + stop - start]

    def _by_phase(self, known: Floats, centre: int, start: int, stop: int) -> Floats:
        """Outputs [C, stop - start], those of a phase together; an output at input `centre` begins with `known`'s."""
        out = np.empty((known.shape[0], stop - start), np.float32)
        for n in range(start, min(start + self.new, stop)):
            left, weights = n * self.orig // self.new - centre, self._taps[:, n % self.new]
            length = (stop - 1 - n) // self.new * self.orig + 1
            taps = (known[:, at : at + length : self.orig] for at in range(left, left + len(weights)))
            out[:, n - start :: self.new] = _summed(taps, weights)
        return out

    def _by_output(self, known: Floats, centre: int, start: int, stop: int) -> Floats:
        """The same for many phases: each output with weights of its own."""
        parts = []
        for first in range(start, stop, _OUTPUTS_AT_ONCE):
            n = np.arange(first, min(first + _OUTPUTS_AT_ONCE, stop))
            left, weights = n * self.orig // self.new - centre, self._taps.take(n % self.new, axis=1)
            taps = (known[:, at:].take(left, axis=1) for at in range(len(weights)))
            parts.append(_summed(taps, weights))
        return np.concatenate(parts, axis=1)


def _summed(taps: Iterable[Floats], weights: Floats) -> Floats:
    """Inputs [C, n] of each tap times its weight (or weights [n]), summed in the order of the taps."""
    total: Floats | None = None
    for tap, weight in zip(taps, weights, strict=True):
        if total is None:
            total, part = tap * weight, np.empty(tap.shape, np.float32)
        else:
            total += np.multiply(tap, weight, out=part)
    assert total is not None
    return total


def _group_kernel(kernel: Tensor, orig: int, new: int) -> Tensor | None:
    """Phase kernels as one convolution [new, 1, taps + shift] of stride `orig`; None where too big."""
    if new * orig > _GROUP_MAX:
        return None
    n_taps = kernel.shape[1]
    shifts = [n * orig // new for n in range(new)]
    groups = torch.zeros(new, 1, n_taps + shifts[-1])
    for n, shift in enumerate(shifts):
        groups[n, 0, shift : shift + n_taps] = kernel[n]
    return groups


def _phase_kernels(orig: int, new: int, reach: int, zeros: int, cutoff: float) -> Tensor:
    """Weights [new, 2 * reach + 1] of every output phase; output n uses row n mod new."""
    phase = torch.arange(new, dtype=torch.int64) * orig % new  # place after the left input, in 1/new
    offset = torch.arange(-reach, reach + 1, dtype=torch.float64)[None] - phase[:, None].double() / new
    t = (offset * cutoff / orig).clamp(-zeros, zeros)
    window = torch.cos(t * math.pi / zeros / 2) ** 2
    return (torch.sinc(t) * window * cutoff / orig).float()
