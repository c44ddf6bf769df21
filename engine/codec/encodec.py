"""EnCodec, the 32 kHz codec of the MusicGen family. `encodec_stream.py` streams the decoder.

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

from engine.codec.encodec_stream import DecoderState, Reach, decode_step, decode_whole, init_state
from engine.codec.encodec_whole import encoder_reach_frames, latent_of
from engine.codec.layers import CutConvTranspose, PaddedConv, Residual, SkipLSTM, Stack
from engine.codec.runtime import Runtime, TorchRuntime
from engine.errors import AudioError


@dataclass(frozen=True)
class EncodecConfig:
    """Sizes of the codec; the defaults are those of the published 32 kHz model.

    `pad_mode` is 'constant' or 'reflect', from the checkpoint's own configuration.  [any]
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


def encoder_layers(config: EncodecConfig) -> list[nn.Module]:
    """Encoder layers by their published numbers.  [any]"""
    mode, width = config.pad_mode, config.n_filters
    layers: list[nn.Module] = [PaddedConv(config.channels, width, config.kernel, mode)]
    for ratio in reversed(config.ratios):
        layers.append(Residual(width, config.residual_kernel, config.compress, mode))
        layers += [nn.ELU(), PaddedConv(width, 2 * width, 2 * ratio, mode, ratio)]
        width *= 2
    layers += [SkipLSTM(width, config.lstm_layers), nn.ELU()]
    return [*layers, PaddedConv(width, config.dim, config.last_kernel, mode)]


def decoder_layers(config: EncodecConfig) -> list[nn.Module]:
    """Decoder layers by their published numbers.  [any]"""
    mode, width = config.pad_mode, config.n_filters * 2 ** len(config.ratios)
    layers: list[nn.Module] = [PaddedConv(config.dim, width, config.kernel, mode)]
    layers.append(SkipLSTM(width, config.lstm_layers))
    for ratio in config.ratios:
        layers += [nn.ELU(), CutConvTranspose(width, width // 2, ratio)]
        width //= 2
        layers.append(Residual(width, config.residual_kernel, config.compress, mode))
    return [*layers, nn.ELU(), PaddedConv(width, config.channels, config.last_kernel, mode)]


class Quantizer(nn.Module):
    """Residual vector quantiser: K tables of `card` rows; each codes the residual of the previous ones."""

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.register_buffer("tables", torch.zeros(config.n_codebooks, config.card, config.dim))

    def encode(self, latent: Tensor) -> Tensor:
        """Latent [B, D, T] to codes [B, K, T]: nearest row by squared distance, first index on ties.  [generate]"""
        rest = latent.transpose(1, 2)
        codes = []
        for table in self.get_buffer("tables"):
            distance = -(rest.pow(2).sum(-1, keepdim=True) - 2 * rest @ table.t() + table.pow(2).sum(-1))
            code = distance.argmax(dim=-1)
            rest = rest - F.embedding(code, table)
            codes.append(code)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to latent [B, D, T]: the sum of the tables' rows.  [generate]"""
        rows = [F.embedding(codes[:, k], table) for k, table in enumerate(self.get_buffer("tables"))]
        return torch.stack(rows).sum(0).transpose(1, 2)


class Encodec(nn.Module):
    """The codec; implements `engine.codec.base.Codec`. `runtime` does most of the work."""

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
        self.reach = Reach.of(list(self.decoder.layers), config.frame_samples)
        self.encoder_reach_frames = encoder_reach_frames(list(self.encoder.layers), config.frame_samples)
        self.lookahead_frames = self.reach.lookahead_frames
        self.runtime: Runtime = TorchRuntime(self)

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Tensor:
        """Audio [B, C, N] to codes [B, K, ceil(N / frame_samples)].

        Raises AudioError for no samples or another number of channels.  [generate]
        """
        if audio.dim() != 3 or audio.shape[1] != self.channels or audio.shape[2] == 0:
            raise AudioError(f"codec got audio of shape {tuple(audio.shape)}, needs [batch, {self.channels}, samples]")
        return self.quantizer.encode(self.latent(audio))

    @torch.no_grad()
    def latent(self, audio: Tensor) -> Tensor:
        """Audio [B, C, N] to the encoder's output [B, D, T], before the quantiser.  [generate]"""
        return latent_of(self, audio)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to audio [B, C, frame_samples T], not clipped.  [generate]"""
        return decode_whole(self, codes)

    @torch.no_grad()
    def init_decoder(self, prompt_audio: Tensor | None = None, prompt_codes: Tensor | None = None) -> DecoderState:
        """State of a streamed decode that follows a prompt [B, C, N] or its codes [B, K, Tp].  [generate]"""
        if prompt_codes is None and prompt_audio is not None:
            prompt_codes = self.encode(prompt_audio)
        return init_state(self, prompt_codes)

    @torch.no_grad()
    def decode_step(self, codes: Tensor, state: DecoderState, last: bool = False) -> tuple[Tensor, DecoderState]:
        """Next codes [B, K, t] to the audio [B, C, n] that is final now, all the rest with `last`.

        B streams that begin together can be decoded together; the first codes set B.  [generate]
        """
        return decode_step(self, codes, state, last)
