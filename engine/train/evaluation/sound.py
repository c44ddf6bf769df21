"""Measures of sound against sound, and of one long sound, in plain numpy; each documents its good values.

All of it [main].
"""

import itertools

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
THIRDS_HZ = (30.0, 243.0, 1973.0, 16000.0)  # of hearing, on a scale of octaves: bass, middle, treble
ATTACK_SECONDS, ATTACKS_A_SECOND = 0.0025, 3


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


def level_difference_db(wanted: Array, heard: Array, low_hz: float, high_hz: float) -> float:
    """Energy of `heard` over that of `wanted` from `low_hz` up to `high_hz`, dB; 0 is the same."""
    hz = np.arange(magnitudes(whole_hops(wanted)[:HOP_SAMPLES]).shape[1]) * (SAMPLE_RATE_HZ / 2 / 640)
    inside = (hz >= low_hz) & (hz <= high_hz)
    energy = [
        float(np.square(magnitudes(whole_hops(one))[:, inside], dtype=np.float64).sum()) for one in (wanted, heard)
    ]
    return float(10.0 * np.log10((energy[1] + 1e-9) / (energy[0] + 1e-9)))


def thirds_db(wanted: Array, heard: Array) -> list[float]:
    """Level of bass, middle and treble against the wanted sound's, dB."""
    return [level_difference_db(wanted, heard, *edges) for edges in itertools.pairwise(THIRDS_HZ)]


def tonal_bass_share(audio: Array) -> float:
    """Share of the energy from 30 to 300 Hz in the nine strongest of its 69 bins, over 256 ms: near 1 for tones."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, 8192)[::2048] * np.hanning(8192)
    power = np.sort(np.square(np.abs(np.fft.rfft(frames)))[:, 8:77], axis=1)
    return float(power[:, -9:].sum() / (power.sum() + 1e-12))


def attacks_db(wanted: Array, heard: Array) -> float:
    """Steepest rise in 2.5 ms of `heard` near the strongest attacks of `wanted` (three a second), mean, dB."""
    rise, known = (np.diff(_short_levels_db(one)) for one in (heard, wanted))
    steepest: list[float] = []
    for _ in range(max(1, int(len(wanted) / SAMPLE_RATE_HZ * ATTACKS_A_SECOND))):
        at = int(known.argmax())
        known[max(0, at - 20) : at + 20] = -np.inf
        steepest.append(float(rise[max(0, at - 8) : at + 9].max(initial=0.0)))
    return float(np.mean(steepest))


def _short_levels_db(audio: Array) -> Array:
    """Levels in dB of each 2.5 ms, floor -70 dB."""
    size = int(ATTACK_SECONDS * SAMPLE_RATE_HZ)
    power = np.square(audio[: len(audio) // size * size].reshape(-1, size), dtype=np.float64).mean(axis=1)
    return (10.0 * np.log10(power + 1e-7)).astype(np.float32)


def mean_mfcc(audio: Array) -> Array:
    """Mean cepstral coefficients 1 to 19 of the 80 mel bands [19]: timbre, whatever the level."""
    levels = mel_levels(audio).mean(dim=0).numpy()
    bands = (np.arange(len(levels)) + 0.5) / len(levels)
    return np.asarray(np.cos(np.pi * np.arange(1, 20)[:, None] * bands) @ levels, np.float32)
