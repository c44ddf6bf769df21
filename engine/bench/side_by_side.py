"""Engines side by side on one machine, one thread each: how much music so many processes make at once.  [main]

`python -m engine.bench.side_by_side 1 2` prints seconds of music a second of all, and a second of processor of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

SECONDS, PIECE_SECONDS = 5.0, 8


def _child() -> None:
    import torch

    from engine.api.musicgen import MusicGen

    torch.set_num_threads(1)
    model = MusicGen.get_pretrained("embedded")
    model.set_generation_params(duration=PIECE_SECONDS)
    model.generate(["house"])
    sys.stdout.write("hot\n")
    sys.stdout.flush()
    sys.stdin.readline()
    begun, worked, made = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun < SECONDS:
        model.generate(["house"])
        made += PIECE_SECONDS
    found = made / (time.perf_counter() - begun), made / (time.process_time() - worked)
    sys.stdout.write(json.dumps(found) + "\n")


def side_by_side(count: int) -> list[tuple[float, float]]:
    """For each process, seconds of music a second, and a second of processor."""
    command = [sys.executable, "-m", "engine.bench.side_by_side", "child"]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]  # noqa: S603
    for each in processes:
        assert each.stdout is not None
        each.stdout.readline()
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    return [(float(all_), float(own)) for all_, own in (json.loads(each.communicate()[0]) for each in processes)]


if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        _child()
    else:
        for count in map(int, sys.argv[1:] or ["1", "2"]):
            rows = side_by_side(count)
            own = ", ".join(f"{row[1]:.1f}" for row in rows)
            music, load = sum(row[0] for row in rows), os.getloadavg()[0]
            sys.stdout.write(f"{count} engines: {music:.1f} s of music a second; {own} a second of processor; ")
            sys.stdout.write(f"load {load:.1f}\n")
