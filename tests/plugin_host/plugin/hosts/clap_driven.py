"""A CLAP host controlled by its standard input: clap_driven.py PLUGIN. One JSON line each way.

{"do": "open", "state": hex, "bpm": 120, "timeless": false}   a plugin, with a saved song or none; {}
{"do": "run", "samples": n, "playing": true, "at": position, "set": {number: value}}     {"audio": hex of float32 [n]}
    "input": a constant input, or "counted": true for one whose samples say where they lie, "noise": true
    "cycle": [first, last] in samples, in which it goes round; "told": false, the host reports no cycle
{"do": "value", "number": n}   {"value": v}        {"do": "save"}   {"state": hex}        {"do": "close"}   {}
{"do": "offline", "on": 1}     {}                  {"do": "turned"}   by of which the plugin notified us:
{"turned": {n: v}}
"""

import json
import sys
import time

import numpy as np
from clap_host import RATE, Loaded

BLOCK = 512
PERIOD = 1 << 20  # of an input that says where each sample lies


class DrivenPlugin:
    """One plugin at a time."""

    def __init__(self, path: str) -> None:
        self.path, self.bpm, self.noise = path, 120.0, np.random.default_rng(0)

    def open(self, state="", bpm=120.0, timeless=False):
        self.lane, self.bpm = Loaded(self.path), bpm
        self.lane.timeless = timeless
        if state:
            self.run(512)  # some hosts run a plugin before they restore its song
            time.sleep(0.3)
            self.lane.load(bytes.fromhex(state))
        return {}

    def run(
        self, samples, playing=False, at=None, set=None, input=0.0, counted=False, cycle=None, told=True, noise=False
    ):
        if at is not None:
            self.lane.position = at
        values = [(int(number), value) for number, value in (set or {}).items()]
        parts, left = [], samples
        while left:
            n = min(BLOCK, left, cycle[1] - self.lane.position if cycle else left)
            source = np.full((2, n), input, np.float32)
            if noise:
                source[:] = self.noise.uniform(-0.3, 0.3, n)
            if counted:
                source[:] = -((np.arange(n) + self.lane.position) % PERIOD + 1) / PERIOD / 2
            beats = [at * self.bpm / 60 / RATE for at in cycle] if cycle and told else None
            parts.append(self.lane.run(source, playing, self.bpm, loop=beats, values=values)[0])
            if cycle and self.lane.position == cycle[1]:
                self.lane.position = cycle[0]
            left, values = left - n, []
        return {"audio": np.concatenate(parts).tobytes().hex()}

    def value(self, number):
        return {"value": self.lane.value(number)}

    def save(self):
        return {"state": self.lane.save().hex()}

    def offline(self, on):
        self.lane.mode(on)
        return {}

    def turned(self):
        return {"turned": self.lane.turned}

    def close(self):
        self.lane.close()
        return {}


def main(path: str) -> None:
    driven = DrivenPlugin(path)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(driven, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
