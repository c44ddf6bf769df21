"""EnCodec's layers as ONNX graphs for the inside of a signal; `runtime.py` defines what they compute.

Convolutions have a height of 1, since ONNX Runtime has its fast blocked layout only for images; a transposed
convolution becomes one of two taps that outputs r samples at once. The gates of an LSTM are in another order (input,
output, forget, cell). Weights are the loaded ones, already folded.
B batch, C channels, N samples, W width at the LSTM, t frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.codec.layers import CutConvTranspose, PaddedConv, Residual, SkipLSTM
from engine.ort.graph import Graph
from engine.ort.quantised import array_of

TIME = 3  # the axis of samples in [B, C, 1, N]
END = 1 << 40


def decoder_graph(layers: Sequence[nn.Module], n_latent: int) -> Graph:
    """latents [B, D, t] and past_0.. to audio [B, C, frame_samples t] and after_0..  [any]"""
    made = _Layers(Graph(inputs={"x": ["b", n_latent, "t"]}))
    x = made.high("x")
    for layer in layers:
        if isinstance(layer, PaddedConv):
            x = made.conv(made.joined(x, layer.in_channels, layer.kernel_size[0] - 1), layer)
        elif isinstance(layer, CutConvTranspose):
            x = made.transposed(made.joined(x, layer.in_channels, 1), layer)
        elif isinstance(layer, Residual):
            wide = layer.convs[0]
            x = made.residual(made.joined(x, wide.in_channels, wide.kernel_size[0] - 1), layer)
        elif isinstance(layer, SkipLSTM):
            x = made.lstm(x, layer)
        else:
            x = made.graph.one("Elu", x)
    made.graph.name_output(made.low(x), "y", ["b", "c", "n"])
    return made.graph


def encoder_graph(layers: Sequence[nn.Module], reach_frames: int, frame_samples: int) -> Graph:
    """audio [B, C, N] with `reach_frames` on each side, and the LSTM's past, to [B, W, t] and its new past.  [any]

    Nothing is padded: the audio is cut to the reach of the t frames, so every layer outputs exactly the next one's
    input.
    """
    convs = [layer for layer in layers[:-2] if isinstance(layer, PaddedConv | Residual)]
    left, right = _seen_around(convs)
    channels = convs[0].in_channels if isinstance(convs[0], PaddedConv) else 1
    made = _Layers(Graph(inputs={"x": ["b", channels, "n"]}))
    around = reach_frames * frame_samples
    x = made.cut(made.high("x"), around - left, right - around)
    for layer in layers[:-2]:
        if isinstance(layer, PaddedConv):
            x = made.conv(x, layer)
        elif isinstance(layer, Residual):
            x = made.residual(x, layer)
        elif isinstance(layer, SkipLSTM):
            x = made.lstm(x, layer)
        else:
            x = made.graph.one("Elu", x)
    made.graph.name_output(made.low(x), "y", ["b", "c", "t"])
    return made.graph


def _seen_around(convs: Sequence[PaddedConv | Residual]) -> tuple[int, int]:
    """Samples that the convolutions read before the first and after the last sample of some frames."""
    left = right = 0
    for layer in reversed(convs):
        conv = layer.convs[0] if isinstance(layer, Residual) else layer
        stride, kernel = conv.stride[0], conv.kernel_size[0]
        left = left * stride + conv.pad_left
        right = right * stride + kernel - stride - conv.pad_left
    return left, right


class _Layers:
    """Writes layers into a graph; values inside it are [B, C, 1, N]."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._n_past = 0
        self._n_weights = 0

    def high(self, x: str) -> str:
        return self.graph.one("Unsqueeze", x, self.graph.numbers(2))

    def low(self, x: str) -> str:
        return self.graph.one("Squeeze", x, self.graph.numbers(2))

    def weight(self, values: NDArray[np.float32]) -> str:
        self._n_weights += 1
        return self.graph.weight(f"w{self._n_weights}", values)

    def cut(self, x: str, start: int, end: int, axis: int = TIME) -> str:
        """Values from `start` to `end`, which counts from the end if it is negative or 0."""
        numbers = self.graph.numbers
        return self.graph.one("Slice", x, numbers(start), numbers(end or END), numbers(axis))

    def past(self, dims: Sequence[int | str]) -> str:
        """The next tensor of the past."""
        name = f"past_{self._n_past}"
        self.graph.inputs[name] = dims
        self._n_past += 1
        return name

    def after(self, value: str, like: str) -> None:
        """Output `value` as the new past of `like`."""
        self.graph.name_output(value, like.replace("past", "after"), self.graph.inputs[like])

    def joined(self, x: str, channels: int, count: int) -> str:
        """`x` after the `count` samples before it."""
        past = self.past(["b", channels, count])
        whole = self.graph.one("Concat", self.high(past), x, axis=TIME)
        self.after(self.low(self.cut(whole, -count, 0)), past)
        return whole

    def conv(self, x: str, conv: PaddedConv) -> str:
        """A convolution without padding."""
        stride, weight = conv.stride[0], array_of(conv.weight)[:, :, None]
        return self.graph.one("Conv", x, self.weight(weight), *self._bias(conv.bias), strides=[1, stride])

    def _bias(self, bias: Tensor | None, times: int = 1) -> list[str]:
        return [] if bias is None else [self.weight(np.tile(array_of(bias), times))]

    def transposed(self, x: str, conv: CutConvTranspose) -> str:
        """[B, C, 1, N] to [B, C', 1, r (N - 1)]: see `CutConvTranspose.pairs`."""
        ratio, weight = conv.stride[0], array_of(conv.weight)
        taps = np.stack([weight[..., ratio:], weight[..., :ratio]], axis=-1).transpose(2, 1, 0, 3)
        folded = self.weight(taps.reshape(-1, conv.in_channels, 1, 2))
        y = self.graph.one("Conv", x, folded, *self._bias(conv.bias, ratio))
        y = self.graph.one("Reshape", y, self.graph.numbers(0, ratio, conv.out_channels, -1))
        y = self.graph.one("Transpose", y, perm=[0, 2, 3, 1])
        return self.graph.one("Reshape", y, self.graph.numbers(0, conv.out_channels, 1, -1))

    def residual(self, x: str, layer: Residual) -> str:
        """`x`, which includes the kernel's halves on each side, to the output of its inside."""
        wide, narrow = layer.convs
        inner = self.conv(self.graph.one("Elu", x), wide)
        y = self.conv(self.graph.one("Elu", inner), narrow)
        return self.graph.one("Add", y, self.cut(x, wide.pad_left, -wide.pad_right))

    def lstm(self, x: str, lstm: SkipLSTM) -> str:
        """All layers of an LSTM with its skip; its past is h and c of all layers."""
        add, width = self.graph, lstm.hidden_size
        pasts = [self.past([lstm.num_layers, "b", width]) for _ in "hc"]
        steps = add.one("Transpose", self.low(x), perm=[2, 0, 1])
        y = steps
        last: tuple[list[str], list[str]] = ([], [])
        for index in range(lstm.num_layers):
            into, back, bias_in, bias_back = (_gates(array_of(part)) for part in lstm.all_weights[index])
            weights = [self.weight(part[None]) for part in (into, back, np.concatenate([bias_in, bias_back]))]
            own = [self.cut(past, index, index + 1, axis=0) for past in pasts]
            y, *ends = add.add("LSTM", [y, *weights, "", *own], 3, hidden_size=width)
            y = add.one("Squeeze", y, add.numbers(1))
            for kept, end in zip(last, ends, strict=True):
                kept.append(end)
        for past, kept in zip(pasts, last, strict=True):
            self.after(add.one("Concat", *kept, axis=0), past)
        return self.high(add.one("Transpose", add.one("Add", y, steps), perm=[1, 2, 0]))


def _gates(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gates from PyTorch's order (input, forget, cell, output) to that of ONNX (input, output, forget, cell)."""
    i, f, c, o = np.split(weight, 4)
    return np.concatenate([i, o, f, c])
