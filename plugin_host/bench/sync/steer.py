"""Scenes: changes of the prompt, and weights turned like a dial. When does the recorded sound change?

    without a change   ~~~~~~~~~~~~~~~~~~~~~~~~~~~~     recorded once: the same seed gives the same music, to the bit
    prompt sent at |   ~~~~~~~~~~~|~~~~~xxxxxxxxxxx     a change is heard from the first sample x that is another

The engine's events are not used. Plays without a change are the control: they must be the first recording to the bit.
"""

from __future__ import annotations

import math
import random
import socket
import time

import numpy as np

from bridge.control import messages
from bridge.ring.form import Audio
from plugin_host.bench.sync.changes import BAR_BEATS, BPM
from plugin_host.bench.sync.dial import band_levels
from plugin_host.bench.sync.recorder import Noted, Recording
from plugin_host.bench.sync.results import SceneResults
from plugin_host.bench.sync.stage import RATE_HZ, BenchRun, Stage

CHANGES, CONTROLS = 30, 2
SENT_SECONDS, AFTER_SECONDS = (1.2, 2.2), 1.6  # after the music's start; and after that, recorded
SAME = 1e-6  # samples nearer than this are the same
PROMPTS = (
    "driving house, four on the floor, dance, synth bass, club",
    "ambient, calm, soft pads, no drums",
    "drums only, drum kit, isolated drums",
)
WEIGHTS_PER_SECOND, WEIGHTS_SECONDS = 50.0, 60.0


def measure_steer(stage: Stage, count: int = CHANGES) -> SceneResults:
    """Send a prompt in each of `count` plays; measures when it is heard in the recording, and how much.  [main]"""
    known, rng = _play(stage, None, 0.0)[0], random.Random(1)
    controls = [_play(stage, None, 0.0)[0] for _ in range(CONTROLS)]
    heard, apart, underruns = list[float](), list[float](), 0
    for number in range(count):
        recording, sent, missing = _play(stage, PROMPTS[number % len(PROMPTS)], rng.uniform(*SENT_SECONDS))
        place, underruns = first_difference(known, recording), underruns + missing
        if place is not None and place >= sent:
            heard.append(1000 * (place - sent) / RATE_HZ)
            apart.append(levels_apart(known, recording, place))
    what, found = f"prompt to its sound in the recording, {count} changes", SceneResults()
    found.add(f"{what}, p50", float(np.percentile(heard, 50)) if heard else math.nan, "ms", "< 600")
    found.add(f"{what}, p95", float(np.percentile(heard, 95)) if heard else math.nan, "ms")
    found.add(f"{what}, missed", count - len(heard), "", "0")
    found.add("the sound of the next second is another by, median of bands", float(np.median(apart)), "dB")
    found.add(
        "plays without a change that differ", sum(first_difference(known, each) is not None for each in controls),
        "", "0",
    )  # fmt: skip
    found.add("underruns meanwhile", underruns, "", "0")
    return found


def _play(stage: Stage, prompt: str | None, after_seconds: float) -> tuple[Recording, int, int]:
    """Play the region's continuation from its first beat; with a prompt sent so long after it.

    Returns the recording, the host's position when it was sent, and the underruns.
    """
    layout = stage.region(BPM)
    start = layout.stretch.start_samples
    run, sent = BenchRun(stage, layout, 12.0), start
    with run.playing():
        run.until(lambda: run.timeline.now.position_samples >= start + after_seconds * RATE_HZ)
        if prompt is not None:
            sent = run.timeline.now.position_samples
            stage.client.prompt(run.session.lane, prompt)
        begun = run.timeline.now.position_samples
        wait = AFTER_SECONDS if prompt is not None else SENT_SECONDS[1] + AFTER_SECONDS
        run.until(lambda: run.timeline.now.position_samples >= begun + wait * RATE_HZ)
    return run.recording(), sent, run.processor.counters.underruns


def first_difference(one: Recording, other: Recording) -> int | None:
    """The first host position at which two recordings of the same place differ; None if they do not.  [main]"""
    first, a, b = _together(one, other)
    apart = np.flatnonzero(np.abs(a - b).max(axis=1) > SAME)
    return first + int(apart[0]) if len(apart) else None


def levels_apart(one: Recording, other: Recording, position: int) -> float:
    """How far the band levels of the second behind a host position are apart in two recordings, in dB.  [main]"""
    first, a, b = _together(one, other)
    after = slice(position - first, position - first + RATE_HZ)
    levels = [band_levels(each[after], RATE_HZ).mean(axis=0) for each in (a, b)]
    return float(np.median(np.abs(levels[0] - levels[1])))


def _together(one: Recording, other: Recording) -> tuple[int, Audio, Audio]:
    """The first host position of both, and their audio from there on, of one length."""
    begins = [int(each.log[0, Noted.POSITION]) for each in (one, other)]
    first = max(begins)
    a, b = (each.audio[first - begin :] for each, begin in zip((one, other), begins, strict=True))
    count = min(len(a), len(b))
    return first, a[:count], b[:count]


def measure_weights(stage: Stage, seconds: float = WEIGHTS_SECONDS) -> SceneResults:
    """Turn the weights of four prompts on the surface, fifty times a second; measures ring and pings.  [main]"""
    layout = stage.region(BPM)
    run, counters = BenchRun(stage, layout, seconds + 20.0), None
    client = stage.client
    with run.playing():
        lane, counters = run.session.lane, run.processor.counters
        for number, text in enumerate((*PROMPTS, "rock, electric guitar, energetic, band"), 1):
            client.slot(lane, number, text)
        run.until_beats(layout.stretch.start_beats + 3 * BAR_BEATS)
        underruns, began = counters.underruns, time.monotonic()
        pings = _turn(run, stage, lane, seconds)
        underruns, late = counters.underruns - underruns, client.lane_stats(lane).late_blocks
    log, name = run.recording().log, f"weights, {WEIGHTS_PER_SECOND:g} a second for {seconds:g} s"
    turned = (log[:, Noted.SECONDS] >= began) & (log[:, Noted.SECONDS] < began + seconds)
    found = SceneResults()
    found.add(f"{name}: lowest ring fill", 1000 * float(log[turned, Noted.FILL].min()) / RATE_HZ, "ms", "> 0")
    found.add(f"{name}: underruns", underruns, "", "0")
    found.add(f"{name}: late blocks", late, "", "0")
    found.add(f"{name}: ping, p99", float(np.percentile(pings, 99)), "ms", "< 10")
    return found


def _turn(run: BenchRun, stage: Stage, lane: int, seconds: float) -> list[float]:
    """Move the point around the square; returns the milliseconds of a ping each half second."""
    pings, count = list[float](), int(seconds * WEIGHTS_PER_SECOND)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", stage.engine.port))
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / WEIGHTS_PER_SECOND - time.monotonic()))
            turn = 2 * math.pi * number / (4 * WEIGHTS_PER_SECOND)
            x, y = 0.5 + 0.5 * math.cos(turn), 0.5 + 0.5 * math.sin(turn)
            wire.send(messages.LANE_SURFACE.pack(0, lane, x, y))
            if number % 25 == 0:
                asked = time.monotonic()
                stage.client.ping()
                pings.append(1000 * (time.monotonic() - asked))
                run.session.look(run.timeline.now.grid, run.timeline.now.position_samples)
    return pings
