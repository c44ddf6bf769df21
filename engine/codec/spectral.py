"""The embedded model's codec: 32 kHz mono, 50 frames a second, four codebooks of 1024.

A neural codec of magnitudes (`spectral_net`) and a streaming phase reconstruction (`rtisi`). It stores no phase,
so its audio is not the original waveform; it keeps pitch, rhythm and timbre.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.codec import rtisi
from engine.codec.spectral_net import SpectralNet, from_log, to_log

Spectra = Callable[[Tensor, list[Tensor] | None], tuple[Tensor, list[Tensor]]]
TOGETHER = 4
RUN_FRAMES = 32 * TOGETHER
CONTEXT_FRAMES = 24
ROUND_FROM = 0.7
LEVEL = 1.122  # 1 dB: magnitudes are predicted like medians, below the mean power, and frames do not quite add up


def spectra_of(audio: Tensor) -> Tensor:
    """Mono audio [B, N] to complex spectra [B, hops, 641], N a multiple of 640.  [any]"""
    padded = F.pad(audio, (rtisi.OVERLAP_SAMPLES, 0))
    window = torch.from_numpy(rtisi.WINDOW).to(audio.device)
    spectrum = torch.stft(
        padded, rtisi.WINDOW_SAMPLES, rtisi.HOP_SAMPLES, window=window, center=False, return_complex=True
    )
    return spectrum.transpose(1, 2)


def log_spectra(audio: Tensor, subframes: int = 2) -> Tensor:
    """Mono audio [B, N] to log-magnitudes [B, T, subframes * 641], N a multiple of 640.  [any]"""
    mags = spectra_of(audio).abs()
    return to_log(mags).reshape(mags.shape[0], -1, subframes * mags.shape[2])


def round_off(audio: Tensor) -> Tensor:
    """Peaks above 0.7 are rounded off below 1, as in all of the codec's training data.  [any]"""
    if not audio.numel() or float(audio.abs().max()) <= ROUND_FROM:
        return audio
    room = 1.0 - ROUND_FROM
    over = (audio.abs() - ROUND_FROM).clamp(min=0.0)
    return torch.where(over > 0, audio.sign() * (ROUND_FROM + room * (over / room).tanh()), audio)


@dataclass
class SpectralDecoderState:
    """The phase state, codes [1, 4, <4] that wait for a whole group, the number of the network's coming frames that
    precede the stream, and the past that the network needs."""

    phase: rtisi.PhaseState
    waiting: Tensor
    before_frames: int
    past: list[Tensor] | None = None


class SpectralCodec:
    """Implements `engine.codec.base.Codec`; all methods [generate]."""

    sample_rate = 32000
    channels = 1
    frame_samples = 640

    def __init__(self, net: SpectralNet) -> None:
        self.net = net.eval()
        self.spectra: Spectra = net.spectra  # of TOGETHER frames of a stream; may be replaced
        self.settle: rtisi.Settle = rtisi.settled  # may be replaced
        self.n_codebooks = net.config.n_codebooks
        self.card = net.config.card
        self.lookahead_frames = TOGETHER + 1 + net.config.lookahead_frames

    @torch.no_grad()
    def latents(self, audio: Tensor) -> Tensor:
        """Unquantised latents [B, T, latent] of audio [B, 1, N]; style is computed from these."""
        return self.net.latents(log_spectra(self._whole_frames(audio)[:, 0]))

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Tensor:
        """Audio [B, 1, N] to codes [B, 4, ceil(N / 640)]."""
        return self.net.quantise(self.latents(audio))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, 4, T] to audio [B, 1, 640 T]."""
        return torch.cat([self.decode_step(row[None], self.init_decoder(), last=True)[0] for row in codes])

    @torch.no_grad()
    def init_decoder(
        self, prompt_audio: Tensor | None = None, prompt_codes: Tensor | None = None
    ) -> SpectralDecoderState:
        """State of a stream from silence, or in phase with `prompt_audio` [1, 1, N] and after its codes."""
        none, ahead = torch.zeros(1, self.n_codebooks, 0, dtype=torch.long), self.net.config.lookahead_frames
        if prompt_audio is None or not prompt_audio.numel():
            return SpectralDecoderState(rtisi.init_phase(), none, ahead)
        prompt = prompt_audio[0].mean(dim=0).float().cpu().numpy()
        state = SpectralDecoderState(rtisi.init_phase(prompt), none, ahead)
        codes = self.encode(prompt_audio) if prompt_codes is None else prompt_codes
        _, state.past = self.net.spectra(self.net.dequantise(codes[..., -CONTEXT_FRAMES:]))
        return state

    @torch.no_grad()
    def decode_step(
        self, codes: Tensor, state: SpectralDecoderState, last: bool = False
    ) -> tuple[Tensor, SpectralDecoderState]:
        """Next codes [1, 4, t] to the audio [1, 1, n] that is final; see the protocol.

        Frames pass through the network in groups of four, counted from the stream's first, so that any cut gives the
        same bits: phase reconstruction would turn the smallest difference into another waveform.
        """
        known = torch.cat([state.waiting, codes.cpu()], dim=-1)
        n_whole = known.shape[-1] - known.shape[-1] % TOGETHER
        state.waiting = known[..., n_whole:]
        pieces = [torch.zeros(0)]
        for some in known[..., :n_whole].split(RUN_FRAMES, dim=-1) if n_whole else ():
            groups = self._latents_of(some).split(TOGETHER, dim=1)
            mags = [self._magnitudes(state, group) for group in groups]  # first, while the weights are in the cache
            pieces += [self._audio_of(state, group, False) for group in mags]
        if last:
            pieces.append(self._audio_of(state, self._last_magnitudes(state), True))
        return torch.cat(pieces)[None, None], state

    def _magnitudes(self, state: SpectralDecoderState, latents: Tensor) -> NDArray[np.float32]:
        """Magnitudes [n, bins] of the frames that latents [1, TOGETHER, latent] make final."""
        spectrum, state.past = self.spectra(latents, state.past)
        skipped = min(state.before_frames, TOGETHER)
        state.before_frames -= skipped
        return (from_log(spectrum[:, skipped:]) * LEVEL).reshape(-1, self.net.config.n_bins).cpu().numpy()

    def _last_magnitudes(self, state: SpectralDecoderState) -> NDArray[np.float32]:
        """Magnitudes [n, bins] of all waiting and look-ahead frames, as if the last one continued."""
        ahead, count = self.net.config.lookahead_frames, state.waiting.shape[-1]
        due = count + ahead - state.before_frames
        if not due:
            return np.zeros((0, self.net.config.n_bins), np.float32)
        latents = self._latents_of(state.waiting)
        known = latents if state.past is None else torch.cat([state.past[-1], latents], dim=1)
        n_fill = ahead + -(count + ahead) % TOGETHER
        latents = torch.cat([latents, known[:, -1:].expand(-1, n_fill, -1)], dim=1)
        made = np.concatenate([self._magnitudes(state, group) for group in latents.split(TOGETHER, dim=1)])
        state.waiting = state.waiting[..., count:]
        return made[: due * self.net.config.subframes]

    def _latents_of(self, codes: Tensor) -> Tensor:
        """Latents [1, t, latent] of codes [1, 4, t], on the network's device."""
        return self.net.dequantise(codes.to(self.net.mean.device))

    def _whole_frames(self, audio: Tensor) -> Tensor:
        """`audio` with silence appended up to a whole frame."""
        return F.pad(audio, (0, -audio.shape[-1] % self.frame_samples))

    def _audio_of(self, state: SpectralDecoderState, mags: NDArray[np.float32], last: bool) -> Tensor:
        """The audio [n] that is final with these magnitudes [m, bins]."""
        return round_off(torch.from_numpy(rtisi.push(state.phase, mags, last, self.settle)))
