"""How long a mute lasts for a host whose engine is too slow: the work takes time, the host plays on.

A host without blocks holds its last bar. Earlier, mutes of 4 beats lasted only 1.1 to 2.4 beats there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count

import numpy as np
import pytest
from lane_rig import BLOCK, RATE, RigHost

from bridge.control.arguments import At
from bridge.ring.reader import RingReader
from bridge.time.transport import Grid, Transport
from engine.serve.lane.command import Command
from plugin_host.playback.processor import Processor

GRID = Grid(RATE, 240.0)
BEAT = RATE // 4
FADE_BEATS = 2 * 0.01 * RATE / BEAT
_keys = count(1)


class SlowHost(RigHost):
    """A host whose engine makes `ratio` seconds of music in a second, on the host's own clock."""

    def __init__(self) -> None:
        super().__init__()
        self.reader.close()
        self.reader = RingReader.attach(self.lane.ring.name)
        self.processor, self.played, self.todo = Processor(RATE), [], []
        self.processor.offer(self.reader)
        self.ratio, self.worked_seconds = 50.0, 0.0
        advance = self.generate_loop._batch.advance

        def work(*asked):
            made = advance(*asked)
            self.worked_seconds += sum(frames.codes.shape[1] for frames in made.values()) * 0.02 / self.ratio
            while self.transport.playing and self.worked_seconds >= BLOCK / RATE:
                self.worked_seconds -= BLOCK / RATE
                self.block()
            return made

        self.generate_loop._batch.advance = work

    def block(self) -> None:
        out = np.zeros((BLOCK, 2), np.float32)
        self.processor.process(out, self.transport)
        self.played.append(out)
        self.transport = self.transport.advanced(BLOCK)
        self.clock.seconds += BLOCK / RATE
        for due in [due for due in self.todo if self.transport.position_samples >= due[0] * BEAT]:
            self.todo.remove(due)
            self.generate_loop.post(due[1])

    def run(self, ratio: float, lead: float, beats: float) -> None:
        self.lane.update(lambda s: s.with_value("seed", 7).with_value("guard", 0.0).with_value("lead_seconds", lead))
        self.transport = Transport(False, 0, GRID)
        self.settle()
        self.play(At(beats=0.0))
        self.settle()
        self.start()
        self.ratio = ratio
        while self.transport.position_samples < beats * BEAT:
            if not self.generate_loop.turn():
                self.block()

    def mute(self, beat: float, at: str, on: bool = True, lasts: float = 0.0) -> list[tuple[float, int]]:
        """Send a mute on a beat; its answer comes into the list."""
        answers: list[tuple[float, int]] = []
        key = next(_keys) if lasts else 0

        def act() -> None:
            now = self.clock.now_seconds()
            made = Command(
                At.read(at), 5, "/segue/lane/mute", lambda s: s.with_mute(on, key), about="mute", arrived_seconds=now,
                undo=(lambda s: s.with_mute(False, key)) if lasts else None, length_beats=Fraction(lasts),
            )  # fmt: skip
            answers.append(self.lane.controller.change(made))

        self.todo.append((beat, act))
        return answers

    def silences(self) -> list[tuple[float, float]]:
        """Start and length in beats of every silence longer than an eighth of a beat."""
        quiet = np.abs(np.concatenate(self.played)).max(axis=1) < 1e-5
        edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
        return [(a / BEAT, (b - a) / BEAT) for a, b in edges.reshape(-1, 2) if b - a > BEAT // 8]


@pytest.fixture
def slow() -> Iterator[SlowHost]:
    made = SlowHost()
    made.publish()
    yield made
    made.close()


def about(*spans: tuple[float, float]) -> list:
    """Expected silences from `spans`, shortened by the fades at both ends."""
    half = FADE_BEATS / 2
    return [pytest.approx((begin + half, end - begin - half), abs=FADE_BEATS) for begin, end in spans]


@pytest.mark.parametrize(("at", "arrives"), [("now", 10.2), ("beat", 11.2), ("bar", 9.6)])
@pytest.mark.parametrize(("ratio", "lead"), [(0.7, 0.3), (0.7, 1.0), (0.9, 0.3), (3.0, 0.3)])
def test_four_beats_are_four_beats(slow: SlowHost, at: str, arrives: float, ratio: float, lead: float) -> None:
    answers = slow.mute(arrives, at, lasts=4)
    slow.run(ratio, lead, 32)
    begin = answers[0][0]
    assert slow.silences() == about((begin, begin + 4))
    assert (slow.processor.counters.held_samples > 4 * BEAT) == (ratio < 1), "the case is the one that is meant"


def test_a_hand_ends_a_mute_in_a_held_bar(slow: SlowHost) -> None:
    begun, ended = slow.mute(9.6, "bar", lasts=8), slow.mute(13.3, "beat", on=False)
    slow.run(0.7, 0.3, 28)
    assert slow.silences() == about((begun[0][0], ended[0][0]))
    assert slow.processor.counters.held_samples > 4 * BEAT


def test_mutes_that_overlap_last_as_long_as_each_says(slow: SlowHost) -> None:
    first, second = slow.mute(9.6, "bar", lasts=4), slow.mute(13.3, "beat", lasts=4)
    slow.run(0.7, 0.3, 28)
    assert slow.silences() == about((first[0][0], second[0][0] + 4))


def stall(host: SlowHost) -> Callable[[], None]:
    def act() -> None:
        host.worked_seconds += 0.9

    return act


@pytest.mark.parametrize("ratio", [0.7, 3.0])
def test_an_engine_that_stands_still_when_a_mute_begins_and_ends(slow: SlowHost, ratio: float) -> None:
    answers = slow.mute(8.2, "bar", lasts=8)
    slow.todo += [(beat, stall(slow)) for beat in (11.0, 19.0)]
    slow.run(ratio, 0.3, 34)
    begin = answers[0][0]
    assert slow.silences() == about((begin, begin + 8))
