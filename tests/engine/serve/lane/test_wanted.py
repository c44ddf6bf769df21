"""A lane's wanted settings and its settings: immediate commands are wanted at once, settled by the next turn."""

from __future__ import annotations

import numpy as np
from lane_rig import RATE, RigHost

from bridge.control.arguments import At
from engine.serve.lane import lane
from engine.serve.lane.command import Command
from engine.serve.lane_settings import Depth


def command(id: int, update, at: str = "now", about: str = "") -> Command:
    return Command(At.read(at), id, "/segue/lane/set", update, about=about, arrived_seconds=0.0)


def playing(host: RigHost) -> list[tuple]:
    host.lane.update(lambda s: s.with_value("guard", 0.0).with_value("seed", 7))
    host.settle()
    host.play(At(beats=0.0))
    host.settle()
    host.start()
    host.render(RATE)
    return host.events.heard


def test_what_is_reported_now_is_wanted_at_once_and_settled_by_the_next_turn(host):
    playing(host)
    assert host.lane.submit(command(1, lambda s: s.with_prompt("new"))) == Depth.WINDOW
    assert host.lane.submit(command(2, lambda s: s.with_value("lead_seconds", 1.5))) == Depth.SOUND
    assert (host.lane.wanted.prompt, host.lane.value("lead_seconds")) == ("new", 1.5)
    assert host.lane.settings.prompt == ""
    host.generate_loop.turn()
    assert host.lane.settings == host.lane.wanted
    assert (host.lane.settings.prompt, host.lane.settings.values["lead_seconds"]) == ("new", 1.5)


def test_a_later_one_that_is_heard_while_one_now_is_on_its_way_loses_neither(host):
    """A scheduled change that is heard while an immediate one is pending: both remain in force."""
    playing(host)
    host.lane.submit(command(2, lambda s: s.with_value("cfg", 1.0)))
    host.lane.controller.scheduler.change_settings(
        lambda s: s.with_value("cfg", 2.0).with_value("temperature", 0.5)
    )  # heard before that beat
    assert (host.lane.settings.values["cfg"], host.lane.wanted.values["cfg"]) == (2.0, 1.0)
    assert host.lane.wanted.values["temperature"] == 0.5
    host.generate_loop.turn()
    assert (host.lane.settings.values["cfg"], host.lane.settings.values["temperature"]) == (1.0, 0.5)
    assert host.lane.settings == host.lane.wanted


def test_a_play_knows_what_was_sent_right_before_it(host):
    host.lane.update(lambda s: s.with_value("seed", 11).with_prompt("first"))
    host.play(At(beats=0.0))
    host.settle()
    assert host.lane.view.seed == 11
    assert host.generate_loop.model.conditioner.asked[-1][0].text == "first"


def test_of_two_that_say_the_same_the_one_that_made_the_difference_is_reported(host):
    """Of two equal commands only the one that changed something sends an event."""
    heard = playing(host)
    for id in (4, 5):
        host.lane.submit(command(id, lambda s: s.with_mute(True), about="mute"))
    host.render(RATE)
    assert [said[0] for said in heard] == [4]


def test_a_region_sent_now_comes_by_the_same_way(host):
    """`change` answers with a due beat, now or later, and sends one event when it is heard."""
    heard = playing(host)
    beats, late = host.lane.controller.change(command(6, lambda s: s.with_prompt("new")))
    assert beats > 0
    assert late == 0
    assert host.lane.wanted.prompt == host.lane.settings.prompt == "new"
    assert np.isfinite(host.render(3 * RATE)).all()
    assert [said[0] for said in heard] == [6]


def test_few_wait_however_many_are_reported(host):
    """While [generate] is busy, the newest of a kind counts."""
    for number in range(3 * lane.PENDING_MAX):
        host.lane.submit(command(number, lambda s, n=number: s.with_value("cfg", 1 + n / 1000), about="cfg"))
    assert len(host.lane.orders.pending) <= lane.PENDING_MAX
    host.settle()
    assert host.lane.settings.values["cfg"] == host.lane.wanted.values["cfg"] == 1 + (3 * lane.PENDING_MAX - 1) / 1000
