"""A stem taken out of a mix of instruments by a separator, which runs in a process of the engine's side.

    mix.wav --python -m engine.checkpoints.separate--> stem.wav      (htdemucs: drums, bass, other, vocals)

It is used for models that cannot be asked for instruments by name. The result is repeatable on one machine.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bridge.ring.form import Audio
from plugin_host.takes.errors import TakeError
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.stems.lanes import WORDS, Lane

HTDEMUCS = "htdemucs"
HOW_TO_INSTALL = "pip install 'segue[separation]'"
_MODULE = "engine.checkpoints.separate"
_SECONDS_MAX = 3600


def missing() -> str:
    """Why no stem can be taken out of a mix here, or empty if it can; asks the engine's side once.  [main]"""
    if importlib.util.find_spec("demucs") is None:
        return f"the package demucs is not installed ({HOW_TO_INSTALL})"
    return _run(["--check"])


def separated(mixes: Sequence[Audio], rate_hz: int, kind: str) -> list[Audio]:
    """The stem of this kind of each mix [n, channels]; TakeError if the separator fails.  [main]"""
    import soundfile

    with tempfile.TemporaryDirectory(prefix="segue-") as name:
        folder, pairs = Path(name), list[Path]()
        for number, mix in enumerate(mixes):
            pairs += [folder / f"mix-{number}.wav", folder / f"stem-{number}.wav"]
            soundfile.write(pairs[-2], mix, rate_hz, "FLOAT")
        fault = _run([kind, *map(str, pairs)])
        if fault:
            raise TakeError(f"no stem can be taken out of the mix: {fault}")
        found = [soundfile.read(path, dtype="float32", always_2d=True)[0] for path in pairs[1::2]]
    return [np.resize(stem, mix.shape) if stem.shape != mix.shape else stem
            for stem, mix in zip(found, mixes, strict=True)]  # fmt: skip


def _run(arguments: list[str]) -> str:
    """Run the separator; its last line of errors if it fails, else empty."""
    command = [sys.executable, "-m", _MODULE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_MAX)  # noqa: S603 - our own module
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"it ended with {done.returncode}")


def as_stem(recipe: Recipe, audio: Audio) -> Audio:
    """The audio of a recipe as its stem: separated and at the level that its recipe says.  [main]"""
    stem = recipe.stem
    if stem.separated and stem.lane in WORDS:
        (audio,) = separated([audio], recipe.rate_hz, Lane(stem.lane, "").kind)
    return audio * np.float32(10 ** (stem.gain_db / 20)) if stem.gain_db else audio
