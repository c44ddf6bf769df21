"""A lane whose stream fails while it plays is retried automatically: how often, on which bar line, until its end."""

from __future__ import annotations

import numpy as np
import pytest
from lane_rig import RATE, RigHost

from bridge.control.arguments import At
from engine.serve.lane import retries
from engine.serve.lane.command import Command
from engine.serve.lane.retries import PAUSES_SECONDS
from engine.stream.lanes import LaneBatch

BAR = 2 * RATE  # 120 BPM


def begin(host: RigHost, bars: int = 0) -> None:
    host.lane.update(lambda s: s.with_value("lead_seconds", 1.0).with_value("guard", 0.0))
    host.play(At(beats=0.0), bars)
    host.start()
    host.settle()
    host.render(RATE)


def set_prompt(host: RigHost, prompt: str) -> None:
    host.lane.update(lambda s: s.with_prompt(prompt))


def test_it_comes_back_by_itself_on_a_bar_line(host: RigHost) -> None:
    begin(host)
    set_prompt(host, "break")
    host.render(RATE // 4)
    state, _, text = host.events.states[-1]
    assert state == host.lane.view.state == "preparing"
    assert "breaks the model; tried again" in text
    assert text == host.lane.view.fault
    set_prompt(host, "good")
    sound = host.render(4 * BAR)
    assert host.events.states[-1][::2] == ("playing", f"plays again, after 1 of {len(PAUSES_SECONDS)} tries")
    assert host.lane.view.state == "playing"
    renderer = host.lane.controller.renderer
    assert renderer.placement.zero_samples % BAR == 0
    assert np.isfinite(sound[-BAR:]).all()
    assert len(host.answers) == 1  # its caller was answered once


def test_the_host_is_left_its_bar_to_hold_meanwhile(host: RigHost) -> None:
    begin(host)
    set_prompt(host, "break")
    host.render(RATE // 4)
    assert host.reader.look().sounding
    host.lane.controller.stop(At("now"))
    host.render(RATE // 4)
    assert host.lane.view.state == "idle"
    assert not host.reader.look().sounding
    set_prompt(host, "good")
    host.render(8 * RATE)
    assert host.lane.view.state == "idle"  # a stopped play does not come back


def test_it_is_given_up_after_so_many_tries_and_says_what_to_do(host: RigHost) -> None:
    begin(host)
    set_prompt(host, "break")
    host.render(int((sum(PAUSES_SECONDS) + 5) * RATE))
    tried = [text for state, _, text in host.events.states if state == "preparing" and text]
    assert len(tried) == len(PAUSES_SECONDS)
    state, _, text = host.events.states[-1]
    assert state == host.lane.view.state == "failed"
    assert "play it again once the cause is mended" in text
    assert not host.reader.look().sounding
    set_prompt(host, "good")
    host.play(At("bar"))
    host.render(2 * BAR)
    assert host.lane.view.state == "playing"
    assert host.lane.view.fault == ""


def test_music_that_went_on_for_long_has_all_its_tries_again(host: RigHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "STEADY_SECONDS", 4.0)
    monkeypatch.setattr(retries, "PAUSES_SECONDS", (0.25,))
    begin(host)
    for _ in range(2):
        set_prompt(host, "break")
        host.render(RATE // 4)
        set_prompt(host, "good")
        host.render(8 * RATE)
        assert host.lane.view.state == "playing"
        assert host.lane.view.fault == ""


def test_it_ends_where_it_was_to_end(host: RigHost) -> None:
    """A retried stream keeps the end of its play."""
    begin(host, bars=4)
    set_prompt(host, "break")
    host.render(RATE // 4)
    set_prompt(host, "good")
    host.render(RATE)
    assert host.lane.controller.renderer.placement.end_samples == 4 * BAR
    set_prompt(host, "break")
    host.render(4 * BAR)
    assert host.lane.view.state == "ended"  # a retry has nothing left to play


def test_changes_that_were_not_heard_are_not_lost(host: RigHost) -> None:
    begin(host)
    command = Command(
        At(beats=12.0), update=lambda s: s.with_value("temperature", 0.5), arrived_seconds=host.clock.seconds
    )
    host.lane.controller.change(command)
    set_prompt(host, "break")
    host.render(RATE // 4)
    set_prompt(host, "good")
    host.render(4 * BAR)
    assert host.lane.settings.values["temperature"] == 0.5


def test_a_fault_in_what_lanes_share_fails_them_and_they_come_back(
    host: RigHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(host)

    def no_room(*given: object) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(LaneBatch, "advance", no_room)
        host.render(RATE // 4)
    assert "MemoryError" in host.lane.view.fault
    host.render(4 * BAR)
    assert host.lane.view.state == "playing"
