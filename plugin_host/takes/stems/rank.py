"""The order of variations by their stems' figures; every part of the score is shown. All of it [any].

    part      of a stem                                                      weight
    purity    as measured                                                       3
    key       share of transpositions that fit worse; drums have none           2
    grid      clarity, less 1 for 40 ms off the beat                            2
    level     1; a half if its level had to be changed; 0 for silence           1
    silence   share of bars that sound                                          1
    repeats   share of bars that are new, a half at least                       1

A variation's score is the mean of its stems', its weakest stem counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from plugin_host.takes.stems.figures import SILENT_DB, Figures

WEIGHTS: Mapping[str, float] = {"purity": 3, "key": 2, "grid": 2, "level": 1, "silence": 1, "repeats": 1}
LATE_MS = 40.0


def parts_of(figures: Figures, changed: bool) -> dict[str, float]:
    """The parts of a stem's score, 0 to 1, of those that it has; `changed`: the guard changed its level."""
    if figures.level_db <= SILENT_DB:
        return dict.fromkeys(WEIGHTS, 0.0)
    parts = {
        "purity": figures.purity,
        "key": figures.key,
        "grid": max(0.0, figures.clarity - abs(figures.late_ms) / LATE_MS),
        "level": 0.5 if changed else 1.0,
        "silence": 1.0 - figures.silence,
        "repeats": 1.0 - figures.repeats / 2,
    }
    return {name: value for name, value in parts.items() if not math.isnan(value)}


def stem_score(figures: Figures, changed: bool) -> float:
    """A stem's score, 0 to 1."""
    parts = parts_of(figures, changed)
    return sum(WEIGHTS[name] * value for name, value in parts.items()) / sum(WEIGHTS[name] for name in parts)


def variation_score(stems: Sequence[float]) -> float:
    """A variation's score from its stems' scores."""
    return (sum(stems) + min(stems)) / (len(stems) + 1)


def ranked(scores: Mapping[int, float]) -> list[int]:
    """Numbers of variations, the best first; equal ones in their order."""
    return sorted(scores, key=lambda number: (-scores[number], number))
