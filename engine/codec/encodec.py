"""EnCodec, the 32 kHz codec of the MusicGen family: whole signals. `encodec_stream.py` streams the decoder.

    encode   conv, 4 x (residual, ELU, conv stride r), LSTM, ELU, conv  ->  residual quantiser
    decode   sum of table rows  ->  conv, LSTM, 4 x (ELU, transposed conv stride r, residual), ELU, conv

Source: EnCodec (Defossez et al. 2022). Layer numbers are those of the published checkpoints; weight norm is
folded when a checkpoint is loaded, so a layer here has plain weights. Convolutions are not causal.
B batch, C channels, N samples, D latent width, K codebooks, T frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.codec.encodec_stream import DecoderState, decode_step, init_state, reach_frames
from engine.errors import AudioError


@dataclass(frozen=True)
class EncodecConfig:
    """Sizes of the codec; the defaults are those of the published 32 kHz model.

    `pad_mode` is 'constant' or 'reflect', as the checkpoint's own configuration says.  [any]
    """

    sample_rate: int = 32000
    channels: int = 1
    n_filters: int = 64
    dim: int = 128
    ratios: tuple[int, ...] = (8, 5, 4, 4)
    n_codebooks: int = 4
    card: int = 2048
    kernel: int = 7
    last_kernel: int = 7
    residual_kernel: int = 3
    compress: int = 2
    lstm_layers: int = 2
    pad_mode: str = "constant"

    def __post_init__(self) -> None:
        if self.pad_mode not in ("constant", "reflect", "replicate"):
            raise ValueError(f"pad_mode is '{self.pad_mode}', known are constant, reflect, replicate")
        if min(self.ratios, default=0) < 1 or self.lstm_layers < 1:
            raise ValueError(f"ratios {self.ratios} and lstm_layers {self.lstm_layers} must be 1 or more")

    @property
    def frame_samples(self) -> int:
        """Samples per frame.  [any]"""
        return math.prod(self.ratios)


def pad_edges(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """Pad the ends of [B, C, N]; 'reflect' fills a signal that is too short with zeros first.  [any]"""
    if mode != "reflect":
        return F.pad(x, (left, right), mode=mode)
    extra = max(0, max(left, right) - x.shape[-1] + 1)
    padded = F.pad(F.pad(x, (0, extra)), (left, right), mode="reflect")
    return padded[..., : padded.shape[-1] - extra]


class PaddedConv(nn.Conv1d):
    """Convolution that keeps N / stride samples; the larger half of the padding stands left."""

    def __init__(self, n_in: int, n_out: int, kernel: int, pad_mode: str, stride: int = 1) -> None:
        super().__init__(n_in, n_out, kernel, stride=stride)
        self.pad_right = (kernel - stride) // 2
        self.pad_left = kernel - stride - self.pad_right
        self.edge_mode = pad_mode

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] to [B, C', ceil(N / stride)]; the last window is filled up on the right."""
        extra = -x.shape[-1] % self.stride[0]
        return super().forward(pad_edges(x, self.pad_left, self.pad_right + extra, self.edge_mode))


class CutConvTranspose(nn.ConvTranspose1d):
    """Transposed convolution, kernel 2 r and stride r, cut to exactly r N samples."""

    def __init__(self, n_in: int, n_out: int, ratio: int) -> None:
        super().__init__(n_in, n_out, 2 * ratio, stride=ratio)
        self.cut_right = ratio // 2
        self.cut_left = ratio - self.cut_right

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, C, N] to [B, C', r N]."""
        y = super().forward(x)
        return y[..., self.cut_left : y.shape[-1] - self.cut_right]


class Residual(nn.Module):
    """x + conv1(ELU(conv3(ELU(x)))), inner width divided by `compress`."""

    def __init__(self, width: int, config: EncodecConfig) -> None:
        super().__init__()
        inner, mode = width // config.compress, config.pad_mode
        self.block = nn.Sequential(
            nn.ELU(),
            PaddedConv(width, inner, config.residual_kernel, mode),
            nn.ELU(),
            PaddedConv(inner, width, 1, mode),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] to the same shape."""
        return x + self.block(x)


class SkipLSTM(nn.LSTM):
    """LSTM over time with a skip connection; `advance` carries its state."""

    def __init__(self, width: int, n_layers: int) -> None:
        super().__init__(width, width, n_layers)

    def advance(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """[B, C, N] and the state after the samples before it, to [B, C, N] and the new state."""
        steps = x.permute(2, 0, 1)
        y, new_state = self(steps, state)
        return (y + steps).permute(1, 2, 0), new_state


def encoder_layers(config: EncodecConfig) -> list[nn.Module]:
    """Encoder layers by their published numbers.  [any]"""
    mode, width = config.pad_mode, config.n_filters
    layers: list[nn.Module] = [PaddedConv(config.channels, width, config.kernel, mode)]
    for ratio in reversed(config.ratios):
        layers += [Residual(width, config), nn.ELU(), PaddedConv(width, 2 * width, 2 * ratio, mode, ratio)]
        width *= 2
    layers += [SkipLSTM(width, config.lstm_layers), nn.ELU()]
    return [*layers, PaddedConv(width, config.dim, config.last_kernel, mode)]


def decoder_layers(config: EncodecConfig) -> list[nn.Module]:
    """Decoder layers by their published numbers.  [any]"""
    mode, width = config.pad_mode, config.n_filters * 2 ** len(config.ratios)
    layers: list[nn.Module] = [PaddedConv(config.dim, width, config.kernel, mode)]
    layers.append(SkipLSTM(width, config.lstm_layers))
    for ratio in config.ratios:
        layers += [nn.ELU(), CutConvTranspose(width, width // 2, ratio), Residual(width // 2, config)]
        width //= 2
    return [*layers, nn.ELU(), PaddedConv(width, config.channels, config.last_kernel, mode)]


class Stack(nn.Module):
    """Layers one after the other, LSTMs from a zero state."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] through all layers."""
        for layer in self.layers:
            x = layer.advance(x, None)[0] if isinstance(layer, SkipLSTM) else layer(x)
        return x


class Quantizer(nn.Module):
    """Residual vector quantiser: K tables of `card` rows; each codes what the ones before left over."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.register_buffer("tables", torch.zeros(config.n_codebooks, config.card, config.dim))

    def encode(self, latent: Tensor) -> Tensor:
        """Latent [B, D, T] to codes [B, K, T]: nearest row by squared distance, first index on ties."""
        rest = latent.transpose(1, 2)
        codes = []
        for table in self.get_buffer("tables"):
            distance = -(rest.pow(2).sum(-1, keepdim=True) - 2 * rest @ table.t() + table.pow(2).sum(-1))
            code = distance.argmax(dim=-1)
            rest = rest - F.embedding(code, table)
            codes.append(code)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to latent [B, D, T]: the sum of the tables' rows."""
        rows = [F.embedding(codes[:, k], table) for k, table in enumerate(self.get_buffer("tables"))]
        return torch.stack(rows).sum(0).transpose(1, 2)


class Encodec(nn.Module):
    """The codec; implements `engine.codec.base.Codec`."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate, self.channels = config.sample_rate, config.channels
        self.frame_samples, self.n_codebooks, self.card = (
            config.frame_samples,
            config.n_codebooks,
            config.card,
        )
        self.encoder = Stack(encoder_layers(config))
        self.decoder = Stack(decoder_layers(config))
        self.quantizer = Quantizer(config)
        self.reach_left_frames, self.reach_right_frames = reach_frames(self)
        self.lookahead_frames = (config.kernel - 1) // 2 + self.reach_right_frames

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Tensor:
        """Audio [B, C, N] to codes [B, K, ceil(N / frame_samples)].

        Raises AudioError for no samples or another number of channels.  [generate]
        """
        if audio.dim() != 3 or audio.shape[1] != self.channels or audio.shape[2] == 0:
            raise AudioError(
                f"codec got audio of shape {tuple(audio.shape)}, needs [batch, {self.channels}, samples]"
            )
        return self.quantizer.encode(self.latent(audio))

    @torch.no_grad()
    def latent(self, audio: Tensor) -> Tensor:
        """Audio [B, C, N] to the encoder's output [B, D, T], before the quantiser.  [generate]"""
        return self.encoder(audio)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to audio [B, C, frame_samples T], not clipped.  [generate]"""
        if codes.shape[-1] == 0:
            return torch.zeros(codes.shape[0], self.channels, 0, device=codes.device)
        return self.decoder(self.quantizer.decode(codes))

    @torch.no_grad()
    def init_decoder(
        self, prompt_audio: Tensor | None = None, prompt_codes: Tensor | None = None
    ) -> DecoderState:
        """State of a streamed decode that follows a prompt [1, C, N] or its codes [1, K, Tp].  [generate]"""
        if prompt_codes is None and prompt_audio is not None:
            prompt_codes = self.encode(prompt_audio)
        return init_state(self, prompt_codes)

    @torch.no_grad()
    def decode_step(
        self, codes: Tensor, state: DecoderState, last: bool = False
    ) -> tuple[Tensor, DecoderState]:
        """Next codes [1, K, t] to the audio [1, C, n] that is final now, all when `last`.  [generate]"""
        return decode_step(self, codes, state, last)
