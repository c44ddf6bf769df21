"""Held-out recordings: nine loops of Debian's sonic-pi-samples (CC0), which nothing in Segue was trained on.

All of it [main].
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.audio.audio_file import audio_read
from engine.audio.convert import resample
from engine.conditions.embedded import TRAINED_RMS
from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.errors import UnsupportedError
from engine.train.metrics import Array

FOLDER = Path("/usr/share/sonic-pi/samples")
HELP = "the recorded loops are not here: apt install sonic-pi-samples"
NAMES = ("breakbeat", "compus", "drone_g_97", "electric", "garzul", "industrial", "mika", "safari", "tabla")


@dataclass(frozen=True)
class Loop:
    """A recorded loop, mono at the model's rate and the loudness of its training set, repeated to a length."""

    name: str
    audio: Array


def recorded_loops(seconds: float, folder: Path = FOLDER) -> list[Loop]:
    """The nine loops, each repeated or cut to `seconds`.  UnsupportedError says what to install.  [any]"""
    paths = [folder / f"loop_{name}.flac" for name in NAMES]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise UnsupportedError(f"{HELP} (missing in {folder}: {', '.join(missing)})")
    return [Loop(name, _read(path, int(seconds * SAMPLE_RATE_HZ))) for name, path in zip(NAMES, paths, strict=True)]


def _read(path: Path, n_samples: int) -> Array:
    audio, rate_hz = audio_read(path)
    mono = resample(audio.mean(dim=0, keepdim=True), rate_hz, SAMPLE_RATE_HZ)[0].numpy()
    whole = np.resize(mono, n_samples)
    rms = float(np.sqrt(np.square(whole, dtype=np.float64).mean()))
    return torch.from_numpy(whole * (TRAINED_RMS / rms)).float().numpy()
