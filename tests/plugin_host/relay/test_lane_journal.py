"""What another engine is told of a lane, without engines: what was in force, who said it, what is still to come."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.control import messages
from bridge.control.arguments import At
from plugin_host.relay.lane_journal import Chunks, Entry, LaneJournal

HOST, PANEL = 1, 2
m = messages


class Lane:
    """A journal, and short words for what happens to its lane."""

    def __init__(self) -> None:
        self.journal, self.position, self._ids = LaneJournal(HOST), 0.0, 0

    def say(
        self, client: int, row: messages.Message, *values: object, at: float | None = None, music: Any = None
    ) -> int:
        self._ids += 1
        said = row.check((self._ids, 3, *values))
        self.journal.asked(Entry(row, said, client, self._ids, music), self.position)
        if at is not None:
            self.journal.placed(client, self._ids, row, {"beats": at})
        return self._ids

    def play(self, seed: int) -> None:
        self.journal.placed(HOST, 0, m.LANE_PLAY, {"start_beats": 0.0, "seed": seed})

    def elsewhere(self) -> None:
        self.journal.lost = True
        self.journal.opened_again()

    def told(self) -> list[tuple[object, ...]]:
        """What the other engine is told: the last part of the address and the values, `at` too if it is a beat."""
        return [
            (each.row.address.rpartition("/")[2],
             *(value for name, value in each.values.items()
               if name not in ("id", "lane") and value != At("now")))
            for each in self.journal.to_send(self.position)
        ]  # fmt: skip


@pytest.fixture
def lane() -> Lane:
    return Lane()


def test_what_others_set_since_comes_after_what_the_host_says_again(lane: Lane) -> None:
    lane.say(HOST, m.LANE_PROMPT, "house")
    lane.say(HOST, m.LANE_SET, "temperature", 1.0)
    lane.play(77)
    lane.say(PANEL, m.LANE_PROMPT, "calm", at=8.0)
    lane.say(PANEL, m.LANE_SET, "guidance", 4.0)
    lane.journal.placed(PANEL, 0, m.LANE_RESEED, {"seed": 99})
    lane.position = 16.0
    lane.elsewhere()
    lane.say(HOST, m.LANE_PROMPT, "house")
    lane.say(HOST, m.LANE_SET, "seed", 77.0)
    lane.say(HOST, m.LANE_SET, "temperature", 1.0)
    assert lane.told() == [
        ("set", "temperature", 1.0), ("prompt", "calm"), ("set", "guidance", 4.0), ("set", "seed", 99.0),
    ]  # fmt: skip
    assert not lane.journal.restoring


def test_nothing_is_told_that_the_host_has_said_already(lane: Lane) -> None:
    lane.say(HOST, m.LANE_PROMPT, "house", at=0.0)
    lane.say(HOST, m.LANE_MORPH, "prompts", 8.0, "now", 0.0, 1.0)
    lane.play(77)
    lane.elsewhere()
    lane.say(HOST, m.LANE_PROMPT, "house")
    lane.say(HOST, m.LANE_MORPH, "prompts", 0.0, "now", 0.0, 1.0)
    lane.say(HOST, m.LANE_SET, "seed", 77.0)
    assert lane.told() == []


def test_what_the_host_says_differently_is_new(lane: Lane) -> None:
    lane.say(HOST, m.LANE_SET, "temperature", 1.0)
    lane.say(PANEL, m.LANE_SET, "temperature", 0.5)
    lane.elsewhere()
    lane.say(HOST, m.LANE_SET, "temperature", 0.9)
    assert lane.told() == []
    lane.elsewhere()
    lane.say(HOST, m.LANE_SET, "temperature", 0.9)
    assert lane.told() == [], "and it is in force from then on"


def test_a_change_to_come_keeps_its_beat_and_a_glide_that_began_is_at_its_goal(lane: Lane) -> None:
    lane.say(PANEL, m.LANE_MORPH, "prompts", 8.0, "bar", 0.0, 1.0, at=8.0)
    lane.say(PANEL, m.LANE_PROMPT, "now heard", at=4.0)
    lane.say(PANEL, m.LANE_PROMPT, "to come", "bar", at=20.0)
    lane.say(PANEL, m.LANE_SET, "temperature", 0.5, "bar", at=24.0)
    lane.say(PANEL, m.LANE_MUTE, 1, "now", 2.0, at=4.0)
    lane.position = 12.0
    lane.elsewhere()
    weights = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert lane.told() == [
        ("morph", "prompts", 0.0, *weights), ("prompt", "now heard"), ("prompt", "to come", At(beats=20.0)),
        ("set", "temperature", 0.5, At(beats=24.0)),
    ]  # fmt: skip


def test_refused_and_cancelled_requests_are_not_told(lane: Lane) -> None:
    lane.say(PANEL, m.LANE_PROMPT, "calm", at=0.0)
    refused = lane.say(PANEL, m.LANE_PROMPT, "refused")
    lane.journal.refused(PANEL, refused, m.LANE_PROMPT)
    one = lane.say(PANEL, m.LANE_PROMPT, "one", "bar", at=20.0)
    lane.say(PANEL, m.LANE_PROMPT, "two", "bar", at=24.0)
    lane.journal.cancelled(PANEL, one, 4.0)
    lane.position = 4.0
    lane.elsewhere()
    assert lane.told() == [("prompt", "calm"), ("prompt", "two", At(beats=24.0))]
    lane.journal.cancelled(PANEL, 0, 4.0)
    lane.elsewhere()
    assert lane.told() == [("prompt", "calm")]


def test_references_go_along_but_the_host_knows_best_what_was_heard_last(lane: Lane) -> None:
    def chunks(role: str, data: str) -> Chunks:
        begin = m.REGION_BEGIN.check((1, 3, role, 5, 100, 2, 48_000, "s16", 120.0, 0.0))
        return Chunks(begin, {0: data})

    lane.say(HOST, m.REGION_FILE, "melody", "far:1", 120.0, 0.0, music=b"hummed")
    lane.say(PANEL, m.REGION_FILE, "style", "far:2", 120.0, 0.0, music=b"a record")
    end = m.REGION_END.check((9, 5))
    lane.journal.asked(Entry(m.REGION_END, end, HOST, 9, chunks("continue", "old")), 0.0)
    lane.elsewhere()
    lane.journal.asked(Entry(m.REGION_END, end, HOST, 19, chunks("continue", "heard last")), 0.0)
    lane.say(HOST, m.REGION_FILE, "melody", "far:3", 120.0, 0.0, music=b"hummed")
    told = lane.journal.to_send(0.0)
    assert [(each.key, each.music) for each in told] == [(("region", "style"), b"a record")]

    lane.say(PANEL, m.REGION_CLEAR, "melody", at=0.0)
    lane.elsewhere()
    lane.say(HOST, m.REGION_FILE, "melody", "far:4", 120.0, 0.0, music=b"hummed")
    told = lane.journal.to_send(0.0)
    assert [each.key for each in told] == [("region", "style"), ("region", "continue"), ("region", "melody")]
    assert told[-1].row is m.REGION_CLEAR, "as somebody has cleared it since"


def test_a_seed_for_later_plays_is_of_the_next_one_and_a_stopped_lane_has_none(lane: Lane) -> None:
    lane.play(77)
    lane.say(PANEL, m.LANE_SET, "seed", 5.0)
    lane.elsewhere()
    lane.say(HOST, m.LANE_SET, "seed", 77.0)
    assert lane.told() == [("set", "seed", 5.0)]
    lane.play(6)
    lane.journal.placed(HOST, 0, m.LANE_STOP, {"stop_beats": 8.0})
    lane.elsewhere()
    assert lane.told() == [("set", "seed", 5.0)]


def test_its_size_does_not_grow_with_the_show(lane: Lane) -> None:
    for number in range(2000):
        lane.say(PANEL, m.LANE_SET, "temperature", 0.5 + number / 10_000)
        lane.say(PANEL, m.REGION_FILE, "style", "far:1", 120.0, 0.0, music=bytes(8))
    assert len(lane.journal._entries) <= 257
    lane.elsewhere()
    assert lane.told()[0] == ("set", "temperature", pytest.approx(0.5 + 1999 / 10_000))
