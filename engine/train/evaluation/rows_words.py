"""Rows of words and style: whether output matches its text and style. Classifiers train on real renders only.

All of it [main].
"""

from collections.abc import Sequence

import numpy as np

from engine.train import metrics
from engine.train.evaluation import nearness
from engine.train.evaluation.classify import Linear
from engine.train.evaluation.pieces import shuffled
from engine.train.evaluation.study import Study
from engine.train.metrics import Array


def text_rows(study: Study) -> None:
    """Genre and instrument: named right on real music (ceiling), on output, and by chance."""
    real = study.real
    genres = Linear(real.timbre, real.genres)
    _named(study, "genre", genres, [held.genre for held in study.pieces])
    families = Linear(real.timbre, real.families)
    _named(study, "instrument", families, [held.family for held in study.pieces])


def _named(study: Study, group: str, judge: Linear, asked: list[str]) -> None:
    """Rows of one judge."""
    put, other = study.report.mean, shuffled(len(asked))
    timbres = [np.stack([metrics.timbre(audio) for audio in some]) for some in (study.originals, study.sounds(group))]
    original, heard = (judge.named(features) for features in timbres)
    chance = 1.0 / len(judge.names)
    put(
        group, "named right on originals", [float(a == b) for a, b in zip(original, asked, strict=True)], note="ceiling"
    )
    right = [float(a == b) for a, b in zip(heard, asked, strict=True)]
    if group == "genre":
        put(group, f"named right on output (chance {chance:.3f})", right, ">=", round(5 * chance, 3))
    else:
        put(group, f"named right on output (chance {chance:.3f})", right)
    crossed = [float(a == asked[other[i]]) for i, a in enumerate(heard)]
    put(group, "named as another asked", crossed, note="control")
    known = judge.log_probabilities(timbres[1])
    columns = [judge.names.index(name) if name in judge.names else -1 for name in asked]
    lead = [float(known[i, c] - known[i, columns[other[i]]]) for i, c in enumerate(columns)
            if c >= 0 and columns[other[i]] >= 0]  # fmt: skip
    put(group, "log-probability of the asked over another asked", lead)


def style_rows(study: Study) -> None:
    """Whose excerpt was it? Retrieval among all pieces by an independent network, and the timbre's distance."""
    excerpts = [nearness.embeddings(audio).mean(0) for audio in study.originals]
    outs = [nearness.embeddings(audio).mean(0) for audio in study.sounds("style")]
    rest = [nearness.embeddings(held.mix(4.0, 8.0)).mean(0) for held in study.pieces]
    unasked = [nearness.embeddings(audio).mean(0) for audio in study.sounds("onward")]
    chance = 1.0 / len(excerpts)
    put = study.report.mean
    put("style", "own excerpt found by the same piece later on", found(rest, excerpts, study), note="ceiling")
    goal = f"own excerpt found by output (chance {chance:.3f})"
    put("style", goal, found(outs, excerpts, study), ">=", round(5 * chance, 3))
    other = shuffled(len(outs))
    crossed = found(outs, [excerpts[index] for index in other], study)
    put("style", "another's excerpt found by output", crossed, note="control")
    put("style", "own excerpt found by music that goes on from the piece", found(unasked, excerpts, study))


def found(asked: Sequence[Array], among: Sequence[Array], study: Study) -> list[float]:
    """For each embedding 1 where the one of the same number is the nearest (cosine, in real standard deviations)."""
    every = np.concatenate(study.real.embedded)
    mean, spread = every.mean(0), every.std(0) + 1e-6
    a, b = ((np.stack(some) - mean) / spread for some in (asked, among))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return [float(row == index) for index, row in enumerate((a @ b.T).argmax(axis=1))]
