"""Measures of sound against sound, and of one long sound, in plain numpy; each documents its good values.

All of it [main].
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks

from engine.codec.rtisi import magnitudes
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.train.metrics import Array, chroma_of

HOP_SAMPLES = 320
MEL_FLOOR = 1e-3


def whole_hops(audio: Array) -> Array:
    """Audio cut to whole hops."""
    return audio[: len(audio) // HOP_SAMPLES * HOP_SAMPLES]


def mel_levels(audio: Array) -> Tensor:
    """Levels in dB [hops, 80] in mel bands of 30 Hz to 16 kHz, floor -30 dB (a soft tone is near 0)."""
    mags = torch.from_numpy(magnitudes(whole_hops(audio)))
    bank = melscale_fbanks(mags.shape[1], 30.0, SAMPLE_RATE_HZ / 2, 80, SAMPLE_RATE_HZ)
    return 10.0 * torch.log10(mags**2 @ bank + MEL_FLOOR)


def mel_distance_db(one: Array, other: Array) -> float:
    """Mean absolute difference of levels in 80 mel bands, dB; 0 is the same, 5.8 is right levels with random phases."""
    return float((mel_levels(one) - mel_levels(other)).abs().mean())


def spectral_convergence(wanted: Array, heard: Array) -> float:
    """Size of the difference of magnitudes over the size of the wanted ones; 0 is the same, 1 is silence."""
    a, b = magnitudes(whole_hops(wanted)), magnitudes(whole_hops(heard))
    return float(np.linalg.norm(a - b) / (np.linalg.norm(a) + 1e-9))


def si_sdr_db(wanted: Array, heard: Array) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019): how much of the waveform is kept.

    Means nothing for a codec that invents phases: such sound is alike without being the same wave.
    """
    share = float(np.dot(heard, wanted) / (np.dot(wanted, wanted) + 1e-12))
    target = share * wanted.astype(np.float64)
    rest = heard - target
    return float(10.0 * np.log10((np.sum(target**2) + 1e-12) / (np.sum(rest**2) + 1e-12)))


def chroma_flicker(audio: Array) -> float:
    """How much pitch classes change from frame to frame, 1 - mean cosine; 0 is steady (it counts beside real music)."""
    chroma = chroma_of(audio)
    sounds = chroma.amax(dim=1) > 0
    both = sounds[1:] & sounds[:-1]
    if not bool(both.any()):
        return float("nan")
    return float(1.0 - F.cosine_similarity(chroma[1:][both], chroma[:-1][both], dim=1).mean())


def level_course_db(audio: Array, seconds: float = 10.0) -> Array:
    """Level of each whole stretch against the first minute's, dB; 0 throughout is steady."""
    size = int(seconds * SAMPLE_RATE_HZ)
    first = audio[: 60 * SAMPLE_RATE_HZ].astype(np.float64)
    blocks = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
    power = 10.0 * np.log10((blocks**2).mean(axis=1) + 1e-12)
    return (power - 10.0 * np.log10((first**2).mean() + 1e-12)).astype(np.float32)


def most_repeats(codes: Tensor, shortest_frames: int = 25, longest_frames: int = 800) -> tuple[int, int]:
    """How often the most repeated stretch of codes [K, T] follows itself exactly, and its length in frames; (1, 0)
    where none does. Stretches of half a second to 16 seconds; silence repeated counts."""
    found, length = 1, 0
    for period in range(shortest_frames, min(longest_frames, codes.shape[1] // 2) + 1):
        same = (codes[:, period:] == codes[:, :-period]).all(dim=0).numpy()
        edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
        longest = int((edges[1::2] - edges[::2]).max(initial=0))
        if 1 + longest // period > found:
            found, length = 1 + longest // period, period
    return found, length
