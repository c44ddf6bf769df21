"""The bench's detectors, on music whose beats, clicks and pauses are known to the sample."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.ring.form import Audio
from bridge.time.transport import Grid
from plugin_host.bench.sync.dial import becomes_another
from plugin_host.bench.sync.measures import (
    bar_phases,
    clicks,
    detected_beats,
    detected_clicks,
    on_grid_after_ms,
    silences,
)
from plugin_host.bench.sync.recorder import Noted, Recorder, Recording
from plugin_host.host.clip import Clip

RATE = 48_000


def drum(n: int, late_samples: int = 0) -> Audio:
    """A short noisy hit with little above 10 kHz (a model's music has nothing above 16)."""
    from scipy.signal import butter, sosfilt

    at = np.arange(n - late_samples)
    noise = np.random.default_rng(7).standard_normal(len(at)) * np.exp(-at / 1200) * 0.5
    hit = 0.6 * np.sin(2 * np.pi * 90 * at / RATE) * np.exp(-at / 2500)
    hit += sosfilt(butter(6, 6000, fs=RATE, output="sos"), noise)
    hit = hit.astype(np.float32)
    hit[:96] *= np.sin(np.linspace(0, np.pi / 2, 96, dtype=np.float32)) ** 2
    hit[-1500:] *= np.linspace(1, 0, 1500, dtype=np.float32) ** 2
    return np.concatenate([np.zeros(late_samples, np.float32), hit])


def recorded(audio: Audio, grids: list[tuple[int, Grid]]) -> Recording:
    """A recording of a host that played it on these grids, each from its sample on, in blocks of 256."""
    rows = []
    for begin in range(0, len(audio), 256):
        grid = next(each for start, each in reversed(grids) if start <= begin)
        rows.append([begin, 256, begin, float(grid.beats_at(begin)), grid.tempo_bpm, 1.0, 1.0, 0.0, 0.0, begin / RATE])
    return Recording(np.repeat(audio[:, None], 2, axis=1), np.array(rows), RATE)


def played(grid: Grid, seconds: float, late_ms: float = 0.0, per_beat: int = 2, until: int = 1 << 60) -> Audio:
    audio, late = np.zeros(int(seconds * RATE), np.float32), int(late_ms * RATE / 1000)
    step = 0
    while (at := grid.sample_at(step / per_beat)) < min(len(audio) - 6000, until):
        audio[at : at + 6000] += drum(6000, late) * (1.0 if step % per_beat == 0 else 0.5)
        step += 1
    return audio


def test_beats_that_are_late_by_so_much_are_detected_so_much_later() -> None:
    pytest.importorskip("librosa")
    from plugin_host.bench.sync.detection import onsets, rises

    grid, medians, second = Grid(RATE, 93.7), [], []
    for late_ms in (0.0, 12.0):
        recording = recorded(played(grid, 12.0, late_ms), [(0, grid)])
        beats = detected_beats(onsets(recording.audio, RATE), recording)
        assert beats.detected_share > 0.9
        medians.append(float(np.median(beats.late_ms)))
        assert beats.without(medians[-1]).p95_ms < 3.0
        bars = bar_phases(rises(recording.audio, RATE), recording)
        assert bars.clarity.min() > 0.3
        second.append(float(np.median(bars.late_ms)))
    assert abs(medians[0]) < 12.0  # the detector's bias
    assert medians[1] - medians[0] == pytest.approx(12.0, abs=2.1)
    assert second[1] - second[0] == pytest.approx(12.0, abs=2.1)


def test_a_wrong_grid_is_detected_as_wrong() -> None:
    pytest.importorskip("librosa")
    from plugin_host.bench.sync.detection import onsets

    grid = Grid(RATE, 120.0)
    recording = recorded(played(grid, 20.0), [(0, grid)])
    assert detected_beats(onsets(recording.audio, RATE), recording, 1.07).p95_ms > 30.0


@pytest.mark.parametrize("stays_ms", [0, 1300])
def test_how_long_the_music_stays_on_the_old_tempo_is_measured(stays_ms: int) -> None:
    pytest.importorskip("librosa")
    from plugin_host.bench.sync.detection import rises

    old = Grid(RATE, 120.0)
    change = old.bar_start(5)
    new = old.retuned(change, 143.0)
    back = change + stays_ms * RATE // 1000
    audio = played(old, 24.0, per_beat=4, until=back)
    step = 0
    while (at := new.sample_at(20 + step / 4)) < len(audio) - 6000:
        if at >= back:
            audio[at : at + 6000] += drum(6000)
        step += 1
    recording = recorded(audio, [(0, old), (change, new)])
    found = on_grid_after_ms(rises(recording.audio, RATE), recording, change / RATE, 0.0, 2.0)
    assert found == pytest.approx(stays_ms, abs=700)


def test_clicks_are_found_and_drums_are_none() -> None:
    grid = Grid(RATE, 120.0)
    audio = np.repeat(played(grid, 8.0, per_beat=1)[:, None], 2, axis=1)
    assert len(clicks(audio, RATE)) == 0
    audio[3 * RATE + 100 :] += 0.05
    audio[5 * RATE + 11_000 :] -= 0.05
    assert clicks(audio, RATE) == pytest.approx([3 + 100 / RATE, 5 + 11_000 / RATE], abs=0.004)


def test_silence_is_found_from_20_ms_on() -> None:
    audio = np.full((RATE, 2), 0.1, np.float32)
    audio[1000:1800] = 0  # 17 ms
    audio[20_000:22_000] = 0
    assert silences(audio, RATE) == [(20_000 / RATE, 22_000 / RATE)]


def test_recorder_knows_where_the_host_was() -> None:
    from plugin_host.host.timeline import Timeline
    from plugin_host.playback.processor import Processor

    timeline = Timeline(Grid(RATE, 120.0))
    host, out = Recorder(Processor(RATE), timeline, 1.0), np.zeros((256, 2), np.float32)
    host.render(out)
    assert host.recorded_samples == 0  # it has not begun to play
    timeline.play()
    for block in range(400):
        if block == 50:
            timeline.set_tempo(100.0)
        if block == 100:
            timeline.locate(10 * RATE)
        host.render(out)
    found = host.recording()
    assert host.finished
    assert len(found.audio) == RATE
    assert found.beats_at(np.array([50.0 * 256]))[0] == pytest.approx(2 * 50 * 256 / RATE)
    assert found.beats_at(np.array([50.0 * 256 + 1000]))[0] == pytest.approx(
        2 * 50 * 256 / RATE + 1000 * 100 / 60 / RATE
    )
    assert found.changes(Noted.SEEK_ID) == [100 * 256]
    assert found.changes(Noted.TEMPO) == [50 * 256]
    assert found.column(Noted.POSITION)[100] == 10 * RATE


def test_at_the_joint_a_step_is_a_click_and_a_cut_cymbal_is_none() -> None:
    grid = Grid(RATE, 120.0)
    wave = (0.3 * np.sin(np.arange(8 * RATE) / 30)).astype(np.float32)
    region = np.repeat(wave[: 4 * RATE, None], 2, axis=1)
    music = np.concatenate([np.zeros(4 * RATE, np.float32), wave[4 * RATE :]])

    def found() -> list[float]:
        return list(detected_clicks(recorded(music, [(0, grid)]), Clip(region, 0)))

    assert found() == []
    music[4 * RATE :] += 0.1
    assert found() == pytest.approx([4.0], abs=0.004)
    music[4 * RATE :] -= 0.1
    region[-3000:] += 0.1 * np.random.default_rng(1).standard_normal((3000, 2)).astype(np.float32)
    region[2 * RATE :][:50] += 0.1  # a click in the region itself
    assert found() == []


def music_then_noise(noise_from_seconds: float) -> Audio:
    """Hits on the beat, and from a position on equally loud noise with a beat."""
    audio = played(Grid(RATE, 120.0), 9.0)
    at = int(noise_from_seconds * RATE)
    noise = np.random.default_rng(3).standard_normal(max(len(audio) - at, 0)).astype(np.float32)
    audio[at:] = 0.3 * audio[at:] + 0.1 * noise
    return np.repeat(audio[:, None], 2, axis=1)


@pytest.mark.parametrize("late_seconds", [0.2, 0.6, 2.0])
def test_where_music_becomes_another_sound_is_detected(late_seconds: float) -> None:
    after = becomes_another(music_then_noise(3.0 + late_seconds), RATE, sent_seconds=3.0)
    assert after == pytest.approx(late_seconds, abs=0.03)


def test_music_that_goes_on_becomes_no_other_sound() -> None:
    """As if a dial's last value were lost: the result is NaN, not an arbitrary position."""
    assert np.isnan(becomes_another(music_then_noise(9.0), RATE, sent_seconds=3.0))
    assert np.isnan(becomes_another(music_then_noise(3.5)[: 5 * RATE], RATE, sent_seconds=3.0))  # its end is missing
