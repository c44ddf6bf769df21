"""A region and a play while the lane plays, on a machine whose work takes time."""

from __future__ import annotations

import pytest
import torch
from busy_rig import BusyHost
from lane_rig import RATE

from bridge.control.arguments import At
from engine.serve.lane_settings import CONTINUE, ReferenceAudio


@pytest.mark.parametrize("at", ["now", "beat", "bar"])
def test_a_region_and_a_play_while_it_plays_leave_no_hole(monkeypatch, at):
    """The music begins where it can be ready; earlier it came too late, or not at all."""
    busy = BusyHost(monkeypatch, ratio=2.0, read_seconds=0.45)
    busy.begin()
    busy.run(4.0)
    noise = torch.rand(1, 8 * 32_000, generator=torch.Generator().manual_seed(1)) - 0.5
    busy.lane.update(lambda s: s.with_region(CONTINUE, ReferenceAudio(noise, 120.0, 0.0)))
    busy.play(At.read(at))
    busy.run(6.0)
    assert len(busy.answers) == 2
    assert busy.missing == 0
    busy.run(6.0)
    assert busy.missing == 0
    busy.close()


def test_music_that_begins_too_late_comes_in_on_the_next_bar_and_plays_on(monkeypatch):
    """It is not moved back to a position that the host has passed, which once left the lane silent."""
    busy = BusyHost(monkeypatch, ratio=2.0, read_seconds=0.9)
    busy.begin()
    busy.run(4.0)
    busy.lane.controller.timing.expected_seconds = 0.1  # measured on another machine
    noise = torch.rand(1, 8 * 32_000, generator=torch.Generator().manual_seed(1)) - 0.5
    busy.lane.update(lambda s: s.with_region(CONTINUE, ReferenceAudio(noise, 120.0, 0.0)))
    busy.play(At.read("now"))
    busy.run(6.0)
    assert len(busy.answers) == 2
    missing = busy.missing
    assert 0 < missing < 4.5 * RATE  # a bar, and the time it takes
    busy.run(6.0)
    assert busy.missing == missing
    busy.close()


@pytest.mark.parametrize(
    ("at", "ratio", "seconds"),
    [("now", 1.5, 7.6), ("now", 2.0, 7.6), ("now", 4.0, 6.9), ("now", 2.0, 1.5), ("beat", 4.0, 7.3), ("bar", 4.0, 7.3)],
)
def test_a_region_that_ends_within_a_bar_is_gone_on_from_without_a_hole(monkeypatch, at, ratio, seconds):
    """Unheard music that lines up the bar takes time, and so does reading the region."""
    busy = BusyHost(monkeypatch, ratio=ratio, read_seconds=0.45)
    busy.begin()
    busy.run(4.0 + 0.13 * seconds)
    noise = torch.rand(1, int(seconds * 32_000), generator=torch.Generator().manual_seed(1)) - 0.5
    busy.lane.update(lambda s: s.with_region(CONTINUE, ReferenceAudio(noise, 120.0, 0.0)))
    busy.play(At.read(at))
    busy.run(4.5)
    assert len(busy.answers) == 2
    assert busy.missing == 0
    busy.close()


def test_music_before_a_play_is_made_as_far_ahead_as_the_play_needs(monkeypatch):
    """A lane with a short lead: reading a region takes longer than its ring lasts."""
    busy = BusyHost(monkeypatch, ratio=2.0, read_seconds=0.6)
    busy.lane.update(lambda s: s.with_value("lead_seconds", 0.5))
    busy.begin()
    busy.run(3.0)
    noise = torch.rand(1, 8 * 32_000, generator=torch.Generator().manual_seed(1)) - 0.5
    busy.lane.update(lambda s: s.with_region(CONTINUE, ReferenceAudio(noise, 120.0, 0.0)))
    busy.play(At.read("bars 2"))
    busy.run(8.0)
    assert len(busy.answers) == 2
    assert busy.missing == 0
    busy.close()
