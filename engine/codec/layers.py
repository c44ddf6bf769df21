"""EnCodec's layers: whole (`forward`), and step by step with their past (`advance`).

    y, past = layer.advance(x, None)         first samples: the true left edge is padded
    y, past = layer.advance(x, past)         n samples in, stride * n out
    y, past = layer.advance(x, past, True)   the last ones: the true right edge is padded

The joined output equals `forward` of the whole. The first samples must be more than a layer pads. A past is a list of
tensors, always of the same sizes. Convolutions are not causal: the output lags by the right padding.
Source: EnCodec (Defossez et al. 2022).  B batch, C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Past = tuple[Tensor, ...]
FEW_STREAMS = 4


def pad_edges(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """Pad the ends of [B, C, N]; 'reflect' first extends a signal that is too short with zeros.  [any]"""
    if mode != "reflect":
        return F.pad(x, (left, right), mode=mode)
    extra = max(0, max(left, right) - x.shape[-1] + 1)
    padded = F.pad(F.pad(x, (0, extra)), (left, right), mode="reflect")
    return padded[..., : padded.shape[-1] - extra]


class PaddedConv(nn.Conv1d):
    """Convolution with N / stride output samples; the larger half of the padding is on the left."""

    def __init__(self, n_in: int, n_out: int, kernel: int, pad_mode: str, stride: int = 1) -> None:
        super().__init__(n_in, n_out, kernel, stride=stride)
        self.pad_right = (kernel - stride) // 2
        self.pad_left = kernel - stride - self.pad_right
        self.edge_mode = pad_mode

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] to [B, C', ceil(N / stride)]; the last window is padded on the right.  [generate]"""
        extra = -x.shape[-1] % self.stride[0]
        return self.inside(pad_edges(x, self.pad_left, self.pad_right + extra, self.edge_mode))

    def inside(self, x: Tensor) -> Tensor:
        """Only the output that needs no padding.  [generate]"""
        return F.conv1d(x, self.weight, self.bias, self.stride)

    def joined(self, x: Tensor, past: Past | None, last: bool) -> tuple[Tensor, Past]:
        """The kernel's whole input while it passes `x`, and the past for the next call; stride 1.  [generate]"""
        whole = pad_edges(x, self.pad_left, 0, self.edge_mode) if past is None else torch.cat([past[0], x], dim=-1)
        kept = whole[..., whole.shape[-1] - self.pad_left - self.pad_right :].clone()
        return pad_edges(whole, 0, self.pad_right, self.edge_mode) if last else whole, (kept,)

    def advance(self, x: Tensor, past: Past | None, last: bool = False) -> tuple[Tensor, Past]:
        """[B, C, N] to [B, C', N]; see the head of this file.  [generate]"""
        whole, kept = self.joined(x, past, last)
        return self.inside(whole), kept


class CutConvTranspose(nn.ConvTranspose1d):
    """Transposed convolution, kernel 2 r and stride r, cut to exactly r N samples."""

    def __init__(self, n_in: int, n_out: int, ratio: int) -> None:
        super().__init__(n_in, n_out, 2 * ratio, stride=ratio)
        self.cut_right = ratio // 2
        self.cut_left = ratio - self.cut_right
        self._folded: tuple[tuple[int, ...], Tensor] | None = None

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, C, N] to [B, C', r N].  [generate]"""
        y = super().forward(x)
        return y[..., self.cut_left : y.shape[-1] - self.cut_right]

    def advance(self, x: Tensor, past: Past | None, last: bool = False) -> tuple[Tensor, Past]:
        """[B, C, N] to [B, C', r N]; see the head of this file.  [generate]"""
        silence = x.new_zeros(x.shape[0], x.shape[1], 1)
        whole = torch.cat([silence if past is None else past[0], x], dim=-1)
        kept = whole[..., -1:].clone()
        y = self.pairs(torch.cat([whole, silence], dim=-1) if last else whole)
        first = self.cut_left if past is None else 0
        return y[..., first : y.shape[-1] - (self.cut_right if last else 0)], (kept,)

    def pairs(self, x: Tensor) -> Tensor:
        """The r output samples of each pair of neighbours of [B, C, N]: [B, C', r (N - 1)].  [generate]

        On the CPU one matrix product, which is faster than the library's transposed convolution.
        """
        ratio = self.stride[0]
        if x.device.type != "cpu":
            y = super().forward(x)
            return y[..., ratio : y.shape[-1] - ratio]
        neighbours = torch.cat([x[..., :-1], x[..., 1:]], dim=1)
        y = self.folded() @ neighbours
        y = y.view(x.shape[0], self.out_channels, ratio, -1).transpose(2, 3)
        y = y.reshape(x.shape[0], self.out_channels, -1)
        return y if self.bias is None else y.add_(self.bias[:, None])

    def folded(self) -> Tensor:
        """The weights as a matrix [C' r, 2 C], columns of the earlier neighbour first; built once.  [generate]"""
        weight, ratio = self.weight.detach(), self.stride[0]
        now = (weight.data_ptr(), weight._version)
        if self._folded is None or self._folded[0] != now:
            both = torch.cat([weight[..., ratio:], weight[..., :ratio]])
            self._folded = (now, both.permute(1, 2, 0).reshape(-1, both.shape[0]).contiguous())
        return self._folded[1]


class Residual(nn.Module):
    """x + conv1(ELU(conv3(ELU(x)))), inner width divided by `compress`."""

    def __init__(self, width: int, kernel: int, compress: int, pad_mode: str) -> None:
        super().__init__()
        wide = PaddedConv(width, width // compress, kernel, pad_mode)
        narrow = PaddedConv(width // compress, width, 1, pad_mode)
        self.block = nn.Sequential(nn.ELU(), wide, nn.ELU(), narrow)

    @property
    def convs(self) -> tuple[PaddedConv, PaddedConv]:
        """The wide convolution and the narrow one after it.  [any]"""
        return cast(tuple[PaddedConv, PaddedConv], (self.block[1], self.block[3]))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] to the same shape.  [generate]"""
        return x + self.block(x)

    def advance(self, x: Tensor, past: Past | None, last: bool = False) -> tuple[Tensor, Past]:
        """[B, C, N] to the same shape, later by the kernel's right half; see the head of this file.  [generate]

        Padding before the ELU equals padding after it, since ELU(0) = 0.
        """
        wide, narrow = self.convs
        whole, kept = wide.joined(x, past, last)
        y = narrow.inside(F.elu(wide.inside(F.elu(whole))))
        left = wide.pad_left
        return y.add_(whole[..., left : left + y.shape[-1]]), kept


class SkipLSTM(nn.LSTM):
    """LSTM over time with a skip connection; its past is (h, c), [layers, B, C] each."""

    def __init__(self, width: int, n_layers: int) -> None:
        super().__init__(width, width, n_layers)

    def advance(self, x: Tensor, past: Past | None, last: bool = False) -> tuple[Tensor, Past]:
        """[B, C, N] to the same shape; see the head of this file.  [generate]"""
        steps = x.permute(2, 0, 1)
        if past is None:
            past = (x.new_zeros(self.num_layers, x.shape[0], self.hidden_size),) * 2
        if x.device.type == "cpu" and x.shape[0] <= FEW_STREAMS and not torch.is_grad_enabled():
            y, after = self._by_hand(steps, past)
        else:
            y, after = self(steps, (past[0], past[1]))
        return (y + steps).permute(1, 2, 0), after

    def _by_hand(self, steps: Tensor, past: Past) -> tuple[Tensor, Past]:
        """For few streams [N, B, C] on the CPU: the library's LSTM would rearrange all its weights at every call."""
        x, width = steps, self.hidden_size
        after: list[tuple[Tensor, Tensor]] = []
        for layer in range(self.num_layers):
            into, back, bias_in, bias_back = self.all_weights[layer]
            gates = F.linear(x, into, bias_in + bias_back)
            h, c = past[0][layer], past[1][layer]
            out = torch.empty_like(x)
            for index in range(x.shape[0]):
                four = _plus_product(gates[index], h, back)
                opened = four[:, : 2 * width].sigmoid_()
                c = torch.addcmul(opened[:, width:] * c, opened[:, :width], four[:, 2 * width : 3 * width].tanh_())
                h = torch.mul(four[:, 3 * width :].sigmoid_(), c.tanh(), out=out[index])
            x = out
            after.append((h, c))
        h, c = (torch.stack(part) for part in zip(*after, strict=True))
        return x, (h, c)


def _plus_product(gates: Tensor, h: Tensor, back: Tensor) -> Tensor:
    """gates [B, 4 C] + h [B, C] times the weights `back`; one stream uses the faster routine."""
    if h.shape[0] == 1:
        return torch.addmv(gates[0], back, h[0])[None]
    return torch.addmm(gates, h, back.t())


def n_past(layer: nn.Module) -> int:
    """Number of tensors in a layer's past.  [any]"""
    if isinstance(layer, SkipLSTM):
        return 2
    return int(isinstance(layer, PaddedConv | CutConvTranspose | Residual))


class Stack(nn.Module):
    """Consecutive layers; the stack's past is the list of theirs."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] through all layers, LSTMs from a zero state.  [generate]"""
        return through(list(self.layers), x)


def through(layers: Sequence[nn.Module], x: Tensor) -> Tensor:
    """A whole signal [B, C, N] through some layers, LSTMs from a zero state.  [generate]"""
    for layer in layers:
        x = layer.advance(x, None)[0] if isinstance(layer, SkipLSTM) else layer(x)
    return x


def advance(layers: Sequence[nn.Module], x: Tensor, past: Past | None, last: bool = False) -> tuple[Tensor, Past]:
    """The next samples [B, C, N] through some layers; see the head of this file.  [generate]"""
    after: list[Tensor] = []
    for layer in layers:
        if isinstance(layer, PaddedConv | CutConvTranspose | Residual | SkipLSTM):
            count = n_past(layer)
            own = None if past is None else past[len(after) : len(after) + count]
            x, kept = layer.advance(x, own, last)
            after += kept
        else:
            x = layer(x)
    return x, tuple(after)
