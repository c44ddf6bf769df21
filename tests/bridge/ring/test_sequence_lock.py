"""One sequence lock for plan, fader and transport: a block is read whole or not at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torn_writes import meddled

from bridge.ring.fader_block import Fader, read_fader, write_fader
from bridge.ring.fields import Words
from bridge.ring.form import PlaybackPlan, read_plan, write_plan
from bridge.ring.sequence_lock import TRIES, SequenceLock
from bridge.ring.transport_block import read_transport, write_transport
from bridge.time.transport import Grid, Transport

OLD_PLAN, NEW_PLAN = PlaybackPlan(3, False, 1, 2, 3, 4), PlaybackPlan(13, True, 11, 12, 13, 14)
OLD_FADER, NEW_FADER = Fader(0.25, ((1, 0.5),), 4), Fader(2.0, ((11, 1.5), (12, 1.25)), 14)
SNAPSHOT = Transport(True, 1, Grid(48000))
BLOCKS: dict[str, tuple[Callable[[Words], None], Callable[[Words], bool]]] = {  # how it is written; whether it is there
    "plan": (lambda words: write_plan(words, NEW_PLAN), lambda words: read_plan(words, OLD_PLAN, 0)[0] == NEW_PLAN),
    "fader": (lambda words: write_fader(words, NEW_FADER), lambda words: read_fader(words, None, 0)[0] == NEW_FADER),
    "transport": (
        lambda words: write_transport(words, SNAPSHOT, 0, 256, 1),
        lambda words: read_transport(words, 48000) == (SNAPSHOT, 1),
    ),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_what_was_written_is_read(words: Words, block: str) -> None:
    write, there = BLOCKS[block]
    assert not there(words)
    write(words)
    assert there(words)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_that_is_being_written_is_not_read(words: Words, block: str) -> None:
    write, there = BLOCKS[block]
    write(words)
    lock = SequenceLock(f"{block}_sequence")
    begun = lock.begin(words)
    assert not there(words)
    lock.end(words, begun)
    assert there(words)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_number_never_means_unwritten_again(words: Words, block: str) -> None:
    """After 2^31 writes the sequence begins anew, but not at 0: that is a block nobody wrote."""
    write, there = BLOCKS[block]
    words.put(f"{block}_sequence", 0xFFFFFFFE)
    write(words)
    assert words.get(f"{block}_sequence") == 2
    assert there(words)


@pytest.mark.parametrize("nth", range(1, 6))
@pytest.mark.parametrize("view", ["u32", "i64", "f64"])
def test_a_write_in_the_middle_of_a_read_is_noticed(words: Words, view: str, nth: int) -> None:
    write_plan(words, OLD_PLAN)
    write_fader(words, OLD_FADER)
    back = meddled(words, view, nth, lambda: write_plan(words, NEW_PLAN))
    plan, _ = read_plan(words, PlaybackPlan(), 0)
    back()
    back = meddled(words, view, nth, lambda: write_fader(words, NEW_FADER))
    fader, _ = read_fader(words, None, 0)
    back()
    assert plan in (OLD_PLAN, NEW_PLAN)
    assert fader in (OLD_FADER, NEW_FADER)


def test_a_reader_gives_up_after_a_few_tries(words: Words) -> None:
    """A writer that publishes during each try: the reader keeps what it knows, and comes to an end."""
    lock, tries = SequenceLock("plan_sequence"), []
    write_plan(words, OLD_PLAN)

    def copy(words: Words) -> None:
        tries.append(1)
        write_plan(words, NEW_PLAN)

    assert lock.read(words, 0, copy) is None
    assert len(tries) == TRIES


def test_what_is_known_is_not_copied(words: Words) -> None:
    write_fader(words, OLD_FADER)
    lock = SequenceLock("fader_sequence")
    found = lock.read(words, 0, lambda words: "copied")
    assert found == ("copied", 2)
    assert not lock.changed(words, 2)
    assert lock.read(words, 2, lambda words: pytest.fail("copied again")) is None
