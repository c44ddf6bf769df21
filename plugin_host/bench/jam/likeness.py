"""Whether an answer repeats what the player has just played: compared with a straight repeat of it.

    player's turn --> worn: late, softer, duller, noise --> likeness of a straight repeat
                |                                           by chroma and by onsets
                +---> Segue's answer ---------------------> likeness of the answer

An answer of the same key and beat is like the turn in either, but less than a repeat is. [any]
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bridge.ring.form import Audio
from plugin_host.bench.jam.figures import Recording
from plugin_host.bench.jam.rows import JamRow
from plugin_host.jam.listening.features import chroma_likeness, onset_likeness

WHOLE_SHARE = 0.9  # of a turn in which the player sounds, so that an answer to it is compared
FRAME_SECONDS, SILENT_DB = 0.25, -50.0  # of that
REPEAT_SHARE = 0.95  # of a straight repeat's likeness, from which an answer counts as a repeat
WORN_SECONDS, WORN_GAIN, WORN_NOISE_DB, WORN_TAPS = 0.02, 0.5, -20.0, 9  # of a straight repeat


@dataclass(frozen=True)
class AnswerLikeness:
    """How like the player's last turn an answer is, and how like it a straight repeat is, by chroma and by onsets."""

    chroma: float
    onsets: float
    repeat_chroma: float
    repeat_onsets: float

    @property
    def unlike(self) -> bool:
        """Whether it is less like that turn than a straight repeat, by both.  [any]"""
        return self.chroma < REPEAT_SHARE * self.repeat_chroma and self.onsets < REPEAT_SHARE * self.repeat_onsets


def worn(audio: Audio, rate_hz: int) -> Audio:
    """A straight repeat [n, c] as a model may make one: a little late, softer, duller, with noise.  [any]"""
    late, window = round(WORN_SECONDS * rate_hz), np.hanning(WORN_TAPS + 2)[1:-1]
    dull = np.stack([np.convolve(each, window / window.sum(), "same") for each in audio.T], axis=1)
    repeat = np.concatenate([np.zeros((late, audio.shape[1])), dull])[: len(audio)]
    noise = np.random.default_rng(0).standard_normal(repeat.shape)
    loud = float(np.sqrt(np.square(repeat).mean()))
    return (WORN_GAIN * (repeat + loud * 10 ** (WORN_NOISE_DB / 20) * noise)).astype(np.float32)


def answers_likeness(jam: Recording) -> list[AnswerLikeness]:
    """The likeness of each answer to a turn in which the player sounds all the time.  [any]"""
    found, rate = [], jam.rate_hz
    for before, turn in itertools.pairwise(jam.turns()):
        bars = min(turn.until - turn.bar, before.until - before.bar)
        asked = jam.span(jam.input, turn.bar - bars, turn.bar)
        if turn.phase != "playing" or _sounding_share(asked, rate) < WHOLE_SHARE:
            continue
        answer, repeat = jam.span(jam.own, turn.bar, turn.bar + bars), worn(asked, rate)
        asked = asked[: len(answer)]
        by = (chroma_likeness, onset_likeness)
        found.append(AnswerLikeness(*(like(asked, each, rate) for each in (answer, repeat) for like in by)))
    return found


def _sounding_share(audio: Audio, rate_hz: int) -> float:
    """The share of a piece's frames that are louder than silence."""
    size = int(FRAME_SECONDS * rate_hz)
    frames = [audio[at : at + size] for at in range(0, len(audio) - size + 1, size)]
    return float(np.mean([np.square(each).mean() > 10 ** (SILENT_DB / 10) for each in frames])) if frames else 0.0


def likeness_rows(found: Sequence[AnswerLikeness]) -> list[JamRow]:
    """The rows of the bench; without an answer that can be compared the goal is missed.  [any]"""
    unlike = sum(each.unlike for each in found)
    rows = [JamRow("trade: answers less like the last input than a straight repeat", unlike, "", max(1, len(found)))]
    for name, columns in (("chroma", ("chroma", "repeat_chroma")), ("onsets", ("onsets", "repeat_onsets"))):
        answers, repeats = ([getattr(each, column) for each in found] for column in columns)
        most, mean, repeat = max(answers, default=0.0), np.mean(answers or [0.0]), np.mean(repeats or [0.0])
        rows += [
            JamRow(f"trade: {name}, likeness of an answer to the last input, mean", float(mean)),
            JamRow(f"trade: {name}, the same, most", most),
            JamRow(f"trade: {name}, the same of a straight repeat, mean", float(repeat)),
        ]
    return rows
