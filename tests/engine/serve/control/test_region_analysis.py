"""Regions of unknown or other tempo: their analysis, and the answers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lane_rig import RigHost

from bridge.errors import OutOfRange, RegionSilent
from bridge.region.region import Region
from engine.beat.analyse import RegionBeat, analyse
from engine.serve.control.region_analysis import RegionAnalysis, check_bpm, cleaned
from engine.serve.lane_settings import CONTINUE, MELODY, STYLE
from engine.serve.render.stream_settings import _gain

sys.path.insert(0, str(Path(__file__).parents[2] / "beat"))
from beat_rig import RATE_HZ, chord, drums


def region(audio: np.ndarray, bpm: float, role: str = CONTINUE) -> tuple[Region, torch.Tensor]:
    return Region(audio[:, None], RATE_HZ, role, bpm, 0.0), torch.from_numpy(audio)[None]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(
        "engine.serve.control.region_analysis.analyse_apart",
        lambda mono, noted, bar, hurry, hint: analyse(mono, noted, bar, hint_bpm=hint),
    )


@pytest.fixture(scope="module")
def hundred() -> np.ndarray:
    return drums(100.0, 9.6)  # four bars


@pytest.mark.parametrize("role", [CONTINUE, STYLE])
def test_a_region_of_another_tempo_is_brought_to_the_hosts(host: RigHost, hundred, role):
    host.publish()  # 120 bpm
    noted, reference = RegionAnalysis().fitted(host.lane, *region(hundred, 100.0, role), RATE_HZ)
    assert reference.bpm == 120.0
    assert reference.audio.shape == (1, 8 * RATE_HZ)
    assert reference.beats == 16
    assert noted.note == "stretched from 100 to 120 bpm"
    assert noted.bpm == 100.0


def test_a_melody_and_a_region_to_be_kept_stay_as_they_are(host: RigHost, hundred):
    host.publish()
    analysis = RegionAnalysis()
    given = region(hundred, 100.0, MELODY)
    noted, reference = analysis.fitted(host.lane, *given, RATE_HZ)
    assert reference.audio is given[1]
    assert (reference.bpm, noted.note) == (100.0, "")
    host.lane.update(lambda settings: settings.with_value("region_tempo", 0.0))
    given = region(hundred, 100.0)
    assert analysis.fitted(host.lane, *given, RATE_HZ)[1].audio is given[1]


def test_a_host_that_never_said_its_tempo_is_not_followed(host: RigHost, hundred, monkeypatch):
    given = region(hundred, 100.0)
    monkeypatch.setattr(host.lane.clock, "now", lambda: None)
    assert RegionAnalysis().fitted(host.lane, *given, RATE_HZ)[1].audio is given[1]


def test_half_of_the_hosts_tempo_is_on_its_beat(host: RigHost):
    host.publish()
    given = region(drums(60.0, 8.0), 60.0)
    _, reference = RegionAnalysis().fitted(host.lane, *given, RATE_HZ)
    assert reference.audio is given[1]
    assert (reference.bpm, reference.beats) == (120.0, 16)


def test_a_tempo_that_is_not_known_is_found_out_first(host: RigHost, hundred):
    host.publish()
    noted, reference = RegionAnalysis().fitted(host.lane, *region(hundred, 0.0), RATE_HZ)
    assert noted.bpm == pytest.approx(100.0, rel=0.001)
    assert noted.note.startswith("100 bpm (detected")
    assert reference.bpm == 120.0
    assert abs(reference.audio.shape[1] - 8 * RATE_HZ) < 0.01 * RATE_HZ


def test_where_no_beat_is_detected_the_hosts_tempo_is_taken(host: RigHost):
    host.publish()
    noted, reference = RegionAnalysis().fitted(host.lane, *region(chord(6.8), 0.0), RATE_HZ)
    assert (noted.bpm, reference.bpm) == (120.0, 120.0)
    assert "no beat was detected" in noted.note


@pytest.mark.parametrize(("length", "role"), [(9.6, CONTINUE), (10.0, STYLE), (9.65, MELODY)])
def test_the_hosts_tempo_is_the_regions_where_it_is_bars_of_it(host: RigHost, hundred, length: float, role: str):
    """With a tail, an encoder's padding or neither; noted, and not stretched."""
    host.transport = replace(host.transport, grid=host.transport.grid.retuned(0, 100.0))
    host.publish()
    audio = np.resize(hundred, round(length * RATE_HZ))
    noted, reference = RegionAnalysis().fitted(host.lane, *region(audio, 0.0, role), RATE_HZ)
    assert (noted.bpm, reference.bpm) == (100.0, 100.0)
    assert "the song's: it is 4 bars" in noted.note
    assert "stretched" not in noted.note
    assert reference.audio.shape[1] == (len(audio) if role == CONTINUE else 9.6 * RATE_HZ)


def test_detection_alone_stretches_by_no_simple_ratio(host: RigHost, monkeypatch):
    """Swing at 128 that is detected as 96, not whole beats."""
    hints = []

    def mistaken(mono, noted, bar, hurry, hint):
        hints.append(hint)
        return RegionBeat(bpm=96.1, bpm_sure=1.0)

    monkeypatch.setattr("engine.serve.control.region_analysis.analyse_apart", mistaken)
    host.transport = replace(host.transport, grid=host.transport.grid.retuned(0, 128.0))
    host.publish()
    given = region(drums(128.0, 6.3), 0.0)
    noted, reference = RegionAnalysis().fitted(host.lane, *given, RATE_HZ)
    assert (noted.bpm, reference.bpm) == (128.0, 128.0)
    assert reference.audio is given[1]
    assert "detected as 96.1, a simple ratio of it" in noted.note
    assert hints == [128.0]


def test_what_a_name_says_and_what_contradicts_it_is_reported(host: RigHost, hundred):
    host.publish()
    named, _ = RegionAnalysis().fitted(host.lane, *region(hundred, 0.0), RATE_HZ, "/x/Drums BPM100.wav")
    assert named.note == "100 bpm (by its name, sure 0.95); stretched from 100 to 120 bpm"
    noted, _ = RegionAnalysis().fitted(host.lane, *region(hundred, 110.0), RATE_HZ, "/x/Drums BPM100.wav")
    assert noted.note.startswith("110 bpm (as given, sure 1); but by its name it is 100")


def test_the_same_audio_is_listened_to_once(monkeypatch, hundred):
    times = []
    from engine.serve.control import region_analysis

    plain = region_analysis.analyse_apart
    monkeypatch.setattr(region_analysis, "analyse_apart", lambda *given: times.append(1) or plain(*given))
    analysis, audio = RegionAnalysis(), torch.from_numpy(hundred)[None]
    assert analysis.analyse(audio, 100.0, 4.0) == analysis.analyse(audio.clone(), 100.0, 4.0)
    assert len(times) == 1


def test_a_detector_that_fails_says_nothing(monkeypatch, caplog, hundred):
    def broken(*given):
        raise OSError("no more processes")

    monkeypatch.setattr("engine.serve.control.region_analysis.analyse_apart", broken)
    found = RegionAnalysis().analyse(torch.from_numpy(hundred)[None], 100.0, 4.0)
    assert (found.bpm, found.key) == (0.0, "")
    assert "no more processes" in caplog.text


def test_tempi_that_clients_may_send():
    assert [check_bpm(bpm) for bpm in (0.0, 20.0, 999.0)] == [0.0, 20.0, 999.0]
    with pytest.raises(OutOfRange, match="or 0 to have it found out"):
        check_bpm(5.0)


def made(audio: np.ndarray, role: str) -> Region:
    return Region(np.ascontiguousarray(audio.T, np.float32), RATE_HZ, role, 100.0, 0.0)


@pytest.mark.parametrize("role", [CONTINUE, MELODY, STYLE])
def test_dc_is_taken_out_before_use_and_noted(hundred, role):
    dirty = hundred + np.float32(0.1)
    noted, reference = cleaned(made(dirty[None], role), torch.from_numpy(dirty)[None])
    assert "is DC or rumble below 25 Hz, which is taken out" in noted.note
    assert float((reference[0] - torch.from_numpy(hundred)).pow(2).mean().sqrt()) < 0.01
    clean, same = cleaned(made(hundred[None], role), torch.from_numpy(hundred)[None])
    assert clean.note == ""
    assert torch.equal(same[0], torch.from_numpy(hundred))


def test_dc_alone_is_nothing_to_go_on_from():
    dirty = np.full((1, RATE_HZ), 0.1, np.float32)
    with pytest.raises(RegionSilent, match="nothing but DC"):
        cleaned(made(dirty, CONTINUE), torch.from_numpy(dirty))


def test_the_level_to_go_on_at_is_that_of_the_music_without_dc():
    """Prompt and stream are as loud as without the DC: they were 8 dB too loud before."""
    music = 0.05 * np.random.default_rng(1).standard_normal(4 * RATE_HZ).astype(np.float32)
    gains = []
    for dc in (0.0, 0.1):
        dirty = music + np.float32(dc)
        _, reference = cleaned(made(dirty[None], CONTINUE), torch.from_numpy(dirty)[None])
        gains.append(_gain(SimpleNamespace(trained_rms=0.09), reference))
    assert gains[1] == pytest.approx(gains[0], rel=0.02)


@pytest.mark.parametrize("role", [CONTINUE, MELODY])
def test_channels_that_cancel_are_detected_and_noted(role):
    notes = np.stack([chord(2.0), -chord(2.0)]).astype(np.float32)
    noted, reference = cleaned(made(notes, role), torch.from_numpy(notes))
    assert "out of phase" in noted.note
    assert reference.shape[0] == (2 if role == CONTINUE else 1)
    assert float(reference.pow(2).mean()) == pytest.approx(float(np.mean(notes**2)), rel=0.02)
