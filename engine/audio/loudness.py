"""Loudness of audio, and normalisation before it is written.

Loudness is ITU-R BS.1770-4's as torchaudio computes it (each of its two filters limits its output to +-1, which
affects only very loud audio). Strategies, defaults and limits are audiocraft's. C channels, n samples.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from engine.errors import AudioError
from engine.system.optional_library import needed

STRATEGIES = ("peak", "clip", "rms", "loudness", "none")
QUIETEST_RMS = 2e-3  # quieter audio is not normalised
BLOCK_SECONDS = 0.4


def loudness_lufs(wav: Tensor, sample_rate: int) -> float:
    """Loudness of [C, n] in LUFS; NaN or -infinity for silence.  AudioError for fewer than 0.4 s.  [any]"""
    with needed("measuring loudness"):
        from torchaudio.functional import loudness

    if wav.shape[-1] < round(BLOCK_SECONDS * sample_rate):
        seconds = wav.shape[-1] / sample_rate
        raise AudioError(f"loudness is measured over {BLOCK_SECONDS} s, this audio has only {seconds:.3f} s")
    if wav.shape[0] > 5:
        raise AudioError(f"loudness is measured for 1 to 5 channels, this audio has {wav.shape[0]}")
    return float(loudness(wav, sample_rate))


def normalize_loudness(
    wav: Tensor, sample_rate: int, loudness_headroom_db: float = 14.0, loudness_compressor: bool = False
) -> Tensor:
    """[C, n] brought to -`loudness_headroom_db` LUFS, not clipped; `loudness_compressor` bends peaks by tanh.

    Audio near silence is returned unchanged.  Raises AudioError.  [any]
    """
    if float(wav.pow(2).mean().sqrt()) < QUIETEST_RMS:
        return wav
    measured = loudness_lufs(wav, sample_rate)
    if not math.isfinite(measured):
        return wav
    louder = wav * 10.0 ** ((-loudness_headroom_db - measured) / 20.0)
    return torch.tanh(louder) if loudness_compressor else louder


def normalize_audio(
    wav: Tensor,
    normalize: bool = True,
    strategy: str = "peak",
    peak_clip_headroom_db: float = 1.0,
    rms_headroom_db: float = 18.0,
    loudness_headroom_db: float = 14.0,
    loudness_compressor: bool = False,
    log_clipping: bool = False,
    sample_rate: int | None = None,
    stem_name: str | None = None,
) -> Tensor:
    """[C, n] ready to be written, within +-1.

    "peak" scales the largest sample to -`peak_clip_headroom_db`, "clip" cuts there, "rms" scales the mean of the
    channels, "loudness" the loudness (needs `sample_rate`); these two are then cut at +-1. Without `normalize` peak
    and rms only ever make it quieter. "none" (or "") leaves audio within +-1 unchanged.  Raises ValueError
    for another strategy, AudioError.  [any]
    """
    if wav.numel() == 0 or not torch.isfinite(wav).all():
        raise AudioError("audio is empty" if wav.numel() == 0 else "audio holds NaN or infinity")
    if strategy == "peak":
        return _scaled(wav, float(wav.abs().max()), peak_clip_headroom_db, normalize)
    if strategy == "clip":
        limit = 10.0 ** (-peak_clip_headroom_db / 20.0)
        return wav.clamp(-limit, limit)
    if strategy == "rms":
        scaled = _scaled(wav, float(wav.mean(dim=0).pow(2).mean().sqrt()), rms_headroom_db, normalize)
        return _cut(scaled, log_clipping, stem_name)
    if strategy == "loudness":
        if sample_rate is None:
            raise ValueError("strategy 'loudness' needs the sample_rate")
        louder = normalize_loudness(wav, sample_rate, loudness_headroom_db, loudness_compressor)
        return _cut(louder, log_clipping, stem_name)
    if strategy not in ("", "none"):
        raise ValueError(f"strategy is {strategy!r}, must be one of {', '.join(STRATEGIES)}")
    if float(wav.abs().max()) >= 1.0:
        raise AudioError(f"audio reaches {float(wav.abs().max()):.3f}; strategy 'none' takes what stays below 1")
    return wav


def _scaled(wav: Tensor, level: float, headroom_db: float, normalize: bool) -> Tensor:
    """Scaled so that `level` comes to -`headroom_db`; silence stays silence."""
    if level == 0.0:
        return wav
    factor = 10.0 ** (-headroom_db / 20.0) / level
    return wav * factor if normalize or factor < 1.0 else wav


def _cut(wav: Tensor, report: bool, name: str | None) -> Tensor:
    """Cut at +-1, with a warning that says how much."""
    share = float((wav.abs() > 1.0).float().mean())
    if report and share > 0.0:
        what = name or "audio"
        peak = float(wav.abs().max())
        warnings.warn(f"{what}: {share:.2%} of the samples are cut at +-1, the peak was {peak:.2f}", stacklevel=4)
    return wav.clamp(-1.0, 1.0)
