"""What a region of music is: tempo, beats, where its bars begin, key; each with how sure that is.

    python -m engine.beat.analyse TOLD_BPM BEATS_PER_BAR NICE HINT_BPM     float32 at 32 kHz in, JSON out

`analyse_apart` runs it so, as a process of its own: no music waits for it.
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

SECONDS_MOST = 60  # that are listened to, from the beginning
APART_SECONDS = 60.0
NICE = 10
LOOP_SHARE = 0.006  # a tempo this near to one at which the region holds whole bars is that one
SURE = 0.3  # a tempo that is less sure is none
START_BONUS = 0.3  # music is mostly cut on a bar line


@dataclass(frozen=True)
class Found:
    """Of a region: tempo (0: none was heard), beats in it, the first beat and the first bar line in beats from its
    start, key ("" for none); confidences 0 to 1.  [any]
    """

    bpm: float = 0.0
    bpm_sure: float = 0.0
    beats: float = 0.0
    first_beat: float = 0.0
    first_bar: float = 0.0
    bar_sure: float = 0.0
    key: str = ""
    key_sure: float = 0.0


def analyse(
    mono: NDArray[np.float32], told_bpm: float = 0.0, beats_per_bar: float = 4.0, hint_bpm: float = 0.0
) -> Found:  # MERGE: tempo-ear's version of this file wins whole; here the hint is only passed through
    """What audio [n] at 32 kHz is; `told_bpm` above 0 is what its tempo is said to be.  [any]"""
    audio = np.asarray(mono[: SECONDS_MOST * RATE_HZ], np.float64)
    classes = pitch_classes(audio)
    key, key_sure = find_key(classes)
    strengths = onsets.strengths(audio)
    tempo = find_tempo(strengths, onsets.places(0, len(strengths)) / RATE_HZ, told_bpm)
    if tempo is None or tempo.confidence < SURE:
        return Found(key=key, key_sure=key_sure)
    bpm = _looped(tempo.bpm, len(mono) / RATE_HZ, beats_per_bar)
    first_beat = (tempo.first_seconds * bpm / 60.0 + 0.05) % 1.0 - 0.05  # a cut right behind an onset is one on it
    bar, bar_sure = _bar(strengths, classes, Tempo(bpm, first_beat * 60.0 / bpm, 1.0), beats_per_bar)
    beats = len(mono) / RATE_HZ * bpm / 60.0
    return Found(
        bpm, tempo.confidence, beats, max(first_beat, 0.0), max(first_beat + bar, 0.0), bar_sure, key, key_sure
    )


def _looped(bpm: float, seconds: float, beats_per_bar: float) -> float:
    """The tempo at which a region that was evidently cut on bar lines holds whole bars; else the one found."""
    bars = round(seconds * bpm / 60.0 / beats_per_bar)
    whole = bars * beats_per_bar * 60.0 / seconds
    return whole if bars and abs(whole / bpm - 1.0) < LOOP_SHARE else bpm


def _bar(strengths: Floats, classes: Floats, tempo: Tempo, beats_per_bar: float) -> tuple[int, float]:
    """Which beat begins a bar, counted from the first, and how sure: where harmony changes and most begins."""
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

    def heard(first: float, last: float) -> Floats:
        rows = [(seconds * RATE_HZ - WINDOW_SAMPLES / 2) / HOP_SAMPLES for seconds in (first, last)]
        low = int(np.clip(np.ceil(rows[0]), 0, len(classes) - 1))
        part = classes[low : max(int(rows[1]), low) + 1].sum(axis=0)
        return np.asarray(part / (np.linalg.norm(part) + 1e-9))

    if time < beat:
        return 0.5
    return float(1.0 - heard(time - beat, time) @ heard(time, time + beat))


def _even(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / (values.std() + 1e-9))


def analyse_apart(
    mono: NDArray[np.float32],
    told_bpm: float = 0.0,
    beats_per_bar: float = 4.0,
    hurry: bool = False,
    hint_bpm: float = 0.0,
) -> Found:
    """`analyse` in a process of its own, at low priority unless somebody waits.

    Raises OSError or subprocess.SubprocessError where that fails.  [regions]
    """
    command = [
        sys.executable,
        "-m",
        __name__,
        repr(float(told_bpm)),
        repr(float(beats_per_bar)),
        str(0 if hurry else NICE),
        repr(float(hint_bpm)),
    ]
    data = np.ascontiguousarray(mono[: SECONDS_MOST * RATE_HZ], np.float32).tobytes()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    done = subprocess.run(  # noqa: S603 - this very program
        command, input=data, capture_output=True, timeout=APART_SECONDS, env=environment, check=True
    )
    return Found(**json.loads(done.stdout))


def main() -> None:
    """The process apart."""
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[3]))
    mono = np.frombuffer(sys.stdin.buffer.read(), np.float32)
    print(json.dumps(asdict(analyse(mono, float(sys.argv[1]), float(sys.argv[2]), float(sys.argv[4])))))


if __name__ == "__main__":
    main()
