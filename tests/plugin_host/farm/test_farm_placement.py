"""Where sessions are placed, without sockets or Ray."""

from __future__ import annotations

import pytest

from plugin_host.farm.placement import FORGOTTEN_SECONDS, WAITING_SECONDS, Full, Place, Placement


def placement(*lanes_max: int) -> Placement:
    made = Placement()
    for number, most in enumerate(lanes_max):
        made.set(Place(f"e{number}", f"here:{number}", 0, most))
    return made


def where(made: Placement, token: str, now: float = 0.0) -> str:
    found = made.place(token, now)
    return found.name if isinstance(found, Place) else f"turn {found.turn}"


def test_the_emptiest_place_first_and_sticky() -> None:
    made = placement(2, 3)
    assert [where(made, token) for token in "abcde"] == ["e1", "e0", "e1", "e0", "e1"]
    assert [where(made, token) for token in "abcde"] == ["e1", "e0", "e1", "e0", "e1"]
    assert where(made, "f") == "turn 1"


def test_lanes_that_are_open_count_too() -> None:
    made = placement(2, 2)
    made.set(Place("e0", "here:0", 2, 2))
    assert [where(made, token) for token in "abc"] == ["e1", "e1", "turn 1"]


def test_the_queue_has_turns_and_a_reason_and_forgets_who_left() -> None:
    made = placement(1)
    where(made, "a")
    found = made.place("b", 0.0)
    assert found == Full("all 1 lanes of 1 engines are taken; place 1 in the queue", 1)
    assert [where(made, token) for token in "cb"] == ["turn 2", "turn 1"]
    made.set(Place("e1", "here:1", 0, 1))
    assert where(made, "c", 1.0) == "turn 2", "b was first"
    assert where(made, "c", WAITING_SECONDS + 0.5) == "e1", "b asks no more"


def test_a_drained_place_keeps_its_own_and_gets_no_new_ones() -> None:
    made = placement(2, 2)
    assert where(made, "a") == "e0"
    made.drain("e0")
    made.set(Place("e0", "here:0", 1, 2))
    assert [where(made, token) for token in "abcd"] == ["e0", "e1", "e1", "turn 1"]
    assert "drained (1)" in getattr(made.place("d", 0.0), "text", "")
    made.drain("e0", False)
    assert where(made, "d") == "e0"
    with pytest.raises(KeyError):
        made.drain("e9")


def test_sessions_of_a_place_that_is_gone_go_on_elsewhere() -> None:
    made = placement(2, 2)
    assert [where(made, token) for token in "ab"] == ["e0", "e1"]
    made.set(Place("e0"))
    assert [where(made, token) for token in "ab"] == ["e1", "e1"]
    made.set(Place("e1"))
    assert made.place("a", 0.0) == Full("no engine is up yet; place 1 in the queue", 1)


def test_a_session_without_sign_or_lanes_gives_its_room_back() -> None:
    made = placement(1)
    where(made, "a", 0.0)
    made.set(Place("e0", "here:0", 1, 1))
    assert where(made, "b", FORGOTTEN_SECONDS + 1) == "turn 1", "a lane is open there"
    made.set(Place("e0", "here:0", 0, 1))
    assert where(made, "b", FORGOTTEN_SECONDS + 2) == "e0"


def test_those_who_left_take_no_room_while_others_play_on() -> None:
    made = placement(3)
    for token in "abc":
        where(made, token, 0.0)
    made.set(Place("e0", "here:0", 1, 3))  # b and c have left
    assert where(made, "d", 1.0) == "turn 1", "they may open their lanes any moment"
    assert [where(made, token, FORGOTTEN_SECONDS + 1) for token in "dea"] == ["e0", "e0", "e0"], "and a's own is there"
    assert where(made, "f", FORGOTTEN_SECONDS + 1) == "turn 1"


def test_who_has_played_goes_before_who_has_not() -> None:
    made = placement(2, 2)
    assert [where(made, token) for token in "abcd"] == ["e0", "e1", "e0", "e1"]
    assert [where(made, token) for token in "xy"] == ["turn 1", "turn 2"]
    made.set(Place("e0"))
    assert [where(made, token) for token in "ca"] == ["turn 1", "turn 2"], "their engine has died"
    assert [where(made, token) for token in "xy"] == ["turn 3", "turn 4"]
    made.set(Place("e0", "here:0", 0, 3))
    assert [where(made, token) for token in "xacy"] == ["e0", "e0", "e0", "turn 1"]


def test_a_session_moves_with_all_its_lanes_and_is_not_overtaken() -> None:
    made = placement(4, 2)
    made.set(Place("e1", "here:1", 1, 2))
    assert where(made, "a") == "e0"
    made.set(Place("e0"))
    full = made.place("a", 0.0, 3)
    assert isinstance(full, Full), "it has three lanes, e1 has room for one and could never have three"
    assert where(made, "b") == "turn 2", "or else the one with many lanes waits for ever"
    made.set(Place("e0", "here:0", 0, 4))
    found = made.place("a", 0.0, 3)
    assert isinstance(found, Place)
    assert [found.name, where(made, "b"), where(made, "c"), where(made, "d")] == ["e0", "e0", "e1", "turn 1"]
