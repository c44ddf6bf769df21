"""Jams that record until they are killed, each in a process of its own, at random moments.

    python recording_player.py FOLDER JAMS SEED

Prints, for each jam in FOLDER/0, FOLDER/1, ...: the samples that its recorder said are in the files when it was killed,
and those that it had been handed half a second before.
"""

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np

from plugin_host.jam.recording.recorder import JamRecorder
from plugin_host.jam.recording.wave_file import BITS

RATE_HZ, CHANNELS, BLOCK = 48_000, 2, 480
SPEED = 4  # times real time
AT_ONCE, HALF_SECOND = 10, 0.5
SCALE = np.float32(2.0 ** (1 - BITS))


def blocks(sample: int, n: int = BLOCK) -> tuple[np.ndarray, np.ndarray]:
    """What the player and Segue play at a sample: values that the files keep exactly, and their sum too."""
    counted = (np.arange(sample, sample + n) % 2**21).astype(np.float32)[:, None]
    captured = np.repeat(counted, CHANNELS, axis=1) * SCALE
    return captured, -2 * captured


def play(folder: Path, shown: mmap.mmap) -> None:
    """Record at speed, for ever; `shown` has the samples handed over and those in the files."""
    recorder, sample, began = JamRecorder(folder, RATE_HZ, CHANNELS), 0, time.monotonic()
    while True:
        recorder.add(sample, *blocks(sample))
        if sample % 4800 == 0:
            recorder.note("played", sample, sample / RATE_HZ * 2, text="x" * (sample // 4800 % 300))
        sample += BLOCK
        shown[:16] = struct.pack("<qq", sample, recorder.recorded_samples)
        time.sleep(max(0.0, began + sample / RATE_HZ / SPEED - time.monotonic()))


def started(folder: Path) -> tuple[int, mmap.mmap]:
    shown = mmap.mmap(-1, 4096)
    child = os.fork()
    if not child:
        play(folder, shown)
    return child, shown


def main(folder: Path, jams: int, seed: int) -> None:
    dice = random.Random(seed)
    for first in range(0, jams, AT_ONCE):
        running = [(number, *started(folder / str(number))) for number in range(first, min(first + AT_ONCE, jams))]
        began = time.monotonic()
        moments = sorted(dice.uniform(0.0, 1.0) for _ in running)
        looks = [(moment, "kill", *jam) for moment, jam in zip(moments, running, strict=True)]
        looks += [(moment - HALF_SECOND, "look", *jam) for moment, _, *jam in looks if moment > HALF_SECOND]
        before: dict[int, int] = {}
        for moment, what, number, child, shown in sorted(looks, key=lambda look: look[:2]):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            handed, recorded = struct.unpack("<qq", shown[:16])
            before.setdefault(number, handed if what == "look" else 0)
            if what == "kill":
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                told = {"jam": number, "recorded": recorded, "handed_before": before[number], "handed": handed}
                sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
