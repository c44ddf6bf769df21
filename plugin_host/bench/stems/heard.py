"""Stems as librosa hears them: tempo, distance of the attacks from the sixteenths, key. It shares no code with ours."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plugin_host.bench.bench import FigureRow
from plugin_host.takes.stems.lanes import MIX
from plugin_host.takes.take import Take, read_take

RATE_HZ, HOP = 22_050, 64
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)  # Krumhansl and Kessler 1982
MINOR = (6.33, 2.68, 3.52, 5.38, 2.6, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
SURE_TEMPO = 0.02  # relative


def missing() -> str:
    """Why it cannot be measured here, or empty.  [main]"""
    return "" if importlib.util.find_spec("librosa") else "librosa is not installed (pip install librosa)"


def heard(folder: Path, region: Path) -> list[FigureRow]:
    """Figures over all stems in an order's folder; tonal ones are compared with the key of all mixes.  [main]

    `region` is what the stems were made of: composed music at their tempo, whose notes lie on the beat. librosa's
    attacks of instruments are later than those of clicks, on true notes, too: what it finds there is its own lateness.
    """
    paths = sorted(folder.glob("*/*.wav"))
    takes = {path: read_take(path) for path in paths}
    stems = [take for path, take in takes.items() if path.stem != MIX]
    tempi = [_tempo(take) / take.recipe.bpm for take in stems]
    right = [min(abs(ratio * by - 1) for by in (0.5, 1, 2)) < SURE_TEMPO for ratio in tempi]
    bpm = stems[0].recipe.bpm
    clicks, own = _late_ms(_clicks(bpm), bpm), _late_ms(_sound(region), bpm)
    late = [_late_ms(_mono(take), take.recipe.bpm) - own for take in stems]
    late = [value for value in late if np.isfinite(value)]
    key = np.mean([_fits(take) for path, take in takes.items() if path.stem == MIX], axis=0)
    tonal = [take for take in stems if take.recipe.stem.lane != "drums"]
    same = [_related(int(np.argmax(_fits(take))), int(np.argmax(key))) for take in tonal]
    return [
        FigureRow("librosa: stems at the tempo, its half or double", float(np.mean(right)), ""),
        FigureRow("librosa: its own lateness, on clicks", clicks, "ms"),
        FigureRow("librosa: its own lateness, on the region, whose notes lie on the beat", own, "ms"),
        FigureRow("librosa: median attack behind the sixteenths, less that", float(np.median(late)), "ms", "within 15"),
        FigureRow("librosa: the same, furthest of the stems", float(np.max(np.abs(late))), "ms"),
        FigureRow("librosa: tonal stems in the mixes' key or a fifth or relative of it", float(np.mean(same)), ""),
    ]


def _mono(take: Take) -> np.ndarray:
    import librosa

    mono = take.audio.mean(axis=1)
    return np.asarray(librosa.resample(mono, orig_sr=take.recipe.rate_hz, target_sr=RATE_HZ))


def _sound(path: Path) -> np.ndarray:
    """A sound file, mono at the rate of the analysis."""
    import librosa
    import soundfile

    audio, rate_hz = soundfile.read(str(path), dtype="float32", always_2d=True)
    return np.asarray(librosa.resample(audio.mean(axis=1), orig_sr=rate_hz, target_sr=RATE_HZ))


def _tempo(take: Take) -> float:
    import librosa

    envelope = librosa.onset.onset_strength(y=_mono(take), sr=RATE_HZ, hop_length=HOP)
    return float(np.atleast_1d(librosa.feature.tempo(onset_envelope=envelope, sr=RATE_HZ, hop_length=HOP))[0])


def _clicks(bpm: float) -> np.ndarray:
    """Four bars of a burst of noise on each beat."""
    rng, beat = np.random.default_rng(1), 60.0 / bpm * RATE_HZ
    audio = 1e-4 * rng.standard_normal(round(16 * beat))
    for number in range(16):
        at = round(number * beat)
        n = min(1200, len(audio) - at)
        audio[at : at + n] += 0.3 * rng.standard_normal(n) * np.exp(-np.arange(n) / 250)
    return audio.astype(np.float32)


def _late_ms(mono: np.ndarray, bpm: float) -> float:
    """Median distance of the attacks behind the nearest sixteenth; the music begins on a bar line."""
    import librosa

    envelope = librosa.onset.onset_strength(y=mono, sr=RATE_HZ, hop_length=HOP)
    at = librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE_HZ, hop_length=HOP, units="time")
    if not len(at):
        return float("nan")
    sixteenths = at * bpm / 15.0
    return float(np.median(sixteenths - np.round(sixteenths))) * 15_000.0 / bpm


def _fits(take: Take) -> np.ndarray:
    """How well each key fits [24]: twelve major ones from C on, twelve minor ones."""
    import librosa

    classes = librosa.feature.chroma_cqt(y=_mono(take), sr=RATE_HZ).mean(axis=1)
    profiles: Sequence[Sequence[float]] = [np.roll(p, k).tolist() for p in (MAJOR, MINOR) for k in range(12)]
    return np.array([float(np.corrcoef(profile, classes)[0, 1]) for profile in profiles])


def _related(one: int, other: int) -> bool:
    """Whether two keys share all tones or all but one: the same, relatives, a fifth apart."""
    tonic = [(key % 12 + 3) % 12 if key >= 12 else key for key in (one, other)]  # minor as its relative major
    return (tonic[0] - tonic[1]) % 12 in (0, 5, 7)
