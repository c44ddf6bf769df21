"""The ring: positions, wrapping, full, empty, plans and seeks; two real processes; hostile memory."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.errors import SegmentForeign, SegmentMissing, SharedMemoryError
from bridge.ring import bus, layout, shared_memory
from bridge.ring import reader as ring_reader
from bridge.ring.fields import Words
from bridge.ring.form import Audio, PlaybackPlan, RingForm, publish_form
from bridge.ring.listener import RingListener
from bridge.ring.reader import RingReader
from bridge.ring.shared_memory import Segment
from bridge.ring.writer import RingWriter, capacity_for
from bridge.time.transport import Grid, Transport

ROOT = Path(__file__).parents[3]
MODULUS = 1 << 24


def ramp(begin: int, n: int, channels: int = 2) -> Audio:
    """Samples with their number as value, channel c 0.5 higher."""
    numbers = np.arange(begin, begin + n, dtype=np.float32)
    return np.stack([numbers + 0.5 * c for c in range(channels)], axis=1)


def small(lane: int = 920, blocks: int = 4, block_samples: int = 16, channels: int = 2) -> RingWriter:
    form = RingForm(48000, channels, block_samples, blocks, lane)
    return RingWriter(Segment.create(shared_memory.segment_name(lane), form.n_bytes), form)


@pytest.fixture(autouse=True)
def samples_tell_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample values are numbers, far above full scale."""
    monkeypatch.setattr(ring_reader, "LOUDEST", 1e15)


@pytest.fixture
def pair() -> Iterator[tuple[RingWriter, RingReader]]:
    writer = small()
    reader = RingReader.attach(writer.name)
    yield writer, reader
    reader.close()
    writer.close()


Pair = tuple[RingWriter, RingReader]


def fetch(reader: RingReader, position: int, n: int, seek_id: int = 0) -> tuple[int, int, Audio]:
    out = np.full((n, reader.form.channels), -1, np.float32)
    begin, end = reader.read(position, out, seek_id)
    assert (out[:begin] == -1).all()
    assert (out[end:] == -1).all()
    return begin, end, out[begin:end]


def test_empty_gives_nothing(pair: Pair) -> None:
    assert fetch(pair[1], 0, 32)[:2] == (0, 0)
    assert pair[1].ahead_samples(0) == 0


@pytest.mark.parametrize("seed", range(4))
def test_any_cut_of_writes_and_reads_equals_whole(pair: Pair, seed: int) -> None:
    writer, reader = pair
    cuts, written, copied = random.Random(seed), 0, []
    position = 0
    while position < 2000:
        written += writer.write(written, ramp(written, cuts.randint(1, 90)), 1)
        begin, end, got = fetch(reader, position, cuts.randint(1, min(60, max(written - position, 1))))
        assert begin == 0
        copied.append(got.copy())
        position += end
    assert np.array_equal(np.concatenate(copied), ramp(0, position))
    assert (reader.counters.late_blocks, reader.counters.stale_blocks, reader.counters.broken_blocks) == (
        0,
        0,
        0,
    )


def test_reach_never_promises_a_block_that_is_not_published(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that waits for its block finds it even if the writer stops between two stores."""
    writer, reader = pair
    writer.write(0, ramp(0, 16), 1)
    fence, seen = Words.fence, []

    def look(words: Words) -> None:
        fence(words)
        promised = reader.ahead_samples(0)
        seen.append(promised)
        assert promised <= 16 * int(words.get("blocks_written"))

    monkeypatch.setattr(Words, "fence", look)
    writer.write(16, ramp(16, 32), 1)
    assert len(seen) >= 2
    assert reader.ahead_samples(0) == 48


def test_full_takes_no_more_and_loses_nothing(pair: Pair) -> None:
    writer, reader = pair
    assert writer.write(0, ramp(0, 100), 1) == 64
    assert writer.space_samples == 0
    assert writer.write(64, ramp(64, 1), 1) == 0
    assert reader.ahead_samples(10) == 54
    assert np.array_equal(fetch(reader, 0, 16)[2], ramp(0, 16))
    assert writer.write(64, ramp(64, 100), 1) == 16
    assert np.array_equal(fetch(reader, 16, 64)[2], ramp(16, 64))


def test_sample_lands_on_its_position(pair: Pair) -> None:
    writer, reader = pair
    writer.write(1005, ramp(0, 10), 1)
    assert fetch(reader, 990, 16)[:2] == (15, 16)
    assert np.array_equal(fetch(reader, 1006, 16)[2], ramp(1, 9))


def test_gap_is_reported_and_what_follows_stays(pair: Pair) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 8), 1)
    writer.write(12, ramp(12, 8), 1)
    assert fetch(reader, 0, 32)[:2] == (0, 8)
    begin, end, got = fetch(reader, 8, 24)
    assert (begin, end) == (4, 12)
    assert np.array_equal(got, ramp(12, 8))


def test_late_blocks_are_dropped_and_counted(pair: Pair) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 48), 1)
    assert np.array_equal(fetch(reader, 40, 16)[2], ramp(40, 8))
    assert reader.counters.late_blocks == 2
    assert reader.counters.blocks == 1
    writer.write(48, ramp(48, 16), 1)
    assert fetch(reader, 200, 16)[:2] == (0, 0)
    assert reader.counters.late_blocks == 3
    assert writer.space_samples == 64


def test_block_that_ends_where_the_reader_begins_is_late(pair: Pair) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 16), 1)
    assert fetch(reader, 16, 16)[:2] == (0, 0)
    assert (reader.counters.late_blocks, reader.counters.blocks) == (1, 0)


def test_newer_plan_overtakes_from_its_position(pair: Pair) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 32), 1)
    writer.set_plan(PlaybackPlan(plan_revision=2, sounding=True, from_samples=20))
    writer.write(20, ramp(1020, 16), 2)
    out = np.zeros((36, 2), np.float32)
    assert reader.read(0, out) == (0, 36)
    assert np.array_equal(out, np.concatenate([ramp(0, 20), ramp(1020, 16)]))
    assert reader.plan.plan_revision == 2
    assert reader.plan.sounding
    writer.set_plan(PlaybackPlan(plan_revision=3, from_samples=0))
    writer.write(36, ramp(0, 16), 2)
    assert fetch(reader, 36, 16)[:2] == (0, 0)
    assert reader.counters.stale_blocks == 1


def test_a_jump_drops_the_old_blocks_and_waits_for_the_next(pair: Pair) -> None:
    writer, reader = pair
    writer.write(100, ramp(100, 16), 1, seek_id=0)
    writer.write(50, ramp(500, 16), 1, seek_id=1)
    assert fetch(reader, 50, 16, seek_id=0)[:2] == (0, 0)  # of the next pass: stays, and 100 waits before it
    assert np.array_equal(fetch(reader, 50, 16, seek_id=1)[2], ramp(500, 16))
    assert reader.counters.stale_blocks == 1
    assert reader.counters.late_blocks == 0


def test_block_of_the_next_loop_pass_is_kept_for_it(pair: Pair) -> None:
    writer, reader = pair
    writer.write(84, ramp(84, 16), 1, seek_id=0)
    writer.write(0, ramp(0, 16), 1, seek_id=1)  # written ahead, before the host has looped
    assert fetch(reader, 84, 32)[:2] == (0, 16)
    assert fetch(reader, 100, 4)[:2] == (0, 0)
    assert np.array_equal(fetch(reader, 0, 16, seek_id=1)[2], ramp(0, 16))
    assert (reader.counters.stale_blocks, reader.counters.late_blocks) == (0, 0)


def test_newer_plan_overtakes_the_next_loop_pass_too(pair: Pair) -> None:
    writer, reader = pair
    writer.write(84, ramp(84, 16), 1, seek_id=0)
    writer.write(0, ramp(0, 16), 1, seek_id=1)
    writer.set_plan(PlaybackPlan(plan_revision=2, sounding=True, from_samples=92, seek_id=0))
    writer.write(92, ramp(500, 8), 2, seek_id=0)  # regenerated, behind the old pass in the ring
    writer.write(0, ramp(900, 16), 2, seek_id=1)
    assert np.array_equal(fetch(reader, 84, 16)[2], np.concatenate([ramp(84, 8), ramp(500, 8)]))
    assert np.array_equal(fetch(reader, 0, 16, seek_id=1)[2], ramp(900, 16))


@pytest.mark.parametrize(("name", "value"), [("slot_number", 99), ("slot_n_samples", 0), ("slot_n_samples", 17)])
def test_slot_that_makes_no_sense_is_dropped_and_counted(pair: Pair, name: str, value: int) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 48), 1)
    field = next(field for field in layout.SLOT.fields if field.name == name)
    at = layout.HEADER_BYTES + layout.SLOT_BYTES + field.offset  # of the second block
    writer.segment.memory[at : at + layout.SIZES[field.code]] = value.to_bytes(layout.SIZES[field.code], "little")
    assert fetch(reader, 0, 48)[:2] == (0, 16)
    assert fetch(reader, 16, 32)[:2] == (16, 32)
    assert reader.counters.broken_blocks == 1


def test_plan_overtakes_the_next_pass_wherever_that_lies(pair: Pair) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 16), 1, seek_id=1)  # before the plan's position, but of a later timeline
    writer.set_plan(PlaybackPlan(plan_revision=2, sounding=True, from_samples=100))
    writer.write(100, ramp(100, 16), 2)
    assert np.array_equal(fetch(reader, 100, 16)[2], ramp(100, 16))
    assert reader.counters.stale_blocks == 1


def test_not_finite_never_comes_out(pair: Pair) -> None:
    writer, reader = pair
    spoiled = ramp(0, 16)
    spoiled[3, 1] = np.nan
    writer.write(0, spoiled, 1)
    writer.write(16, np.full((16, 2), np.inf, np.float32), 1)
    writer.write(32, ramp(32, 16), 1)
    assert fetch(reader, 0, 48)[:2] == (32, 48)
    assert reader.counters.broken_blocks == 2


@pytest.mark.parametrize("loud", [9e14, -9e14, 12.0])
def test_samples_that_only_a_broken_writer_can_have_meant_are_brought_down(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, loud: float
) -> None:
    monkeypatch.setattr(ring_reader, "LOUDEST", 8.0)
    writer, reader = pair
    spoiled = np.full((16, 2), 0.5, np.float32)
    spoiled[3, 1] = loud
    writer.write(0, spoiled, 1)
    copied = fetch(reader, 0, 16)[2]
    assert copied[3, 1] == np.copysign(8.0, loud)
    assert (np.delete(copied.reshape(-1), 7) == 0.5).all()


@pytest.mark.parametrize("seek_id", [5, 1025, 2**32 - 1])
def test_a_slot_for_a_later_seek_that_cannot_come_blocks_nothing(pair: Pair, seek_id: int) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 16), 1)
    writer.write(16, ramp(16, 16), 1, seek_id=seek_id)
    writer.write(32, ramp(32, 16), 1)
    assert fetch(reader, 0, 16)[:2] == (0, 16)
    assert fetch(reader, 16, 32)[:2] == (16, 32)
    assert reader.counters.broken_blocks == 1


def test_a_slot_far_beyond_any_loop_is_dropped_without_music_behind_it(pair: Pair) -> None:
    writer, reader = pair
    writer.write(0, ramp(0, 16), 1, seek_id=1024)  # still of a later timeline
    assert fetch(reader, 0, 16)[:2] == (0, 0)
    assert writer.space_samples == 48
    writer.set_plan(PlaybackPlan(plan_revision=2, sounding=True))
    fetch(reader, 0, 16)
    writer.write(0, ramp(0, 16), 2, seek_id=1025)
    assert fetch(reader, 0, 16)[:2] == (0, 0)
    assert writer.space_samples == 64
    assert reader.counters.broken_blocks == 1


def test_a_ring_that_is_made_anew_under_the_same_name_is_another(pair: Pair) -> None:
    writer, reader = pair
    assert reader.is_ring(writer.name)
    assert not reader.is_ring(shared_memory.segment_name(921))
    writer.segment.unlink()
    assert not reader.is_ring(writer.name)
    second = small()
    assert second.name == writer.name
    assert not reader.is_ring(writer.name)
    other = RingReader.attach(second.name)
    assert other.is_ring(second.name)
    assert not reader.engine_ended()
    other.close()
    second.close()


def test_an_engine_that_ends_is_seen_at_once() -> None:
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/bridge/ring/ring_child.py"), "hang"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    reader = RingReader.attach(child.stdout.readline().decode().strip())
    assert not reader.engine_ended()
    child.kill()
    while reader.engine_alive() and not reader.engine_ended():
        time.sleep(0.002)
    assert reader.engine_ended(), "nobody has waited for it yet, and its last sign of life is young"
    child.wait()
    reader.close()
    shared_memory.remove_stale()


CUT = """
import os, sys
import numpy as np
from bridge.ring.reader import RingReader
from bridge.ring.writer import RingWriter
writer = RingWriter.create(926, 48000)
reader = RingReader.attach(writer.name)
writer.write(0, np.full((512, 2), 0.5, np.float32), 1)
with open(f"/dev/shm/{writer.name}", "r+b") as file:
    file.truncate(0)
out = np.ones((512, 2), np.float32)
begin, end = reader.read(0, out)  # its header reads as zeros now
assert begin == end == 0
reader.ahead_samples(0), reader.look(), reader.engine_alive(), writer.beat(), writer.transport()
writer.write(512, np.full((4096, 2), 0.5, np.float32), 1)
assert reader.segment.cut and writer.segment.cut
writer.close(), reader.close()
print("lives")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="cuts a segment through /dev/shm, which Linux alone has")
@pytest.mark.skipif(
    not bus.available(), reason="bridge/ring/bus.c is not compiled: no C compiler when Segue was installed"
)
def test_a_segment_that_is_cut_while_it_is_used_ends_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", CUT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "lives"), done.stderr


@pytest.mark.skipif(
    not bus.available(), reason="bridge/ring/bus.c is not compiled: no C compiler when Segue was installed"
)
def test_other_bus_errors_still_end_the_process(tmp_path: Path) -> None:
    script = f"""
import mmap
from bridge.ring.shared_memory import Segment, segment_name
segment = Segment.create(segment_name(927), 4096)
segment.unlink()
file = open({str(tmp_path / "file")!r}, "w+b")
file.truncate(8192)
mapped = mmap.mmap(file.fileno(), 8192)
file.truncate(0)
mapped[5000]
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGBUS


def test_wrong_audio_is_refused(pair: Pair) -> None:
    for bad in (np.zeros(16, np.float32), np.zeros((16, 3), np.float32), np.zeros((16, 2), np.float64)):
        with pytest.raises(ValueError, match="float32"):
            pair[0].write(0, bad, 1)


def test_capacity_holds_the_seconds() -> None:
    for rate in (8000, 44100, 48000, 192000):
        blocks = capacity_for(4.0, rate)
        assert blocks & (blocks - 1) == 0
        assert blocks * 256 >= 4 * rate > blocks * 64
    for bad in ({"channels": 9}, {"capacity_blocks": 12}, {"block_samples": 8}, {"sample_rate_hz": 1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            RingForm(**{"sample_rate_hz": 48000, **bad})


def test_listeners_read_all_and_move_nothing(pair: Pair) -> None:
    writer, reader = pair
    listeners = [RingListener.attach(writer.name) for _ in range(2)]
    before = bytes(writer.segment.memory[:256])
    writer.write(7, ramp(7, 40), 5)
    after_write = bytes(writer.segment.memory[:256])
    out = np.zeros((16, 2), np.float32)
    for listener in listeners:
        copied = []
        while (found := listener.read(out)) is not None:
            assert found[0] == 7 + 16 * len(copied)
            assert found[2] == 5
            copied.append(out[: found[1]].copy())
        assert np.array_equal(np.concatenate(copied), ramp(7, 40))
    assert before != after_write == bytes(writer.segment.memory[:256])
    for turn in range(20):
        writer.write(100 + 16 * turn, ramp(0, 16), 5)
        reader.read(100 + 16 * turn, out)
    assert listeners[0].read(out) == (100 + 16 * 17, 16, 5)
    assert listeners[0].lost_blocks == 17
    for listener in listeners:
        listener.close()


# -- two processes ------------------------------------------------------------------------------------


def child(*arguments: str) -> subprocess.Popen[str]:
    script = str(ROOT / "tests/bridge/ring/ring_child.py")
    return subprocess.Popen(
        [sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )


def name_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_an_hour_between_two_processes_without_one_lost_or_doubled() -> None:
    total = 3600 * 48000
    process = child("count", str(total), "7")
    reader = RingReader.attach(name_from(process))
    out = np.zeros((16384, 1), np.float32)
    sizes, position = random.Random(11), 0
    deadline = time.monotonic() + 240
    try:
        while position < total:
            n = sizes.choice((1, 64, 256, 4096, 16384, 16384))
            begin, end = reader.read(position, out[:n])
            if end == 0:
                assert time.monotonic() < deadline, f"stuck at {position}"
                time.sleep(0.0003)
                continue
            assert begin == 0
            numbers = np.arange(position, position + end, dtype=np.int64) & (MODULUS - 1)
            assert np.array_equal(out[:end, 0], numbers.astype(np.float32)), f"after {position}"
            position += end
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        reader.close()
    counters = reader.counters
    assert (counters.late_blocks, counters.stale_blocks, counters.broken_blocks) == (0, 0, 0)


def test_what_a_killed_engine_left_is_cleared_and_the_living_stays() -> None:
    process, living = child("hang"), small(lane=921)
    name = name_from(process)
    reader = RingReader.attach(name)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert name in shared_memory.existing()
    removed = shared_memory.remove_stale()
    assert name in removed
    assert living.name not in removed
    assert name not in shared_memory.existing()
    assert living.name in shared_memory.existing()
    with pytest.raises(SegmentMissing, match=name):
        RingReader.attach(name)
    with pytest.raises(SegmentMissing, match="removed"):
        reader.check()
    assert fetch(reader, 0, 16)[:2] == (0, 0)  # the mapping is still readable
    reader.close()
    living.close()
    living.close()
    assert living.name not in shared_memory.existing()


def test_second_reader_is_refused_while_the_first_lives() -> None:
    process = child("hang")
    name = name_from(process)
    writer = small(lane=922)
    try:
        Words(writer.segment).put("host_pid", process.pid)
        with pytest.raises(SharedMemoryError, match=str(process.pid)):
            RingReader.attach(writer.name)
        assert not writer.host_gone()
        process.kill()
        process.wait()
        assert writer.host_gone()
        RingReader.attach(writer.name).close()
        assert writer.host_pid == 0
    finally:
        process.kill()
        writer.close()
        shared_memory.unlink(name)


# -- foreign memory ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("magic", 0, "not a Segue ring"),
        ("version", layout.VERSION + 1, "layout version 2, this host reads 1"),
        ("channels", 0, "channels"),
        ("channels", 4096, "channels"),
        ("capacity_blocks", 5, "power of two"),
        ("capacity_blocks", 2**31, "capacity_blocks"),
        ("block_samples", 2**32 - 1, "block_samples"),
        ("sample_rate_hz", 1, "sample_rate_hz"),
        ("segment_bytes", 2**63, "segment_bytes"),
        ("slots_offset", 0, "slots_offset"),
        ("payload_offset", 64, "payload_offset"),
    ],
)
def test_header_that_does_not_fit_is_refused(name: str, value: int, said: str) -> None:
    writer = small(lane=923)
    words = Words(writer.segment)
    words.put(name, value)
    words.release()
    with pytest.raises(SegmentForeign, match=said):
        RingReader.attach(writer.name)
    with pytest.raises(SegmentForeign, match=said):
        RingListener.attach(writer.name)
    writer.close()


def test_segment_smaller_than_it_says() -> None:
    form = RingForm(48000, lane=924)
    segment = Segment.create(shared_memory.segment_name(924), 8192)
    words = Words(segment)
    publish_form(segment, words, form, 1, 1)
    words.put("segment_bytes", form.n_bytes)
    words.release()
    with pytest.raises(SharedMemoryError, match="8192 of"):
        RingReader.attach(segment.name)
    segment.unlink()
    segment.close()


@pytest.mark.skipif(sys.platform != "linux", reason="cuts a segment through /dev/shm, which Linux alone has")
def test_segment_cut_or_vanished_says_so(pair: Pair) -> None:
    writer, reader = pair
    reader.check()
    with open(f"/dev/shm/{writer.name}", "r+b") as file:
        file.truncate(4096)
        with pytest.raises(SegmentMissing, match="cut to 4096"):
            reader.check()
        with pytest.raises(SharedMemoryError, match="4096 of"):
            RingReader.attach(writer.name)
        file.truncate(100)
        with pytest.raises(SegmentForeign, match="less than a header"):
            RingReader.attach(writer.name)
        file.truncate(0)
        with pytest.raises(SegmentForeign, match="empty"):
            RingReader.attach(writer.name)
        file.truncate(writer.form.n_bytes)
    writer.segment.unlink()
    with pytest.raises(SegmentMissing, match="removed"):
        reader.check()


def test_names_are_checked() -> None:
    for bad in ("../etc/passwd", "segue-1", "segue-1-2-3", "/segue-1-2", "segue--1-2", ""):
        with pytest.raises(ValueError, match="segue-<pid>-<lane>"):
            Segment.attach(bad)
    with pytest.raises(SegmentMissing):
        Segment.attach("segue-1-999999")


def test_hostile_words_never_crash_the_reader_nor_get_out() -> None:
    writer = small(lane=925, blocks=8)
    reader = RingReader.attach(writer.name)
    noise, memory = random.Random(3), writer.segment.memory
    whole = bytes(memory)
    out = np.zeros((64, 2), np.float32)
    edges = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
    for turn in range(20_000):
        if turn % 50 == 0:
            memory[:] = whole
            writer.write(noise.randrange(100), ramp(0, 100), 1)
        # the reader checks the identity words once and never reads them again: they may change too
        at = noise.randrange(0, len(memory) // 8) * 8 if noise.random() < 0.3 else 64 + noise.randrange(86) * 8
        word = noise.choice(edges) if noise.random() < 0.5 else noise.getrandbits(64)
        memory[at : at + 8] = word.to_bytes(8, "little")
        begin, end = reader.read(noise.randrange(200), out, noise.choice((0, 0, 0, 1)))
        assert 0 <= begin <= end <= 64
        assert np.isfinite(out[begin:end]).all()
        assert 0 <= reader.ahead_samples(0) <= writer.form.capacity_samples
        reader.engine_alive()
        writer.transport(), writer.host_gone(), writer.host_counters()
    assert reader.counters.broken_blocks > 0
    reader.close()
    writer.close()


def test_heartbeat(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    writer, reader = pair
    assert reader.engine_alive()
    now = time.monotonic_ns()
    monkeypatch.setattr(time, "monotonic_ns", lambda: now + 600_000_000)
    assert not reader.engine_alive()
    writer.beat()
    assert reader.engine_alive()
    Words(writer.segment).put("engine_state", layout.ENGINE_CLOSED)
    assert not reader.engine_alive()


def test_a_ring_that_was_closed_has_no_host() -> None:
    """Other threads still read its lane while it closes."""
    writer = RingWriter.create(77, 48_000, 2, seconds=1.0)
    reader = RingReader.attach(writer.name)
    reader.publish(Transport(True, 0, Grid(48_000)), 0, 256)
    assert writer.host_pid
    assert writer.transport() is not None
    writer.close()
    assert (writer.host_pid, writer.host_gone(), writer.host_silent_seconds()) == (0, False, float("inf"))
    assert set(writer.host_counters().values()) == {0}
    assert writer.transport() is writer.transport_said() is None
    reader.close()


def test_a_block_is_taken_by_the_plan_that_was_looked_at(pair: Pair) -> None:
    """`take` follows the plan of the block's one `look`, whatever the engine publishes meanwhile; `read` looks."""
    writer, reader = pair
    writer.set_plan(PlaybackPlan(1, True, 0, 0))
    writer.write(0, ramp(0, 48), 1)
    assert reader.look().plan_revision == 1
    writer.set_plan(PlaybackPlan(2, True, 0, 0))
    out = np.zeros((16, 2), np.float32)
    assert reader.take(0, out) == (0, 16)
    assert reader.read(16, out) == (0, 0), "the older generation counts no longer"
    assert reader.counters.stale_blocks == 2
