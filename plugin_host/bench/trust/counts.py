"""Row 2: stalls of a writer, in virtual time: what the host counts is what was left out, to the sample.

Each stall leaves out some samples of a stream of numbers; underruns and missed samples must be exactly those. The
twin's writer leaves out one stall that it does not tell.
"""

from __future__ import annotations

import random

import numpy as np

from bridge.ring.form import PlaybackPlan
from bridge.ring.reader import RingReader
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from plugin_host.bench.trust.figure import Figure, counted
from plugin_host.bench.trust.stage import Stage
from plugin_host.playback.processor import Processor

RATE_HZ, BLOCK, LANE = 48_000, 256, 970
STALL_BLOCKS = (1, 2, 5, 20, 94)  # 5 ms to half a second
LEAD = 128 * BLOCK  # written ahead, as engines do
APART = 800  # blocks between two stalls: two bars, so that a held bar is left at its end


def measure(stage: Stage) -> Figure:
    """The row.  [main]"""
    count, rng = stage.count(40, 200, 1_000), random.Random(2)
    writer = RingWriter.create(LANE, RATE_HZ, 2, seconds=4.0)
    reader, processor, grid = RingReader.attach(writer.name), Processor(RATE_HZ, 2), Grid(RATE_HZ, 120.0)
    processor.offer(reader)
    writer.set_plan(PlaybackPlan(1, True, 0, 0, 2**62, 0))
    out, music = np.zeros((BLOCK, 2), np.float32), np.full((BLOCK, 2), 0.1, np.float32)
    faults, position, counters = list[str](), 0, processor.counters

    def play(blocks: int, written: bool) -> None:
        nonlocal position
        for _ in range(blocks):
            if written:
                writer.write(position + LEAD, music, 1)
            processor.process(out, Transport(True, position, grid))
            position += BLOCK

    try:
        for block in range(LEAD // BLOCK):
            writer.write(block * BLOCK, music, 1)
        play(APART, True)
        for number in range(1, count + 1):
            stalls, missed, played = counters.underruns, counters.missed_samples, counters.played_samples
            held = counters.held_samples + counters.muted_samples + counters.skipped_samples
            blocks = rng.choice(STALL_BLOCKS)
            play(blocks + (1 if stage.twin and number == 1 else 0), False)
            play(APART, True)
            told = counters.underruns - stalls, counters.missed_samples - missed
            if told != (1, blocks * BLOCK):
                faults.append(f"stall {number}: {told[0]} underruns of {told[1]} samples, were 1 of {blocks * BLOCK}")
            now = counters.held_samples + counters.muted_samples + counters.skipped_samples - held
            if counters.played_samples - played + now < (blocks + APART) * BLOCK:
                faults.append(f"stall {number}: samples that nobody counted")
    finally:
        reader.close()
        writer.close()
    return counted(count, "stalls counted to the sample", faults, f"{counters.missed_samples:,} samples missed in all")
