"""The choice among several continuations: on the beat, without faults, as loud as the music before."""

from __future__ import annotations

import numpy as np

from engine.listen.beat import Beats, share_on_grid
from engine.listen.faults import Verdict
from engine.listen.features import Audio

FREE_DB = 3.0  # a stretch may be this much louder or softer than the previous one
PER_DB = 0.02  # cost of each further dB, in shares of the beat
FAULT = 1.0  # cost of a sure fault: more than any beat is worth


def worth(
    before: Audio, audio: Audio, sample_rate_hz: int, beats_at: Beats | None, verdict: Verdict | None = None
) -> float:
    """The score of audio [n] after `before` [m] (both mono); seconds for `beats_at` count from its first sample.

    `beats_at` None: without a grid the other criteria decide.  [any]
    """
    found = 0.0
    if beats_at is not None:
        lead_seconds = len(before) / sample_rate_hz
        found = share_on_grid(np.concatenate([before, audio]), sample_rate_hz, lambda at: beats_at(at - lead_seconds))
    if len(before) and len(audio):
        off = abs(_level_db(audio) - _level_db(before))
        found -= PER_DB * max(0.0, off - FREE_DB)
    return found - (FAULT * verdict.sure if verdict is not None else 0.0)


def best(worths: list[float]) -> int:
    """The index of the best score, the first of equal ones.  [any]"""
    return int(np.argmax(worths))


def _level_db(audio: Audio) -> float:
    return 10.0 * float(np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-9))
