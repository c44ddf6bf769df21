"""The musician of `segue bench --far`, in a namespace of its own: plays in real time, steers, prints what was heard.

`python -m plugin_host.bench.far.player PORT SECONDS STEERS`: one JSON object on standard output. "playing" is printed
before it, once music is heard.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bridge.ring import form as ring_form
from bridge.ring.fields import Words
from bridge.ring.form import PlaybackPlan
from bridge.ring.shared_memory import Segment
from bridge.time.transport import Grid
from plugin_host.client.client import EngineClient
from plugin_host.client.lane_session import LaneSession, Setup
from plugin_host.console.screen import print_line
from plugin_host.host.clock import PacedClock
from plugin_host.host.headless import Column, HeadlessHost, Host
from plugin_host.host.timeline import Timeline
from plugin_host.playback.counters import BlockState
from plugin_host.playback.processor import Processor

RATE_HZ, BPM, BAR_SAMPLES = 48_000, 120.0, 96_000
SILENCE = 1e-5
HOLE_SAMPLES = RATE_HZ // 50
STEER_SECONDS = 3.0
PROMPTS = ("driving house, four on the floor, club", "ambient, calm, soft pads, no drums")


def play(port: int, seconds: float, steers: int) -> dict[str, Any]:
    """Play for so long from the music's start; what was heard, by name.  [main]"""
    processor, timeline = Processor(RATE_HZ), Timeline(Grid(RATE_HZ, BPM))
    timeline.play()
    host = Host(processor, timeline, record_samples=int((seconds + 8) * RATE_HZ))
    clock = PacedClock(RATE_HZ)
    audio = HeadlessHost(host, clock)
    said: list[str] = []
    with EngineClient(port=port, name="segue bench far") as client:
        session = LaneSession(client, processor, Setup(prompt=PROMPTS[1], seed=3), said.append)
        session.open()
        audio.start()
        start = session.play("bar", 0, 4.0).start_beats * RATE_HZ * 60 / BPM

        def until(done: Callable[[], bool]) -> None:
            while audio.running and not done():
                now = timeline.now
                session.look(now.grid, now.position_samples)
                time.sleep(0.02)

        until(lambda: processor.state == BlockState.PLAYING)
        print_line("playing")
        begun, heard = time.monotonic(), list[float]()
        for number in range(steers):
            until(lambda at=begun + (number + 1) * STEER_SECONDS: time.monotonic() >= at)  # type: ignore[misc]
            heard.append(steer(client, session.lane, timeline, PROMPTS[number % 2]))
        until(lambda: time.monotonic() >= begun + seconds)
        late = client.lane_stats(session.lane).late_blocks
        audio.stop()
    recording, counters = host.take(), processor.counters
    found = _in_recording(recording.audio, recording.blocks, int(start))
    return {
        **found, "steer_ms": heard, "underruns": counters.underruns, "late_blocks": late,
        "missed_ms": 1000 * counters.missed_samples / RATE_HZ, "held_ms": 1000 * counters.held_samples / RATE_HZ,
        "muted_ms": 1000 * counters.muted_samples / RATE_HZ, "rejoins": counters.rejoins, "host_late": clock.late,
        "said": said,
    }  # fmt: skip


def steer(client: EngineClient, lane: int, timeline: Timeline, prompt: str) -> float:
    """Milliseconds from a prompt to the sample from which the ring's plan has it; negative if none came.  [main]"""
    with _plan(client.ring(lane)) as plan_now:
        before = plan_now().plan_revision
        sent = time.monotonic()
        client.prompt(lane, prompt)
        while (plan := plan_now()).plan_revision == before:
            if time.monotonic() - sent > STEER_SECONDS:
                return -1.0
            time.sleep(0.001)
        to_come = max(plan.from_samples - timeline.now.position_samples, 0)
        return 1000 * (time.monotonic() - sent + to_come / RATE_HZ)


@contextmanager
def _plan(ring: str) -> Iterator[Callable[[], PlaybackPlan]]:
    segment = Segment.attach(ring)
    words = Words(segment)
    try:
        yield lambda: ring_form.read_plan(words, PlaybackPlan(), -1)[0]
    finally:
        words.release()
        segment.close()


def _in_recording(audio: np.ndarray, blocks: np.ndarray, start: int) -> dict[str, Any]:
    """Holes (20 ms and more of silence inside the music), the least fill, where held bars ended."""
    states, positions = blocks[:, Column.STATE], blocks[:, Column.POSITION]
    fill = blocks[positions >= start + RATE_HZ, Column.FILL]
    ends = [int(positions[at]) for at in range(1, len(states))
            if states[at] == BlockState.PLAYING and states[at - 1] == BlockState.HOLDING]  # fmt: skip
    held = states == BlockState.HOLDING
    quiet = np.abs(audio[max(0, start - int(positions[0])) :]).max(axis=1, initial=0.0) < SILENCE
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2]
    return {
        "holes": int((lengths >= HOLE_SAMPLES).sum()),
        "fill_low_ms": 1000 * int(fill.min()) / RATE_HZ if len(fill) else 0.0,
        "rejoin_off_samples": [min(each % BAR_SAMPLES, -each % BAR_SAMPLES) for each in ends],
        "first_held_ms": 1000 * int(positions[held][0] - positions[0]) / RATE_HZ if held.any() else -1.0,
        "last_held_ms": 1000 * int(positions[held][-1] - positions[0]) / RATE_HZ if held.any() else -1.0,
    }


if __name__ == "__main__":
    print_line(json.dumps(play(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
