"""Whether a join is detectable: features of the sound around a moment, and a detector trained on spliced real music:
uncut pieces against pieces followed by another moment or another piece.

All of it [main].
"""

from collections.abc import Sequence

import numpy as np

from engine.conditions.frames import SAMPLE_RATE_HZ
from engine.train.evaluation.classify import Linear
from engine.train.metrics import Array, band_levels, chroma_cosine, chroma_of

AROUND_SECONDS = 1.5
JOIN, NONE = "join", "none"


def features(audio: Array, at_sample: int) -> Array:
    """What changes at a sample [7]: spectrum over 60 ms and 1 s, level over both, chroma, rise, and a click."""
    reach = int(AROUND_SECONDS * SAMPLE_RATE_HZ)
    near = audio[at_sample - reach : at_sample + reach]
    levels = band_levels(near)
    middle = len(levels) // 2
    short, long = 6, 100
    change = [np.abs(levels[middle + 3 : middle + 3 + n].mean(0) - levels[middle - n : middle].mean(0)).mean()
              for n in (short, long)]  # fmt: skip
    loud = 10 * np.log10((10 ** (levels / 10)).sum(axis=1))
    step = [abs(loud[middle + 3 : middle + 3 + n].mean() - loud[middle - n : middle].mean()) for n in (short, long)]
    rise = np.maximum(0.0, levels[2:] - levels[:-2]).mean(axis=1)
    chroma = chroma_of(near)
    half = len(chroma) // 2
    before, after = chroma[half - 40 : half].mean(0, keepdim=True), chroma[half : half + 40].mean(0, keepdim=True)
    jumps = np.abs(np.diff(near, n=2))
    at = len(near) // 2
    click = jumps[at - 4 : at + 4].max() / (np.percentile(jumps[at - 640 : at + 640], 95) + 1e-6)
    others = np.percentile(rise, 90) + 1e-6
    return np.array([*change, *step, rise[middle - 2 : middle + 5].max() / others, 1.0 - chroma_cosine(before, after),
                     np.log(click + 0.1)], np.float32)  # fmt: skip


def joins(mixes: Sequence[Array], seed: int, each: int = 2) -> tuple[Array, list[str]]:
    """Features and labels of real music: moments where it goes on, and where something else follows."""
    rng = np.random.default_rng(seed)
    reach = int(AROUND_SECONDS * SAMPLE_RATE_HZ)
    found, labels = [], []
    for index, mix in enumerate(mixes):
        for turn in range(each):
            at, elsewhere = (int(rng.integers(reach, len(mix) - reach)) for _ in range(2))
            other = mix if turn % 2 else mixes[(index + 1) % len(mixes)]
            found += [features(mix, at), features(cut(mix, at, other, elsewhere), reach)]
            labels += [NONE, JOIN]
    return np.stack(found), labels


def cut(one: Array, at: int, other: Array, elsewhere: int) -> Array:
    """What comes before a sample of one, then what comes after a sample of the other."""
    reach = int(AROUND_SECONDS * SAMPLE_RATE_HZ)
    return np.concatenate([one[at - reach : at], other[elsewhere : elsewhere + reach]])


class Detector:
    """How sure one can be that a moment is a join."""

    def __init__(self, found: Array, labels: Sequence[str]) -> None:
        self.linear = Linear(found, labels, decay=0.1)

    def scores(self, found: Array) -> list[float]:
        """Log-odds of a join for features [n, 7]."""
        said = self.linear.log_probabilities(found)
        join = self.linear.names.index(JOIN)
        return [float(row[join] - row[1 - join]) for row in said]
