"""A ring, its source and its copy in one process: the same blocks, at the same numbers, to the bit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from bridge.far.frames import FrameError
from bridge.far.ring_copy import RingCopy
from bridge.far.ring_source import HostWords, RingSource
from bridge.ring.fader_block import Fader
from bridge.ring.fields import Words
from bridge.ring.form import PlaybackPlan
from bridge.ring.reader import RingReader
from bridge.ring.shared_memory import Segment
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport

RATE, BLOCK = 48_000, 64
PLAN = PlaybackPlan(1, True, 0, 0)


class Pair:
    """An engine's ring, and its copy with a host."""

    def __init__(self) -> None:
        self.ring = RingWriter.create(61, RATE, 2, 0.02, BLOCK)
        self.source = RingSource(self.ring.name)
        self.copy = RingCopy(replace(self.ring.form, lane=62))
        self.host = RingReader.attach(self.copy.name)

    def pass_on(self) -> int:
        count = 0
        while payload := self.source.update():
            self.copy.take(payload)
            count += 1
        return count

    def host_words(self, ahead_ns: int = 0, buffer_seconds: float = 0.0) -> HostWords:
        return HostWords.of(self.copy.host(ahead_ns, buffer_seconds))

    def go_back(self) -> None:
        self.source.take(self.host_words(), lambda transport, written_ns, buffer: (transport, written_ns))

    def close(self) -> None:
        self.host.close()
        self.copy.close()
        self.source.close()
        self.ring.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def music(n_samples: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_samples, 2)).astype(np.float32) * 0.1


def test_plan_fader_and_every_sample_arrive(pair: Pair) -> None:
    audio = music(5 * BLOCK + 7)
    pair.ring.set_plan(PLAN)
    pair.ring.set_fader(Fader(0.5))
    pair.ring.write(0, audio, 1)
    pair.pass_on()
    out = np.zeros_like(audio)
    assert pair.host.read(0, out) == (0, len(audio))
    assert np.array_equal(out, audio)
    assert (pair.host.plan, pair.host.fader) == (PLAN, Fader(0.5))
    assert pair.pass_on() == 0, "nothing new is nothing sent"


def test_the_engine_writes_no_more_than_the_copy_has_room_for(pair: Pair) -> None:
    capacity = pair.ring.form.capacity_samples
    pair.ring.set_plan(PLAN)
    audio = music(3 * capacity)
    out, done, heard = np.zeros((BLOCK, 2), np.float32), 0, 0
    for _ in range(400):
        done += pair.ring.write(done, audio[done : done + capacity], 1)
        pair.pass_on()
        begin, end = pair.host.read(heard, out)
        assert (begin, end) == (0, BLOCK)
        assert np.array_equal(out, audio[heard : heard + BLOCK])
        heard += BLOCK
        if heard == len(audio):
            break
        pair.go_back()
    assert heard == len(audio)
    assert pair.host.counters.broken_blocks == 0


def test_a_copy_that_was_cut_off_gets_each_block_once(pair: Pair) -> None:
    audio = music(8 * BLOCK)
    pair.ring.set_plan(PLAN)
    pair.ring.write(0, audio[: 2 * BLOCK], 1)
    pair.pass_on()
    pair.ring.write(2 * BLOCK, audio[2 * BLOCK :], 1)
    assert pair.source.update(), "sent, and lost with the connection"
    pair.source.resume(pair.copy.blocks_written)
    pair.copy.take(pair.source.update())
    out = np.zeros_like(audio)
    assert pair.host.read(0, out) == (0, len(audio))
    assert np.array_equal(out, audio)
    pair.source.resume(0)  # all of it once more: it changes nothing
    before = pair.copy.blocks_written
    pair.copy.take(pair.source.update())
    assert pair.copy.blocks_written == before


def test_a_plan_comes_behind_the_blocks_that_were_written_before_it(pair: Pair) -> None:
    form = pair.ring.form
    pair.ring.set_plan(PLAN)
    many = RingWriter.create(63, RATE, 2, 1.0, 16)
    source, copy = RingSource(many.name), RingCopy(replace(many.form, lane=60))
    try:
        many.write(0, music(16 * 200), 1)
        many.set_plan(replace(PLAN, plan_revision=9))
        copy.take(source.update())
        words = RingReader.attach(copy.name)
        assert words.look().plan_revision == 0, "128 of 200 blocks are here"
        copy.take(source.update())
        assert (words.look().plan_revision, copy.blocks_written) == (9, 200)
        words.close()
    finally:
        for each in (copy, source, many):
            each.close()
    assert form.lane == 61


def test_a_plan_for_the_next_pass_of_a_loop_waits_for_it(pair: Pair) -> None:
    transport = Transport(True, 0, Grid(RATE), (0.0, 4.0), 4)
    pair.host.publish(transport, 4, BLOCK)
    pair.ring.set_plan(replace(PLAN, seek_id=4))
    pair.pass_on()
    pair.ring.set_plan(replace(PLAN, seek_id=5))
    pair.pass_on()
    assert pair.host.look().seek_id == 4
    pair.host.publish(transport, 5, BLOCK)
    pair.copy.look()
    assert pair.host.look().seek_id == 5


def test_the_hosts_words_go_back_on_the_engines_clock(pair: Pair) -> None:
    transport = Transport(True, 4800, Grid(RATE, 97.5), (0.0, 8.0), 3)
    pair.host.counters.late_blocks = 2
    pair.host.publish(transport, 3, BLOCK, 5, 700)
    before = time.monotonic_ns()
    words = pair.host_words(10**12, 0.04)
    assert words.hosted
    assert 0 <= before + 10**12 - words.written_ns < 10**10
    seen = list[tuple[int, float]]()

    def shift(found: Transport, written_ns: int, buffer_seconds: float) -> tuple[Transport, int]:
        seen.append((written_ns, buffer_seconds))
        return found.advanced(100), written_ns

    pair.source.take(words, shift)
    assert seen == [(words.written_ns, 0.04)]
    assert pair.ring.transport() == transport.advanced(100)
    assert pair.ring.host_counters() == {
        "underruns": 5, "underrun_samples": 700, "late_blocks": 2, "stale_blocks": 0,
    }  # fmt: skip
    assert pair.ring.host_pid != 0
    pair.host.close()
    pair.go_back()
    assert pair.ring.host_pid == 0, "the lane has no host"


def test_a_transport_that_cannot_be_is_not_passed_on(pair: Pair) -> None:
    pair.host.publish(Transport(True, 1, Grid(RATE)), 0, BLOCK)
    words = pair.host_words()
    pair.source.take(replace(words, transport=b"\xff" * len(words.transport)), lambda *_: pytest.fail("passed on"))
    assert pair.ring.transport() is None


def test_more_read_than_written_is_not_believed(pair: Pair) -> None:
    pair.ring.write(0, music(BLOCK), 1)
    pair.source.take(replace(pair.host_words(), blocks_read=10**6), lambda *_: pytest.fail("no transport"))
    words = Words(pair.ring.segment)
    assert words.get("blocks_read") == 1
    words.release()


@pytest.mark.parametrize("cut", [3, 40, 100, 700])
def test_a_frame_that_is_cut_short_is_refused(pair: Pair, cut: int) -> None:
    pair.ring.set_plan(PLAN)
    pair.ring.write(0, music(2 * BLOCK), 1)
    payload = pair.source.update()
    with pytest.raises(FrameError):
        pair.copy.take(payload[:cut])
    with pytest.raises(FrameError):
        HostWords.of(pair.copy.host(0, 0.0)[:cut] if cut < 72 else b"")


def test_a_closed_ring_closes_its_copy(pair: Pair) -> None:
    assert not pair.source.closed
    name = pair.copy.name
    pair.ring.close()
    assert pair.source.closed
    pair.copy.close()
    assert not pair.host.engine_alive()
    with pytest.raises(Exception, match="no shared memory"):
        Segment.attach(name)
