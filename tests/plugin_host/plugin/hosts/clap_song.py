"""A song with a take of 4 bars from bar 12 on, saved, and opened at several bars: clap_song.py PLUGIN OUT.npz BAR...

OUT has the audio of bars 11 to 17 as `first`, and for each given bar (halves too) the audio from there on.
"""

import json
import sys

import numpy as np
from clap_bounce import BARS, CAPTURE, CAPTURE_BARS, ENGINE, GENERATE, MODE, OUTPUT, bar_start, render, stand
from clap_host import Loaded

PLAYING = 4
FIRST, LAST = 11, 17
SILENCE = np.zeros((2, bar_start(LAST + 1)), np.float32)


def at(bar: float) -> int:
    whole = int(bar)
    return bar_start(whole) + round((bar - whole) * (bar_start(whole + 1) - bar_start(whole)))


def opened(path: str, state: bytes, position: int) -> Loaded:
    lane = Loaded(path)
    lane.load(state)
    lane.mode(1)  # renders faster than real time
    lane.position = position
    return lane


def capture(lane: Loaded, role: int, tone: np.ndarray) -> None:
    """Capture a bar."""
    lane.position = 0
    lane.run(SILENCE[:, :64], False, 137.5, values=[(CAPTURE, 0.0)])
    arm = [(CAPTURE, 1.0), (CAPTURE_BARS, 1.0), (MODE, float(role)), (BARS, 4.0), (OUTPUT, 1.0)]
    lane.run(SILENCE[:, :64], False, 137.5, values=arm)
    stand(lane, lambda: lane.value(ENGINE) == 2, "not connected")
    render(lane, tone, 0, bar_start(2))
    stand(lane, lambda: lane.value(24) == role // 2 * 4 + 1, "not captured")


def main(path: str, out: str, bars: list[float]) -> None:
    lane = Loaded(path)
    lane.mode(1)
    tone = 0.2 * np.sin(np.arange(bar_start(2)) * np.array([[0.02], [0.021]])).astype(np.float32)
    for role in (0, 2):  # a melody, and an audio prompt
        capture(lane, role, tone * (1.0 if role else 0.5))
    lane.position = at(FIRST + 0.5)
    lane.run(SILENCE[:, :64], False, 137.5, values=[(CAPTURE, 0.0), (GENERATE, 1.0)])
    stand(lane, lambda: lane.value(ENGINE) == PLAYING, "does not play")
    heard = {"first": render(lane, SILENCE, at(FIRST), at(LAST))}
    lane.position = at(16)
    lane.run(SILENCE[:, :64], False, 137.5)
    state, sizes = lane.save(), []
    lane.close()
    for bar in bars:
        lane = opened(path, state, at(bar))
        if bar < 16:
            stand(lane, lambda lane=lane: lane.value(ENGINE) == PLAYING, "does not play")
        heard[f"{bar:g}"] = render(lane, SILENCE, at(max(bar, FIRST)), at(LAST))
        state = lane.save()  # continue with that one
        sizes.append(len(state))
        lane.close()
    lane = opened(path, state, 0)
    stand(lane, lambda: lane.value(ENGINE) == PLAYING, "does not play")
    heard["export"] = render(lane, SILENCE, at(FIRST), at(LAST))
    lane.close()
    np.savez(out, **heard)
    print(json.dumps({"saved_bytes": sizes}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [float(word) for word in sys.argv[3:]])
