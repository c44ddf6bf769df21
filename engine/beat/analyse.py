"""Analysis of a region: tempo, beats, bar lines, key; each with its confidence.

    python -m engine.beat.analyse GIVEN_BPM BEATS_PER_BAR HINT_BPM NICE     float32 at 32 kHz in, JSON out

`analyse_apart` runs it in its own process: no music waits for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from engine.beat import onsets
from engine.beat.estimate import Floats
from engine.beat.key import HOP_SAMPLES, WINDOW_SAMPLES, find_key, pitch_classes
from engine.beat.onsets import RATE_HZ
from engine.beat.tempo import Tempo, find_tempo

SECONDS_MOST = 60  # analysed at most, from the beginning
APART_SECONDS = 60.0
NICE = 10
BARS_SECONDS, BEATS_SECONDS, HINT_SECONDS = 0.025, 0.008, 0.03  # tolerances at the end of a region
EXACT_SHARE = 0.01  # largest change of the tempo by these, as a share
QUIET = 0.003  # share of the peak: lower samples at either end are padding
AFTER_SECONDS = 0.04  # an onset this near to a bar line is on it
BEGINS = 0.3  # share of the strongest onsets: weaker ones do not count
START_BONUS = 0.3  # music is usually cut on a bar line


@dataclass(frozen=True)
class RegionBeat:
    """A region's tempo (0: none detected), its beats, the first beat and the first bar line in beats from its start,
    key ("" for none); confidences 0 to 1.

    `rivals` are tempos at least a tenth as likely as `bpm`, likeliest first; `bpm_sure` is the odds that they leave. If
    the song's tempo decided, a rival may be likelier than `bpm`. `tail_beats` are the beats after the last whole bar if
    no onset is in them, else those after the last whole beat.  [any]
    """

    bpm: float = 0.0
    bpm_sure: float = 0.0
    beats: float = 0.0
    first_beat: float = 0.0
    first_bar: float = 0.0
    bar_sure: float = 0.0
    key: str = ""
    key_sure: float = 0.0
    rivals: tuple[float, ...] = ()
    tail_beats: float = 0.0


def analyse(
    mono: NDArray[np.float32], given_bpm: float = 0.0, beats_per_bar: float = 4.0, hint_bpm: float = 0.0
) -> RegionBeat:
    """Analyse audio [n] at 32 kHz; `given_bpm` above 0 is its given tempo, `hint_bpm` above 0 the tempo of its song: if
    the detected tempo is a simple ratio of the song's, which explains the onsets, the region gets the song's.  [any]
    """
    audio = np.asarray(mono[: SECONDS_MOST * RATE_HZ], np.float64)
    classes = pitch_classes(audio)
    key, key_sure = find_key(classes)
    banded = onsets.banded(audio)
    seconds = len(mono) / RATE_HZ
    tempo = find_tempo(banded, seconds, given_bpm, beats_per_bar, hint_bpm)
    if tempo is None:
        return RegionBeat(key=key, key_sure=key_sure)
    bpm = _exact(tempo.bpm, _lengths(mono), beats_per_bar, hint_bpm)
    first_beat = (tempo.first_seconds * bpm / 60.0 + 0.05) % 1.0 - 0.05  # a cut right after an onset counts as on it
    bar, bar_sure = _bar(banded[0], classes, Tempo(bpm, first_beat * 60.0 / bpm, 1.0), beats_per_bar)
    beats, first_bar = seconds * bpm / 60.0, first_beat + bar
    tail = _tail(banded[0], bpm, beats, first_bar, beats_per_bar)
    at = (max(first_beat, 0.0), max(first_bar, 0.0))
    return RegionBeat(bpm, tempo.confidence, beats, *at, bar_sure, key, key_sure, tempo.rivals, tail)


def _lengths(mono: NDArray[np.float32]) -> tuple[float, ...]:
    """The length of a region in seconds: in all, without padding at the end, without padding at either end."""
    loud = np.abs(mono)
    sounds = np.flatnonzero(loud > QUIET * loud.max(initial=0.0))
    first, end = (int(sounds[0]), int(sounds[-1]) + 1) if len(sounds) else (0, len(mono))
    return len(mono) / RATE_HZ, end / RATE_HZ, (end - first) / RATE_HZ


def _exact(bpm: float, lengths: tuple[float, ...], beats_per_bar: float, hint_bpm: float) -> float:
    """The exact tempo for a detected one: the nearest at which the region holds whole bars or beats, or the song's, if
    either is within some milliseconds at its end; else the detected one.
    """
    options = [(hint_bpm, HINT_SECONDS)] if hint_bpm > 0 else []
    for seconds in lengths:
        for unit, slack in ((beats_per_bar, BARS_SECONDS), (1.0, BEATS_SECONDS)):
            count = round(seconds * bpm / 60.0 / unit)
            options += [(count * unit * 60.0 / seconds, slack)] if count else []
    near = [(abs(each / bpm - 1.0), each) for each, slack in options if _is_near(each, bpm, slack / lengths[0])]
    return min(near)[1] if near else bpm


def _is_near(bpm: float, other: float, share: float) -> bool:
    return abs(bpm / other - 1.0) < min(share, EXACT_SHARE)


def _tail(strengths: Floats, bpm: float, beats: float, first_bar: float, beats_per_bar: float) -> float:
    """Beats after the last whole bar, if no onset is in them, else after the last whole beat."""
    slack = BARS_SECONDS * bpm / 60.0
    bars = np.floor((beats - first_bar + slack) / beats_per_bar)
    if bars < 1:
        return 0.0
    end = first_bar + bars * beats_per_bar
    seconds = end * 60.0 / bpm + AFTER_SECONDS
    behind = strengths[max(0, int((seconds * RATE_HZ - onsets.CENTRE_SAMPLES) / onsets.HOP_SAMPLES)) :]
    if behind.max(initial=0.0) > BEGINS * np.percentile(strengths, 99.5):
        end += np.floor(beats - end + slack)
    return float(max(beats - end, 0.0))


def _bar(strengths: Floats, classes: Floats, tempo: Tempo, beats_per_bar: float) -> tuple[int, float]:
    """The beat that begins a bar, counted from the first, and its confidence: harmony changes, most onsets."""
    per_bar = round(beats_per_bar)
    beat = 60.0 / tempo.bpm
    count = int((len(strengths) * onsets.HOP_SAMPLES / RATE_HZ - tempo.first_seconds) / beat)
    if per_bar < 2 or count < 2 * per_bar:
        return 0, 0.0
    times = max(tempo.first_seconds, 0.0) + beat * np.arange(count)
    loud = np.array([_most(strengths, time) for time in times])
    changes = np.array([_change(classes, time, beat) for time in times])
    score = _even(loud) + 2.0 * _even(changes)
    sums = np.array([score[place::per_bar].mean() for place in range(per_bar)])
    sums[0] += START_BONUS * (tempo.first_seconds < 0.1 * beat)
    order = np.argsort(sums)[::-1]
    return int(order[0]), float(np.clip((sums[order[0]] - sums[order[1]]) / 2.0, 0.0, 1.0))


def _most(strengths: Floats, time: float) -> float:
    place = int((time * RATE_HZ - onsets.CENTRE_SAMPLES) / onsets.HOP_SAMPLES)
    return float(strengths[max(place - 8, 0) : place + 9].max(initial=0.0))


def _change(classes: Floats, time: float, beat: float) -> float:
    """How much the harmony after a beat differs from that before it, 0 to 1."""

    def detected(first: float, last: float) -> Floats:
        rows = [(seconds * RATE_HZ - WINDOW_SAMPLES / 2) / HOP_SAMPLES for seconds in (first, last)]
        low = int(np.clip(np.ceil(rows[0]), 0, len(classes) - 1))
        part = classes[low : max(int(rows[1]), low) + 1].sum(axis=0)
        return np.asarray(part / (np.linalg.norm(part) + 1e-9))

    if time < beat:
        return 0.5
    return float(1.0 - detected(time - beat, time) @ detected(time, time + beat))


def _even(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / (values.std() + 1e-9))


def analyse_apart(
    mono: NDArray[np.float32],
    given_bpm: float = 0.0,
    beats_per_bar: float = 4.0,
    hurry: bool = False,
    hint_bpm: float = 0.0,
) -> RegionBeat:
    """`analyse` in its own process, at low priority unless a user waits.

    Raises OSError or subprocess.SubprocessError if that fails.  [regions]
    """
    command = [
        sys.executable,
        "-m",
        __name__,
        repr(float(given_bpm)),
        repr(float(beats_per_bar)),
        repr(float(hint_bpm)),
        str(0 if hurry else NICE),
    ]
    data = np.ascontiguousarray(mono[: SECONDS_MOST * RATE_HZ], np.float32).tobytes()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    done = subprocess.run(  # noqa: S603 - this program itself
        command, input=data, capture_output=True, timeout=APART_SECONDS, env=environment, check=True
    )
    found = json.loads(done.stdout)
    return RegionBeat(**{**found, "rivals": tuple(found["rivals"])})


def main() -> None:
    """The separate process.  [any]"""
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[4]))
    mono = np.frombuffer(sys.stdin.buffer.read(), np.float32)
    print(json.dumps(asdict(analyse(mono, *(float(each) for each in sys.argv[1:4])))))


if __name__ == "__main__":
    main()
