"""Rows of form: density, level and sections over two minutes, beside real pieces. All of it [main]."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.train.evaluation.form import density_change, level_change_db, novelty
from engine.train.evaluation.study import Study
from engine.train.metrics import Array
from engine.train.parts.part_set import composed
from engine.train.render import SAMPLE_RATE_HZ, TARGET_RMS, level_to
from engine.train.render_set import HELD_OUT

FORM_SECONDS = 120.0
FORM_SEED = HELD_OUT + 9000
LEAST_SECONDS = 48.0
NEAR = 0.3
MEASURES: tuple[tuple[str, Callable[[Array], float], bool], ...] = (
    ("density's change, attacks a second", density_change, False),
    ("level's change, dB", level_change_db, False),
    ("novelty at sections' boundaries, dB", novelty, True),
)


def real_piece(seed: int, seconds: float) -> Array:
    """A held-out piece with sections, all its stems, at the level of the training set."""
    made = composed(seed, random.Random(seed), seconds, looped=False)
    mix = np.sum([stem.audio for stem in made.stems], axis=0)
    return np.asarray(level_to(mix, TARGET_RMS)[: int(seconds * SAMPLE_RATE_HZ)], np.float32)


def form_rows(study: Study) -> None:
    """The first two minutes of the long streams, real pieces of the same length, and these through the codec."""
    long = [answer.audio[: int(FORM_SECONDS * SAMPLE_RATE_HZ)] for answer in study.answers("long")]
    seconds = min(len(audio) for audio in long) / SAMPLE_RATE_HZ
    if seconds < LEAST_SECONDS:
        raise ValueError(f"form needs streams of {LEAST_SECONDS:g} s, got {seconds:.0f}: give --long-seconds")
    real = [real_piece(FORM_SEED + n, seconds) for n in range(len(long))]
    group, put = f"form over {seconds / 60:g} minutes", study.report
    for what, measure, judged in MEASURES:
        ours, theirs = (np.array([measure(audio) for audio in each]) for each in (long, real))
        put.mean(group, f"{what}, real pieces", theirs.tolist(), note="what is to be reached")
        put.mean(group, f"{what}, output", ours.tolist())
        share = Share(ours, theirs)
        put.of(group, f"{what}, output over real", len(long), share)
        if judged:
            put.of(group, f"{what}, how far that is from 1", len(long), share.off, "<=", NEAR)


@dataclass(frozen=True)
class Share:
    """The means of some streams over those of as many real pieces."""

    ours: Array
    theirs: Array

    def __call__(self, at: Sequence[int]) -> float:
        """1 is as much."""
        return float(self.ours[list(at)].mean() / (self.theirs[list(at)].mean() + 1e-9))

    def off(self, at: Sequence[int]) -> float:
        """0 is as much."""
        return abs(1.0 - self(at))
