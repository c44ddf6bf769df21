"""A relay's session that comes back: which blocks it gets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bridge.control import messages
from bridge.far import frames
from bridge.far.frames import Deframer, Kind
from bridge.far.ring_source import RING_HEAD
from bridge.ring.writer import RingWriter
from engine.serve.far.session import Session

BLOCK = 64


class Kept:
    """A connection that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Kind, bytes]] = []

    def send(self, data: bytes) -> None:
        self.sent += Deframer().feed(data)

    def room(self) -> bool:
        return True

    def blocks(self) -> list[range]:
        heads = [RING_HEAD.unpack_from(payload) for kind, payload in self.sent if kind is Kind.RING]
        return [range(head[4], head[4] + head[5]) for head in heads]

    def lanes(self) -> list[object]:
        return next(frames.words_of(payload)["lanes"] for kind, payload in self.sent if kind is Kind.WELCOME)


@pytest.fixture
def ring() -> Iterator[RingWriter]:
    made = RingWriter.create(59, 48_000, 2, 0.02, BLOCK)
    made.write(0, np.zeros((6 * BLOCK, 2), np.float32), 1)
    yield made
    made.close()


def test_it_goes_on_from_the_block_that_the_relay_has_not(ring: RingWriter) -> None:
    session, first = Session(1, ""), Kept()
    session.connect(first, {})
    opened = (1, messages.LANE_OPEN.address, 59, ring.name)
    session._look_at_lane(1, messages.OK.address, opened)
    session.turn()
    assert first.blocks() == [range(6)]
    known = next(frames.words_of(payload)["ring"] for kind, payload in first.sent if kind is Kind.LANE)
    session.cut_off(first)
    ring.write(6 * BLOCK, np.zeros((2 * BLOCK, 2), np.float32), 1)

    again = Kept()  # two of the six were lost on the way
    assert session.connect(again, {"59": {"ring": known, "blocks": 4}}) == 1
    session.turn()
    assert (again.lanes(), again.blocks()) == ([59], [range(4, 8)])

    other = Kept()  # a relay that knows nothing, or another ring of that name, gets the lane anew
    assert session.connect(other, {"59": {"ring": [ring.name, 0, 0], "blocks": 4}}) == 0
    session.turn()
    assert (other.lanes(), other.blocks()) == ([], [range(8)])
    assert Kind.LANE in [kind for kind, _ in other.sent]
    session.close()


def test_a_ring_that_closes_is_told(ring: RingWriter) -> None:
    session, pipe = Session(1, ""), Kept()
    session.connect(pipe, {})
    session._look_at_lane(1, messages.OK.address, (1, messages.LANE_OPEN.address, 59, ring.name))
    session.look(0.0)
    assert Kind.CLOSED not in [kind for kind, _ in pipe.sent]
    ring.close()
    session.look(0.0)
    assert [frames.words_of(payload) for kind, payload in pipe.sent if kind is Kind.CLOSED] == [{"lane": 59}]
    session.close()
