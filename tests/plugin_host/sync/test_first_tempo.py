"""The leader's tempo is measured before a region is laid out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from plugin_host.run.region_layout import RegionRequest, lay_out_region
from plugin_host.sync.first_tempo import first_tempo, settled_tempo
from plugin_host.sync.leader import Leader
from plugin_host.sync.reading import Reading
from plugin_host.sync.sync import SyncRequest


class StubClock:
    seconds = 50.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class LateSource:
    """Has readings from an instant on, at first a little wrong."""

    name = "late"

    def __init__(self, from_seconds: float) -> None:
        self.from_seconds = from_seconds

    def reading(self, now_seconds: float) -> Reading | None:
        passed = now_seconds - self.from_seconds
        return None if passed < 0 else Reading(now_seconds, True, 0.0, 120.0 if passed < 0.3 else 93.704)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("after", "tempo"), [(0.0, 93.7), (1.5, 93.7), (9.0, None)])
def test_a_leader_is_waited_for_and_its_tempo_settles(after, tempo):
    clock = StubClock()
    leader = Leader([LateSource(50.0 + after)], lambda line: None)
    assert settled_tempo(leader, 3.0, clock.now, clock.sleep) == tempo
    assert clock.seconds < 50.0 + 4.1


def test_who_has_no_leader_does_not_wait():
    said: list[str] = []
    assert first_tempo(SyncRequest("own"), 48_000, said.append) is None
    assert first_tempo(SyncRequest("osc"), 48_000, said.append) is None
    assert not said


def test_a_region_is_laid_out_at_the_leaders_tempo(tmp_path: Path):
    path = tmp_path / "loop_100bpm.wav"
    soundfile.write(path, np.zeros(int(8 * 0.6 * 48_000), np.float32) + 0.1, 48_000)
    request = RegionRequest(region=path)
    own = lay_out_region(request, tmp_path)
    led = lay_out_region(replace(request, leader_bpm=93.7), tmp_path)
    assert own.stretch.grid.tempo_bpm == 100.0
    assert led.stretch.grid.tempo_bpm == led.region.bpm == 93.7
    assert led.region.path != path  # stretched to that tempo
    assert led.stretch.start_bar == own.stretch.start_bar
    layout = lay_out_region(replace(request, bpm=110.0, leader_bpm=93.7), tmp_path)
    assert layout.stretch.grid.tempo_bpm == 93.7
