"""The tempo of music: the likeliest candidate, and its confidence.

Every candidate's figures are weighted (`tempo_weights`) and normalised to odds: half and double time, straight and
ternary rhythm compete, and the odds of rivals reduce the confidence. Prior knowledge counts too: the song's tempo is a
hint that raises the odds, and decides if the detected tempo is at a simple ratio of it; a given tempo counts more.

librosa's tracker was tried: it was off by 3:2, 4:3 or 1 to 2 % on a third of the pieces, and takes 30 s and 430 MB the
first time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.beat.candidates import FASTEST_BPM, SLOWEST_BPM, Candidate, candidates, explained
from engine.beat.estimate import NOTHING_FIT, SURE_FIT, Floats
from engine.beat.onsets import HOP_SAMPLES, RATE_HZ
from engine.beat.tempo_weights import WEIGHTS

SHORTEST_SECONDS = 2.0
NEAR = 0.02  # a tempo this near to a hint or given tempo equals it
SIMPLE = (1.0, 2.0, 1 / 2, 3 / 2, 2 / 3, 4 / 3, 3 / 4, 3.0, 1 / 3)  # ratios of a detected tempo to the hint
HINT_ODDS, GIVEN_ODDS = 3.0, 5.0  # logarithms: prior odds of a hint and of a given tempo
EXPLAINS = 0.75  # share of the onsets that the detected tempo explains, which a hint must explain
AS_GOOD = 0.8  # share of the best fit that a given tempo must reach
CUT_SECONDS = 0.025  # a region that ends this near to a beat was cut on it
RIVAL = 0.1  # share of the chosen tempo's odds
RIVALS = 3
ONSET = 0.15  # the strongest onset of music is above it; steady tones, whose partials beat evenly, reach 0.12
BEAT = 0.3  # least clarity of a beat, 0 to 1, to have a tempo


@dataclass(frozen=True)
class Tempo:
    """Beats a minute, time of the first beat, confidence 0 to 1, and rivals, likeliest first.  [any]"""

    bpm: float
    first_seconds: float
    confidence: float
    rivals: tuple[float, ...] = ()


def find_tempo(
    banded: Floats, seconds: float, given_bpm: float = 0.0, beats_per_bar: float = 4.0, hint_bpm: float = 0.0
) -> Tempo | None:
    """The tempo of a region of `seconds` with onset strengths [4, n]; None if none is detected.

    `given_bpm` above 0 is its given tempo: if it fits nearly as well as the best, it is used (and refined). `hint_bpm`
    above 0 is the tempo of its song.  [any]
    """
    detected = banded.shape[1] * HOP_SAMPLES / RATE_HZ
    if detected < SHORTEST_SECONDS or not banded[0].max(initial=0.0) > ONSET:
        return None
    given, hint = (_within(bpm) for bpm in (given_bpm, hint_bpm))
    found = candidates(banded, seconds, beats_per_bar, tuple(bpm for bpm in (given, hint) if bpm))
    bpms = np.array([each.bpm for each in found])
    scores = np.stack([each.figures for each in found]) @ WEIGHTS
    odds = scores + HINT_ODDS * _near(bpms, hint) + GIVEN_ODDS * _near(bpms, given)
    best = int(odds.argmax())
    for said in (hint, given):
        best = _meant(banded[0], bpms, scores, said, best, (seconds, beats_per_bar))
    best = _given_near(found, bpms, given, best)
    share = np.exp(odds - odds.max())
    share /= share.sum()
    beat = float(np.clip((max(each.fit for each in found) - NOTHING_FIT) / (SURE_FIT - NOTHING_FIT), 0.0, 1.0))
    order = [place for place in np.argsort(share)[::-1] if place != best and share[place] > RIVAL * share[best]]
    rivals = tuple(float(bpms[place]) for place in order[:RIVALS])
    if beat < BEAT:
        return None
    return Tempo(float(bpms[best]), found[best].first_seconds, beat * float(share[best]), rivals)


def _within(bpm: float) -> float:
    """A tempo moved by octaves into the searched range; 0 for none."""
    if not bpm > 0:
        return 0.0
    while bpm > FASTEST_BPM:
        bpm /= 2.0
    while bpm < SLOWEST_BPM:
        bpm *= 2.0
    return bpm


def _near(bpms: Floats, bpm: float) -> Floats:
    """1 for tempos that equal `bpm`, else 0."""
    return np.asarray(np.abs(np.log(bpms / bpm)) < NEAR, np.float64) if bpm else np.zeros(len(bpms))


def _meant(strengths: Floats, bpms: Floats, scores: Floats, said: float, best: int, cut: tuple[float, float]) -> int:
    """Index of the tempo `said`, if it is at a simple ratio of the detected one and explains the onsets, else `best`.

    Also `best` if the region was cut (`cut`: its seconds, beats in a bar) to its bars and to no beat of `said`.
    """
    near = _near(bpms, said) > 0
    simple = said and any(abs(np.log(bpms[best] / (said * ratio))) < NEAR for ratio in SIMPLE)
    if near[best] or not simple or not near.any():
        return best
    place = int(np.where(near, scores, -np.inf).argmax())
    detected, meant = float(bpms[best]), float(bpms[place])
    seconds, beats_per_bar = cut
    if _is_whole(seconds * detected / 60.0, detected, beats_per_bar) and not _is_whole(
        seconds * meant / 60.0, meant, 1.0
    ):
        return best
    return place if explained(strengths, meant) >= EXPLAINS * explained(strengths, detected) else best


def _is_whole(beats: float, bpm: float, unit: float) -> bool:
    return abs(beats / unit - round(beats / unit)) * unit * 60.0 / bpm < CUT_SECONDS


def _given_near(found: list[Candidate], bpms: Floats, given: float, best: int) -> int:
    """Index of the given tempo, if its pattern fits nearly as well as that of the best; else `best`."""
    near = _near(bpms, given) > 0
    fits = np.where(near, [each.fit for each in found], -np.inf)
    return int(fits.argmax()) if near.any() and fits.max() >= AS_GOOD * found[best].fit else best
