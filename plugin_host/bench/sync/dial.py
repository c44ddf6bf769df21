"""Scene: a dial is turned while the music plays, many times a second. When is its last value heard?

    sent      a b c d e f g h ... wild            like a controller: without waiting for answers
    recorded  ~~~~~~~~ music ~~~~~~~~~|#### noise    the last value draws almost any sound

The engine's events are not used: the last value is heard where the recorded sound changes.
"""

from __future__ import annotations

import random
import socket
import time
from itertools import pairwise

import numpy as np

from bridge.control import messages
from bridge.ring.form import Audio
from plugin_host.bench.sync.changes import BAR_BEATS, BPM
from plugin_host.bench.sync.recorder import Floats, Noted
from plugin_host.bench.sync.results import SceneResults
from plugin_host.bench.sync.stage import RATE_HZ, BenchRun, Stage

RATES = (5.0, 20.0, 50.0, 200.0)
TURNED_SECONDS = 8.0
BEFORE_SECONDS = 3.0  # analysed before the last value is sent
AFTER_SECONDS = 6.0  # and after it
SETTLED_SECONDS = 3.5  # after which its sound must be heard
NAME, USUAL, WILD = "temperature", (0.7, 1.0), 4.0
HOP_SAMPLES = 480
EDGES_HZ = np.geomspace(60.0, 15_000.0, 17)
APART = 0.5  # how well hops are separated into two sounds: music and this noise 1, any music 0.15


def measure_dial(stage: Stage, rates: tuple[float, ...] = RATES) -> SceneResults:
    """Turn a dial at each rate; measures the ring meanwhile, and when the last value is heard.  [main]"""
    found = SceneResults()
    for rate in rates:
        found.take(_turned(stage, rate))
    return found


def _turned(stage: Stage, per_second: float) -> SceneResults:
    layout = stage.region(BPM)
    run = BenchRun(stage, layout, 8.0 + TURNED_SECONDS + AFTER_SECONDS + 4.0)
    counters = run.processor.counters
    with run.playing():
        lane = run.session.lane
        stage.client.set(lane, "guard", 0)  # the guard would take the noise for a fault
        stage.client.set(lane, "top_k", 0)
        run.until_beats(layout.stretch.start_beats + 3 * BAR_BEATS)
        underruns, began = counters.underruns, time.monotonic()
        sent = _turn(run, stage.engine.port, lane, per_second)
        run.for_seconds(AFTER_SECONDS)
        underruns = counters.underruns - underruns
    recording, found = run.recording(), SceneResults()
    at, name = recording.after_seconds(sent), f"dial, {per_second:g} a second"
    begin, end = (recording.after_seconds(each) for each in (sent - BEFORE_SECONDS, sent + AFTER_SECONDS))
    log = recording.log
    turned = (log[:, Noted.SECONDS] >= began) & (log[:, Noted.SECONDS] < sent + 1.0)
    after_seconds = becomes_another(recording.audio[begin:end], RATE_HZ, (at - begin) / RATE_HZ)
    found.add(f"{name}: lowest ring fill", 1000 * float(log[turned, Noted.FILL].min()) / RATE_HZ, "ms", "> 0")
    found.add(f"{name}: underruns", underruns, "", "0")
    found.add(f"{name}: last value heard in the recording after", 1000 * after_seconds, "ms", "< 700")
    return found


def _turn(run: BenchRun, port: int, lane: int, per_second: float) -> float:
    """Turn the dial, at last to its maximum; returns the time of that on the monotonic clock."""
    rng, count = random.Random(1), int(TURNED_SECONDS * per_second)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", port))
        began = looked = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            last = number == count - 1
            value = WILD if last else round(rng.uniform(*USUAL), 3)
            sent = time.monotonic()
            wire.send(messages.LANE_SET.pack(0, lane, NAME, value, "now"))
            if sent - looked > 0.5 and not last:
                looked = sent
                run.session.look(run.timeline.now.grid, run.timeline.now.position_samples)
    return sent


# -- analysis -----------------------------------------------------------------------------------------------


def becomes_another(audio: Audio, rate_hz: int, sent_seconds: float) -> float:
    """Seconds from `sent_seconds` to where audio [n, channels] becomes another sound; NaN if it does not.

    Each hop of 10 ms is compared with the sound before it and with the sound at the end; the result is the likeliest
    change point between two Gaussians of band levels.  [main]
    """
    levels = band_levels(audio, rate_hz)
    seconds = np.arange(len(levels)) * HOP_SAMPLES / rate_hz
    early, late = seconds < sent_seconds, seconds >= sent_seconds + SETTLED_SECONDS
    if not early.any() or not late.any():
        return float("nan")
    surer = _likelihood(levels, levels[late]) - _likelihood(levels, levels[early])
    if min(surer[late].mean(), -surer[early].mean()) < APART:
        return float("nan")
    place = int(np.argmin(np.concatenate([[0.0], np.cumsum(surer)])))
    return float(place * HOP_SAMPLES / rate_hz - sent_seconds)


def band_levels(audio: Audio, rate_hz: int) -> Floats:
    """Levels in dB [hops, bands] of audio [n, channels], a hop 10 ms apart.  [any]"""
    mono = np.asarray(audio.mean(axis=1), np.float64)
    hops = len(mono) // HOP_SAMPLES
    pieces = mono[: hops * HOP_SAMPLES].reshape(hops, HOP_SAMPLES) * np.hanning(HOP_SAMPLES)
    power = np.abs(np.fft.rfft(pieces, axis=1)) ** 2
    at = np.fft.rfftfreq(HOP_SAMPLES, 1 / rate_hz)
    bands = [(at >= low) & (at < high) for low, high in pairwise(EDGES_HZ)]
    return np.stack([10 * np.log10(power[:, band].sum(axis=1) + 1e-6) for band in bands if band.any()], axis=1)


def _likelihood(levels: Floats, like: Floats) -> Floats:
    """Log-likelihood of each hop among others, the mean of the bands: [hops]."""
    mean, deviation = like.mean(axis=0), like.std(axis=0) + 1.0
    off = (levels - mean) / deviation
    return np.asarray((-0.5 * off**2 - np.log(deviation)).mean(axis=1))
