"""A musician's story in a CLAP host: clap_bounce.py PLUGIN OUT.npz.

Two bars are played and captured, Segue continues with four bars; they are rendered, rendered again, and played live.
"""

import json
import sys
import time

import numpy as np
from clap_host import RATE, Loaded

BPM = 137.5
BAR = 4 * 60 * RATE / BPM
GENERATE, MODE, CAPTURE, CAPTURE_BARS, BARS, OUTPUT, ENGINE, SEED, CAPTURED, LATE = 0, 1, 3, 4, 5, 10, 16, 18, 19, 22
PATIENCE_SECONDS = 60


def bar_start(bar: int) -> int:
    return int(np.floor(bar * BAR + 0.5))


def guitar(n: int) -> np.ndarray:
    """Plucked notes on each beat."""
    at = np.arange(n) / RATE
    beat = at * BPM / 60
    hz = np.array([110.0, 138.6, 164.8, 220.0])[beat.astype(int) % 4]
    tone = 0.2 * np.exp(-6 * (beat % 1)) * np.sin(2 * np.pi * hz * at)
    return np.stack([tone, tone]).astype(np.float32)


def stand(lane: Loaded, until, what: str) -> None:
    """The host stands; the plugin has time to work."""
    silence, deadline = np.zeros((2, 512), np.float32), time.monotonic() + PATIENCE_SECONDS
    while not until():
        assert time.monotonic() < deadline, what
        lane.run(silence, False, BPM)
        time.sleep(0.01)


def render(lane: Loaded, source: np.ndarray, begin: int, end: int, live: bool = False) -> np.ndarray:
    """As fast as possible, or in real time."""
    lane.position, parts = begin, []
    began = time.monotonic()
    while lane.position < end:
        if live:
            time.sleep(max(0.0, began + (lane.position - begin) / RATE - time.monotonic()))
        at, n = lane.position, min(512, end - lane.position)
        parts.append(lane.run(np.ascontiguousarray(source[:, at : at + n]), True, BPM))
    return np.concatenate(parts, axis=1)


def main(path: str, out_path: str) -> None:
    lane = Loaded(path)
    source = guitar(bar_start(16))
    source[:, bar_start(2) :] = 0
    silence = np.zeros((2, 64), np.float32)
    lane.run(silence, False, BPM, values=[(CAPTURE, 1.0), (CAPTURE_BARS, 2.0), (MODE, 2.0), (BARS, 4.0), (OUTPUT, 1.0)])
    stand(lane, lambda: lane.value(ENGINE) == 2, "not connected")
    lane.mode(1)  # renders faster than real time
    render(lane, source, 0, bar_start(2))
    stand(lane, lambda: lane.value(CAPTURED) > 0, "not captured")
    captured = lane.value(CAPTURED)
    lane.run(silence, False, BPM, values=[(CAPTURE, 0.0), (GENERATE, 1.0)])
    stand(lane, lambda: lane.value(ENGINE) == 4, "does not play")
    first = render(lane, source, bar_start(2), bar_start(7))
    stand(lane, lambda: lane.value(ENGINE) != 4, "does not end")
    second = render(lane, source, bar_start(1), bar_start(7))
    stand(lane, lambda: lane.value(ENGINE) != 4, "does not end")
    lane.mode(0)  # in real time
    late = lane.value(LATE)
    live = render(lane, source, bar_start(1), bar_start(4), live=True)
    np.savez(out_path, first=first, second=second, live=live)
    seed, late = lane.value(SEED), lane.value(LATE) - late
    lane.close()
    print(json.dumps({"bars": captured, "seed": seed, "late": late}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
