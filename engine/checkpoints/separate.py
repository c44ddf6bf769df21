"""Take one stem out of mixes with htdemucs, from files to files; `segue stems` runs it as a process of its own.

    python -m engine.checkpoints.separate --check
    python -m engine.checkpoints.separate drums mix.wav stem.wav [mix.wav stem.wav ...]

Exit code 1 and a last line that says why, if the separator or its weights are missing. "other" is every instrument but
drums and bass, voices included. Source: Rouard et al. 2023. All of it [main].
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.audio.convert import resample
from engine.checkpoints.catalog import HTDEMUCS
from engine.checkpoints.find import find_here
from engine.checkpoints.htdemucs import load_htdemucs
from engine.checkpoints.opened import Opened
from engine.conditions.melody import Separator
from engine.conditions.separation import HOW_TO_INSTALL, RATE_HZ, SOURCES, installed
from engine.errors import CheckpointError, UnsupportedError

STEMS = {"drums": ("drums",), "bass": ("bass",), "other": ("other", "vocals")}


def weights_folder() -> Path:
    """The folder of the separator's weights on this machine; nothing is downloaded.

    Raises UnsupportedError if demucs is not installed, CheckpointError if there are no weights.
    """
    if not installed():
        raise UnsupportedError(f"stem separation is not installed: {HOW_TO_INSTALL}")
    folder = find_here(HTDEMUCS)
    if folder is None:
        raise CheckpointError(f"the weights of {HTDEMUCS} are not on this machine: `segue models get {HTDEMUCS}`")
    return folder


def stem_of(separator: Separator, mix: Tensor, rate_hz: int, stem: str) -> Tensor:
    """A stem of a mix [2, N] at any rate, of the same length and rate."""
    there = resample(mix, rate_hz, RATE_HZ)
    stems = separator(there[None])[0]
    picked = torch.stack([stems[SOURCES.index(name)] for name in STEMS[stem]]).sum(dim=0)
    back = resample(picked, RATE_HZ, rate_hz)[:, : mix.shape[1]]
    return torch.nn.functional.pad(back, (0, mix.shape[1] - back.shape[1]))


def separate_file(separator: Separator, source: Path, target: Path, stem: str) -> None:
    """Write a stem of a sound file as 32-bit WAV with its channels and rate."""
    import soundfile

    audio, rate_hz = soundfile.read(source, dtype="float32", always_2d=True)
    both = np.repeat(audio, 2, axis=1) if audio.shape[1] == 1 else audio[:, :2]
    found = stem_of(separator, torch.from_numpy(np.ascontiguousarray(both.T)), rate_hz, stem).numpy().T
    soundfile.write(target, found if audio.shape[1] > 1 else found.mean(axis=1), rate_hz, "FLOAT", format="WAV")


def main(arguments: list[str] | None = None) -> int:
    """Command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="say whether it can run, and do nothing")
    parser.add_argument("stem", nargs="?", choices=tuple(STEMS))
    parser.add_argument("files", nargs="*", type=Path, metavar="MIX STEM")
    asked = parser.parse_args(arguments)
    if not asked.check and (asked.stem is None or len(asked.files) % 2 or not asked.files):
        parser.error("a stem, and pairs of a mix and a target, are needed")
    try:
        folder = weights_folder()
        if asked.check:
            return 0
        separator = load_htdemucs(folder, torch.device("cpu"), Opened())
        for source, target in zip(asked.files[::2], asked.files[1::2], strict=True):
            separate_file(separator, source, target, asked.stem)
    except (CheckpointError, UnsupportedError) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
