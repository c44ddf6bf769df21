"""Row 16: a ring whose memory is hostile, to the C++ reader under sanitizers and to the Python reader.

A fault is whatever a sanitizer finds, a crash, a sample that is not finite, a segment that was cut or is another
user's and was read nevertheless. The twin's reader believes what the header says.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from pathlib import Path

import numpy as np

from bridge.errors import SharedMemoryError
from bridge.ring import shared_memory
from bridge.ring.form import RingForm
from bridge.ring.reader import RingReader
from bridge.ring.shared_memory import Segment
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from plugin_host.bench.trust.figure import Figure
from plugin_host.bench.trust.stage import Stage
from plugin_host.plugin.build import build_program

EDGES = (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
STATES, LANE, NOBODY = 10, 960, 65_534
READER = ("segment", "ring_reader", "hostile_ring_main")


def native(folder: Path, attaches: int, naive: bool) -> tuple[int, list[str], str]:
    """States that the C++ reader withstood, faults, figures.  [main]"""
    program = build_program(folder, READER, "hostile_ring", "address,undefined")
    command = [str(program), str(attaches), str(STATES), "23", *["naive"] * naive]
    environment = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, errors="replace")  # noqa: S603
    if done.returncode or done.stderr:
        return 0, [f"C++, ended with {done.returncode}: {done.stderr.strip()[:500]}"], ""
    tried, accepted, states, bad = map(int, done.stdout.split())
    faults = [f"C++: {bad} samples were not finite, or outside the block"] if bad else []
    return (
        tried + states,
        faults,
        f"C++ under ASan and UBSan: {tried:,} headers ({accepted:,} taken), {states:,} states",
    )


def python(states: int) -> list[str]:
    """The faults of the Python reader with as many hostile states.  [main]"""
    rng, faults = random.Random(5), list[str]()
    form = RingForm(48_000, 2, 64, 8, LANE)
    done = 0
    while done < states:
        writer = RingWriter(Segment.create(shared_memory.segment_name(LANE), form.n_bytes), form)
        writer.write(0, np.zeros((256, 2), np.float32), 1)
        memory = writer.segment.memory
        whole, out = memory.cast("Q"), np.zeros((512, 2), np.float32)
        with contextlib.suppress(SharedMemoryError):
            for _ in range(rng.randrange(3)):
                whole[rng.randrange(8)] = rng.choice(EDGES)
            reader = RingReader.attach(writer.name)
            for turn in range(200):
                for _ in range(3):
                    place = 8 + rng.randrange(96 + 512) if rng.random() < 0.9 else rng.randrange(len(whole))
                    whole[place] = rng.choice(EDGES) if rng.random() < 0.5 else rng.getrandbits(64)
                part = out[: rng.randint(1, 512)]
                part[:] = 0
                reader.read(turn * 97, part, rng.randrange(3))
                reader.publish(Transport(True, turn * 97, Grid(48_000)), 0, len(part))
                if not np.isfinite(part).all():
                    faults.append(f"Python: samples that are not finite, state {done}")
                done += 1
            reader.close()
        done += 1
        whole.release()
        memory.release()
        with contextlib.suppress(Exception):  # what was written into it is not what it was
            writer.close()
        with contextlib.suppress(OSError):
            os.unlink(f"/dev/shm/{shared_memory.segment_name(LANE)}")  # noqa: S108 - our own segment
    return faults


def cut_and_foreign() -> list[str]:
    """What is wrong with segments that are cut short while they are read, or that another user made.  [main]"""
    faults = []
    writer = RingWriter.create(LANE + 1, 48_000, 2, seconds=1.0)
    path = f"/dev/shm/{writer.name}"  # noqa: S108 - our own segment
    try:
        writer.write(0, np.zeros((256, 2), np.float32), 1)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
            try:
                RingReader.attach(writer.name).close()
                faults.append("another user's segment was taken")
            except SharedMemoryError:
                os.chown(path, 0, 0)
        reader = RingReader.attach(writer.name)
        os.truncate(path, 0)
        reader.read(0, np.zeros((128, 2), np.float32), 0)  # a SIGBUS would end this process
        try:
            reader.check()
            faults.append("a segment that was cut is not noticed")
        except SharedMemoryError:
            reader.close()
    finally:
        with contextlib.suppress(SharedMemoryError):
            writer.close()
    return faults


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    attaches, states = stage.count(10_000, 100_000, 1_000_000), stage.count(2_000, 20_000, 200_000)
    reached, faults, told = native(stage.folder, attaches, stage.twin)
    if not stage.twin:
        faults += python(states) + cut_and_foreign()
    of = reached or attaches
    return Figure(reached, of, "hostile memories", f"{told}; Python: {states:,} more", tuple(faults))
