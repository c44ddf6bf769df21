"""The positions of regions and takes."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.errors import RegionMissing, RegionSilent
from bridge.time.transport import Grid
from bridge.time.units import Signature
from plugin_host.console.output import put
from plugin_host.takes.chunks import acid
from plugin_host.takes.place import TakeRegionRequest, place
from plugin_host.takes.wave import format_chunk, wave_bytes

RATE = 48_000
FOUR = Signature(4, 4)


def region(folder: Path, beats: float, bpm: float = 120.0, name: str = "riff") -> Path:
    n = round(beats * 60 / bpm * RATE)
    path = folder / f"{name}.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, n).astype(np.float32), RATE, "FLOAT")
    return path


def samples_of(flac: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(flac), dtype="float32")[0]


@pytest.mark.parametrize(
    ("beats", "start", "role", "bar", "bars"),
    [
        (16, 0.0, "continue", 4, 8),
        (16, 8.0, "continue", 6, 8),
        (14, 8.0, "continue", 6, 8),  # ends in bar 5: two beats of silence
        (16, 8.0, "melody", 2, 4),
        (15, 9.0, "style", 2, 4),
        (3, 9.0, "melody", 2, 1),
    ],
)
def test_take_begins_on_a_bar(tmp_path: Path, beats: float, start: float, role: str, bar: int, bars: int) -> None:
    placed = place(TakeRegionRequest(region(tmp_path, beats), role, 120.0, start), None, FOUR, RATE)
    assert (placed.bpm, placed.start_bar, placed.bars) == (120.0, bar, bars)
    assert placed.region.start_beats == start


def test_what_is_gone_on_from_ends_on_the_bar_line(tmp_path: Path) -> None:
    """In 7/8 at a fractional tempo: cut to the bar line, or extended with silence."""
    grid, meter = Grid(RATE, 137.5, Signature(7, 8)), Signature(7, 8)
    for beats in (7.01, 6.2):
        placed = place(TakeRegionRequest(region(tmp_path, beats, 137.5), "continue", 137.5, 3.5), None, meter, RATE)
        audio = samples_of(placed.region.flac)
        assert placed.start_bar == 3
        assert len(audio) == pytest.approx(grid.bar_start(3) - grid.bar_start(1), abs=1)
    assert "silence" in placed.words
    assert np.abs(audio[-100:]).max() == 0


def test_unplaced_region_ends_on_a_bar_line_as_it_is(tmp_path: Path) -> None:
    placed = place(TakeRegionRequest(region(tmp_path, 6), "continue", 120.0), None, FOUR, RATE)
    assert (placed.region.start_beats, placed.start_bar) == (2.0, 2)
    assert len(samples_of(placed.region.flac)) == 6 * RATE // 2


@pytest.mark.parametrize(
    ("beats", "region_start", "role", "start", "bar", "bars"),
    [
        (8.8, None, "continue", 0.0, 2, 8),  # two bars and 0.4 s
        (6.8, None, "continue", 2.0, 2, 8),
        (8.8, None, "melody", 0.0, 0, 2),
        (16.8, 8.0, "continue", 8.0, 6, 8),
        (16.8, 8.0, "style", 8.0, 2, 4),
    ],
)
def test_a_tail_moves_neither_region_nor_take(
    tmp_path: Path, beats: float, region_start: float | None, role: str, start: float, bar: int, bars: int
) -> None:
    path = region(tmp_path, beats)
    placed = place(TakeRegionRequest(path, role, None, region_start), 120.0, FOUR, RATE)
    assert (placed.bpm, placed.region.start_beats, placed.start_bar, placed.bars) == (120.0, start, bar, bars)
    assert "are a tail" in placed.words
    assert "silence" not in placed.words
    if role == "continue":
        assert len(samples_of(placed.region.flac)) == round((bar * 4 - start) * RATE / 2)


@pytest.mark.parametrize(("bars", "bpm"), [(3, 96.0), (4, 174.0), (5, 70.0), (1, 137.5)])
def test_a_region_of_the_song_stays_as_it_is(tmp_path: Path, bars: int, bpm: float) -> None:
    placed = place(TakeRegionRequest(region(tmp_path, 4 * bars, bpm), "continue"), bpm, FOUR, RATE)
    assert (placed.bpm, placed.region.bpm, placed.start_bar) == (bpm, bpm, bars)
    given = soundfile.read(tmp_path / "riff.wav", dtype="float32")[0]
    kept = samples_of(placed.region.flac)
    assert len(kept) == pytest.approx(len(given), abs=1)
    n = min(len(kept), len(given))
    assert np.abs(kept[:n] - given[:n]).max() < 1e-6
    assert "played at" not in placed.words


def test_half_time_is_on_the_songs_beat_as_it_is(tmp_path: Path) -> None:
    placed = place(TakeRegionRequest(region(tmp_path, 8, 87.0, "riff 87bpm"), "continue"), 174.0, FOUR, RATE)
    assert (placed.region.bpm, placed.start_bar) == (174.0, 4)
    assert "half or double of 174" in placed.words


def test_what_detection_finds_is_what_nothing_else_says(tmp_path: Path) -> None:
    """The detected tempo is used only if no other rule gives one."""
    asked = []

    def detect(path: Path, hint_bpm: float, signature: Signature) -> tuple[float, float]:
        asked.append(hint_bpm)
        return 97.3, 0.8

    path = region(tmp_path, 13.4, 97.3)
    assert place(TakeRegionRequest(path, "melody"), None, FOUR, RATE, detect).bpm == 97.3
    placed = place(TakeRegionRequest(path, "melody"), 130.0, FOUR, RATE, detect)
    assert (placed.bpm, placed.region.bpm) == (130.0, 130.0)  # 3:4 of it, within 1.5 %
    placed = place(TakeRegionRequest(path, "melody"), 110.0, FOUR, RATE, detect)
    assert (placed.bpm, placed.region.bpm, placed.region.tempo) == (110.0, 97.3, "97.3 bpm (detected, sure 0.8)")
    assert asked == [0.0, 130.0, 110.0]
    place(TakeRegionRequest(region(tmp_path, 13.4, 97.3, "riff 97.3bpm"), "melody"), 110.0, FOUR, RATE, detect)
    assert len(asked) == 3


def test_other_tempo_is_met(tmp_path: Path) -> None:
    path = region(tmp_path, 4, 100.0, "riff 100bpm")
    follow = place(TakeRegionRequest(path, "melody"), 120.0, FOUR, RATE)
    assert (follow.bpm, follow.region.bpm) == (120.0, 100.0)  # the engine gets it faster
    on = place(TakeRegionRequest(path, "continue"), 120.0, FOUR, RATE)
    assert on.region.bpm == 120.0
    assert len(samples_of(on.region.flac)) == 2 * RATE
    assert "at its pitch" in on.words


def test_tempo_is_what_the_file_says_before_its_name(tmp_path: Path) -> None:
    data = (np.random.default_rng(1).normal(0, 3000, 4 * RATE)).astype("<i2").tobytes()
    body = acid(90, 6, FOUR, "", True)
    put(tmp_path / "riff 120bpm.wav",
        wave_bytes([(b"fmt ", format_chunk(RATE, 1, 16)), (b"acid", body), (b"data", data)]))  # fmt: skip
    placed = place(TakeRegionRequest(tmp_path / "riff 120bpm.wav", "style"), None, FOUR, RATE)
    assert placed.bpm == 90
    assert "by its acid chunk" in placed.words
    assert "its name says 120" in placed.words


def test_what_cannot_be_used_is_reported(tmp_path: Path) -> None:
    """Missing and silent regions raise their errors."""
    with pytest.raises(RegionMissing):
        place(TakeRegionRequest(tmp_path / "none.wav", "style"), None, FOUR, RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    with pytest.raises(RegionSilent):
        place(TakeRegionRequest(tmp_path / "silent.wav", "style"), None, FOUR, RATE)


def test_region_above_full_scale_is_kept_without_clipping(tmp_path: Path) -> None:
    path = region(tmp_path, 4)
    audio, _ = soundfile.read(path, dtype="float32")
    soundfile.write(path, audio * 8, RATE, "FLOAT")
    placed = place(TakeRegionRequest(path, "style", 120.0), None, FOUR, RATE)
    assert "scaled down" in placed.words
    kept = samples_of(placed.region.flac)
    assert np.abs(kept - audio / np.abs(audio).max()).max() < 1e-6


def test_a_region_that_is_missing_is_reported_before_an_engine_starts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plugin_host.cli", "take", "--region", str(tmp_path / "none.wav")]
    done = subprocess.run([*command, "--out", str(tmp_path / "takes")], capture_output=True, text=True, timeout=60)
    assert done.returncode
    assert "none.wav' cannot be opened" in done.stderr
    assert not done.stdout  # where it reports that an engine starts
