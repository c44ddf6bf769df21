"""The engine's part of the two-process ring tests: creates a ring, prints its name, writes counted samples.

python ring_child.py count SAMPLES SEED    sample value = its number modulo 2^24, in random block sizes
python ring_child.py music SAMPLES         stereo noise, due from 0 on, in a ring of 8 s; then waits to be killed
python ring_child.py hang                  creates a ring and waits to be killed
"""

from __future__ import annotations

import random
import sys
import time

import numpy as np

from bridge.ring.form import PlaybackPlan
from bridge.ring.writer import RingWriter

MODULUS = 1 << 24  # float32 counts exactly up to here


def count(n_samples: int, seed: int) -> None:
    """Write all samples as fast as the reader takes them."""
    writer = RingWriter.create(910, 48000, channels=1, seconds=1.0, block_samples=4096)
    print(writer.name, flush=True)
    sizes, done = random.Random(seed), 0
    while done < n_samples:
        size = min(sizes.choice((1, 255, 4096, 5000, 20000, 65536)), n_samples - done)
        numbers = (np.arange(done, done + size, dtype=np.int64) & (MODULUS - 1)).astype("<f4")
        taken = writer.write(done, numbers.reshape(-1, 1), plan_revision=1)
        done += taken
        if taken < size:
            time.sleep(0.0005)
    while writer.space_samples < writer.form.capacity_samples and not writer.host_gone():
        time.sleep(0.001)
    writer.close()


def music(n_samples: int) -> None:
    """Write this many samples as fast as the reader takes them."""
    writer = RingWriter.create(912, 48000, channels=2, seconds=8.0)
    writer.set_plan(PlaybackPlan(1, True))
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, (8192, 2)).astype("<f4")
    print(writer.name, flush=True)
    done = 0
    while done < n_samples:
        done += writer.write(done, noise[: min(8192, n_samples - done)], plan_revision=1)
        time.sleep(0.0002)
    time.sleep(600)


if __name__ == "__main__":
    if sys.argv[1] == "hang":
        held = RingWriter.create(911, 48000)
        print(held.name, flush=True)
        time.sleep(600)
    elif sys.argv[1] == "music":
        music(int(sys.argv[2]))
    else:
        count(int(sys.argv[2]), int(sys.argv[3]))
