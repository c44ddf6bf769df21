"""A region and a play while the lane plays, on a machine whose work takes time."""

from __future__ import annotations

import pytest
import torch
from busy_rig import BusyHost
from lane_rig import RATE

from bridge.control.arguments import At
from engine.serve.lane_settings import CONTINUE, ReferenceAudio


@pytest.mark.parametrize("at", ["now", "beat", "bar"])
def test_music_that_begins_too_late_comes_in_on_the_next_bar_and_plays_on(monkeypatch, at):
    """It is brought back to the place that the host has passed by no more: it was silent for ever."""
    busy = BusyHost(monkeypatch, ratio=2.0, read_seconds=0.45)
    busy.begin()
    busy.run(4.0)
    noise = torch.rand(1, 8 * 32_000, generator=torch.Generator().manual_seed(1)) - 0.5
    busy.lane.update(lambda s: s.with_region(CONTINUE, ReferenceAudio(noise, 120.0, 0.0)))
    busy.play(At.read(at))
    busy.run(6.0)
    assert len(busy.answers) == 2
    missing = busy.missing
    assert missing == 0 if at != "now" else missing < 4.5 * RATE  # a bar, and what it takes
    busy.run(6.0)
    assert busy.missing == missing
    busy.close()
