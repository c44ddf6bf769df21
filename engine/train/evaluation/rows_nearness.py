"""Rows of nearness: the distance of output from real music, by an independent network, with controls in between.

All of it [main].
"""

from collections.abc import Sequence

import numpy as np

from engine.train.evaluation.nearness import Yardstick, embeddings
from engine.train.evaluation.study import Study
from engine.train.metrics import Array

GRAIN_SAMPLES = 1600


def grains(audio: Array, seed: int) -> Array:
    """The same sound in grains of 50 ms, put together anyhow: right timbre, no music."""
    whole = audio[: len(audio) // GRAIN_SAMPLES * GRAIN_SAMPLES].reshape(-1, GRAIN_SAMPLES)
    return np.asarray(whole[np.random.default_rng(seed).permutation(len(whole))].reshape(-1))


def noise_like(audio: Array, seed: int) -> Array:
    """White noise as loud."""
    level = float(np.sqrt(np.mean(audio**2)))
    return (np.random.default_rng(seed).standard_normal(len(audio)) * level).astype(np.float32)


def nearness_rows(study: Study) -> None:
    """Distances of sets, nearest expected first, and whether that order holds."""
    yard = Yardstick(study.real.embedded)
    originals = study.originals
    sets: dict[str, tuple[list[Array], str]] = {
        "held-out renders": (originals, "floor"),
        "the same through the codec": (study.coded, "the codec's share"),
        "output told a melody": (study.sounds("melody"), ""),
        "output told a genre": (study.sounds("genre"), ""),
        "renders in shuffled grains of 50 ms": ([grains(a, i) for i, a in enumerate(originals)], "control"),
        "white noise": ([noise_like(a, i) for i, a in enumerate(originals)], "control"),
    }
    figures = []
    for name, (sounds, note) in sets.items():
        embedded = [embeddings(audio) for audio in sounds]

        def distance(some: Sequence[int], embedded: list[Array] = embedded) -> float:
            return yard.distance([embedded[i] for i in some])

        row = study.report.of("nearness", f"Frechet distance of {name}", len(sounds), distance, note=note, rounds=0)
        figures.append(row.value)
    real, coded, melody, genre, shuffled, noise = figures
    right = real < coded < noise and real < shuffled < noise and max(melody, genre) < noise
    study.report.mean("nearness", "order of the controls is as it must be", [float(right)], ">=", 1.0)
