"""Two onset detectors that share nothing with the engine: librosa's, and an onset phase of our own.

Both are late or early by a few milliseconds, depending on the sound: their bias is measured on music whose beats are
known to the sample (`bias_of`), reported with every figure, and subtracted. librosa: https://librosa.org (ISC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge.errors import SegueError
from bridge.ring.form import Audio
from plugin_host.bench.sync.recorder import Floats

RATE_HZ = 32_000  # of the analysis: the models' rate
HOP_SAMPLES = 64  # 2 ms
WINDOW_SAMPLES = 1024
CHUNK_HOPS = 10_000  # 20 s at a time: a spectrogram of five minutes would take a gigabyte
OVERLAP_HOPS = 250
BANDS_HZ = ((40, 160), (160, 640), (640, 2500), (2500, 7000), (7000, 15000))
RISE_HOPS = 5


class AnalysisError(SegueError):
    """The analysis library is missing; the message says how to get it."""

    code = "analysis"


@dataclass(frozen=True)
class Onsets:
    """Onsets: seconds into the audio, and strengths; `envelope` is the onset envelope."""

    seconds: Floats
    strength: Floats
    envelope: Floats


def librosa() -> Any:
    """The analysis library, imported on demand; AnalysisError without it.  [main]"""
    try:
        import librosa as found
    except ImportError:
        raise AnalysisError("the analysis needs librosa: pip install 'segue[sync-bench]'") from None
    return found


def at_analysis_rate(audio: Audio, rate_hz: int) -> Floats:
    """Mono at 32 kHz.  [main]"""
    import soxr

    mono = audio.mean(axis=1) if audio.ndim == 2 else audio
    return np.asarray(soxr.resample(mono, rate_hz, RATE_HZ), np.float32)


def onsets(audio: Audio, rate_hz: int) -> Onsets:
    """librosa's spectral-flux onsets of float32 [n, channels], to 2 ms.  [main]"""
    library = librosa()
    mono = at_analysis_rate(audio, rate_hz)
    envelope = _in_chunks(mono)
    reach = int(0.03 * RATE_HZ / HOP_SAMPLES)
    around = int(0.1 * RATE_HZ / HOP_SAMPLES)
    frames = library.onset.onset_detect(
        onset_envelope=envelope, sr=RATE_HZ, hop_length=HOP_SAMPLES, units="frames", wait=reach,
        pre_max=reach, post_max=reach + 1, pre_avg=around, post_avg=around + 1, delta=0.05,
    )  # fmt: skip
    return Onsets(frames * HOP_SAMPLES / RATE_HZ, envelope[frames], envelope)


def _in_chunks(mono: Floats) -> Floats:
    """Onset strength [hops], computed 20 s at a time."""
    library = librosa()
    n_hops, parts = 1 + len(mono) // HOP_SAMPLES, []
    for begin in range(0, n_hops, CHUNK_HOPS):
        first, last = max(begin - OVERLAP_HOPS, 0), min(begin + CHUNK_HOPS + OVERLAP_HOPS, n_hops)
        piece = mono[first * HOP_SAMPLES : last * HOP_SAMPLES]
        found = library.onset.onset_strength(
            y=piece, sr=RATE_HZ, hop_length=HOP_SAMPLES, n_fft=WINDOW_SAMPLES, lag=4, aggregate=np.median
        )
        parts.append(found[begin - first : begin - first + min(CHUNK_HOPS, n_hops - begin)])
    return np.asarray(np.concatenate(parts), np.float64)


def rises(audio: Audio, rate_hz: int) -> Floats:
    """Our own onset envelope: how much louder five bands get within 10 ms [hops], 2 ms apart; filters, no spectrogram.

    [main]
    """
    from scipy.signal import butter, sosfilt

    mono = at_analysis_rate(audio, rate_hz)
    n_hops = len(mono) // HOP_SAMPLES
    total, smooth = np.zeros(n_hops), butter(2, 40.0, fs=RATE_HZ / HOP_SAMPLES, output="sos")
    for low, high in BANDS_HZ:
        band = sosfilt(butter(2, (low, high), "bandpass", fs=RATE_HZ, output="sos"), mono)
        power = (band[: n_hops * HOP_SAMPLES].reshape(n_hops, HOP_SAMPLES) ** 2).mean(axis=1)
        level = np.log1p(10.0 * np.maximum(sosfilt(smooth, power), 0.0) / (power.mean() + 1e-12))
        total[RISE_HOPS:] += np.maximum(level[RISE_HOPS:] - level[:-RISE_HOPS], 0.0)
    return np.asarray(np.maximum(total - np.median(total), 0.0), np.float64)


def hop_seconds(envelope: Floats) -> Floats:
    """Seconds of the hops of an envelope.  [any]"""
    return np.asarray(np.arange(len(envelope)) * (HOP_SAMPLES / RATE_HZ), np.float64)
