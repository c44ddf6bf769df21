"""Pictures of a ring: each block's edges at its place, the host, what is committed; a lane that goes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bridge.ring.form import PlaybackPlan
from bridge.ring.reader import RingReader
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport
from engine.serve.lane.renewal import MARGIN_MOST_SECONDS
from plugin_host.panel.peaks import COLUMN, COMMITTED_SECONDS, HEAD, LanePicture

RATE, BLOCK, LANE = 48_000, 256, 947


@pytest.fixture
def ring() -> Iterator[RingWriter]:
    made = RingWriter.create(LANE, RATE, 2, 4.0, BLOCK)
    yield made
    made.close()


def read(picture: LanePicture) -> tuple[dict[str, float], np.ndarray]:
    data = picture.read()
    assert data is not None
    names = ("kind", "lane", "columns", "rate", "block", "seek", "host", "committed", "end", "playing")
    head = dict(zip(names, HEAD.unpack(data[: HEAD.size]), strict=True))
    columns = np.frombuffer(data[HEAD.size :], COLUMN)
    assert head["columns"] == len(columns)
    return head, columns


def level(value: float, blocks: int = 4) -> np.ndarray:
    audio = np.full((blocks * BLOCK, 2), value, np.float32)
    audio[:, 1] = -value
    return audio


def test_the_margin_is_the_engines() -> None:
    assert COMMITTED_SECONDS == MARGIN_MOST_SECONDS


def test_a_picture_has_the_edges_of_each_block_at_its_place(ring: RingWriter) -> None:
    picture = LanePicture(0, ring.name)
    assert len(read(picture)[1]) == 0
    ring.write(10 * BLOCK, level(0.5), 1)
    ring.write(14 * BLOCK, level(9.0), 1)  # beyond full scale
    head, columns = read(picture)
    assert columns["place"].tolist() == list(range(10, 18))
    assert columns["low"].tolist() == [-63] * 4 + [-127] * 4
    assert columns["high"].tolist() == [63] * 4 + [127] * 4
    assert (head["rate"], head["block"], head["host"]) == (RATE, BLOCK, -1.0)
    ring.write(12 * BLOCK, level(0.25, 2), 2)  # made again
    assert read(picture)[1].tolist() == [(12, -31, 31), (13, -31, 31)]
    picture.close()
    picture.close()


def test_a_picture_says_what_is_committed(ring: RingWriter) -> None:
    picture, reader = LanePicture(0, ring.name), RingReader.attach(ring.name)
    ring.write(0, level(0.5, 400), 1)
    ring.set_plan(PlaybackPlan(1, True, 0, 0, RATE * 60, 0))
    reader.publish(Transport(False, 4800, Grid(RATE)), 0, BLOCK)
    head, columns = read(picture)
    assert len(columns) == 400
    assert (head["host"], head["playing"]) == (4800, 0)
    assert head["committed"] == 4800 + COMMITTED_SECONDS * RATE
    assert head["end"] == 400 * BLOCK
    reader.publish(Transport(False, 400 * BLOCK - 100, Grid(RATE)), 7, BLOCK)
    head, _ = read(picture)
    assert (head["committed"], head["seek"]) == (400 * BLOCK, 7)  # no further than what is made
    reader.close()
    picture.close()


def test_the_picture_of_a_closed_lane_ends(ring: RingWriter) -> None:
    picture = LanePicture(0, ring.name)
    ring.close()
    assert picture.read() is None
    picture.close()
