"""The transport block: the engine reads complete snapshots of the host, or none."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torn_writes import meddled, plain_words

from bridge.ring.fields import Words
from bridge.ring.reader import RingReader
from bridge.ring.transport_block import read_transport, write_transport
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature

snapshots = st.builds(
    Transport,
    playing=st.booleans(),
    position_samples=st.integers(-(2**62), 2**62),
    grid=st.builds(
        Grid,
        sample_rate_hz=st.just(48000),
        tempo_bpm=st.floats(20, 999),
        signature=st.builds(Signature, st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16])),
        anchor_samples=st.integers(-(2**40), 2**40),
        anchor_beats=st.floats(-1e6, 1e6),
        bar_origin_beats=st.floats(-1e6, 1e6),
    ),
    loop_beats=st.one_of(st.none(), st.tuples(st.floats(-1e5, 0, exclude_max=True), st.floats(0, 1e5))),
    seek_id=st.integers(0, 2**32 - 1),
)


@given(snapshots)
def test_a_snapshot_comes_back_equal(snapshot: Transport) -> None:
    words = plain_words()
    write_transport(words, snapshot, snapshot.seek_id, 256, 12345)
    assert read_transport(words, 48000) == (snapshot, 12345)


def test_nothing_written_reads_as_none(words: Words) -> None:
    assert read_transport(words, 48000) is None


def test_half_written_reads_as_none(words: Words) -> None:
    write_transport(words, Transport(True, 1, Grid(48000)), 0, 256, 1)
    words.put("transport_sequence", int(words.get("transport_sequence")) | 1)
    assert read_transport(words, 48000) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tempo_bpm", float("nan")),
        ("tempo_bpm", -1.0),
        ("tempo_bpm", 0.0),
        ("anchor_beats", float("inf")),
        ("signature_numerator", 0),
        ("signature_denominator", 7),
        ("bar_origin_beats", float("nan")),
    ],
)
def test_nonsense_reads_as_none(words: Words, name: str, value: float) -> None:
    write_transport(words, Transport(True, 1, Grid(48000)), 0, 256, 1)
    words.put(name, value)
    assert read_transport(words, 48000) is None


@pytest.mark.parametrize("view", ["u32", "i64", "f64"])
@pytest.mark.parametrize("nth", range(1, 7))
def test_write_in_the_middle_of_a_read_is_noticed(words: Words, view: str, nth: int) -> None:
    old = Transport(True, 1000, Grid(48000, 100.0, anchor_samples=1, anchor_beats=1.0), (0.0, 1.0), 1)
    new = Transport(False, 2000, Grid(48000, 200.0, Signature(3, 8), 2, 2.0, 3.0), (2.0, 4.0), 2)
    write_transport(words, old, 1, 256, 11)
    back = meddled(words, view, nth, lambda: write_transport(words, new, 2, 256, 22))
    found = read_transport(words, 48000)
    back()
    assert found in ((old, 11), (new, 22))


def test_never_torn_while_it_is_being_written() -> None:
    """Position, seek id, tempo and anchor always belong to one snapshot; an unguarded copy would mix them."""
    writer = RingWriter.create(901, 48000)
    reader = RingReader.attach(writer.name)
    stop = threading.Event()

    def host() -> None:
        count = 0
        base = Transport(True, 0, Grid(48000))
        while not stop.is_set():
            count += 1
            grid = Grid(48000, 20.0 + count % 900, anchor_samples=count, anchor_beats=float(count))
            reader.publish(replace(base, position_samples=count, grid=grid), count, 256)

    thread = threading.Thread(target=host)
    thread.start()
    seen = set()
    try:
        while len(seen) < 100:
            found = writer.transport()
            if found is None:
                continue
            count = found.position_samples
            assert (found.seek_id, found.grid.anchor_samples, found.grid.anchor_beats) == (
                count,
                count,
                count,
            )
            assert found.tempo_bpm == 20.0 + count % 900
            seen.add(count)
    finally:
        stop.set()
        thread.join()
        reader.close()
        writer.close()
